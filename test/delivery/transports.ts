/**
 * Subscribers over either transport, on connections that can be paused. They keep what arrived, when, and how each
 * ended.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { withDeadline } from '../../src/platform/deadline.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Json } from '../support/gateway.ts';
import { isOfGrant } from '../support/grant-events.ts';
import { rotating, seedOf } from '../support/size.ts';

const both = ['WebSocket', 'event stream'] as const;
export type Transport = (typeof both)[number];

/** The transports that a run tries: on an ordinary day one of them in turn. TRANSPORT_SEED=0 is WebSocket, 1 event stream. */
export const transports: readonly Transport[] = rotating(both, seedOf('TRANSPORT_SEED'));

export type Received = {
  readonly id: string;
  readonly type: string;
  readonly occurredAt: string;
  /** If it was selected. */
  readonly cursor: string | undefined;
  readonly grant: { readonly id: string; readonly state: string };
  /** When it arrived, on the clock of `Date`. */
  readonly at: number;
  /** How large the message was. */
  readonly bytes: number;
};

type End = {
  /** Of the errors received. */
  readonly codes: readonly string[];
  readonly messages: readonly string[];
  /** Whether the subscription was completed; otherwise its connection was lost. */
  readonly isCompleted: boolean;
  /** The close code of the WebSocket, if its close was the end. */
  readonly closeCode: number | null;
  readonly at: number;
};

export type Subscriber = {
  /** Every event of a grant that arrived, also after the end. */
  readonly received: readonly Received[];
  /**
   * Resolves when such an event was received; rejects if it does not arrive in time or the subscription ends before.
   */
  until(what: (event: Received) => boolean): Promise<void>;
  readonly end: Promise<End>;
  /** Resolves when the subscription has started. */
  readonly started: Promise<void>;
  /** Resolves when everything has arrived that the gateway has sent by now. */
  drained(): Promise<void>;
  /** Stops reading, so that the gateway has to wait once the buffers between them are full. */
  pause(): void;
  resume(): void;
  /** Bytes that the gateway has sent on this connection or has in its buffers for it. */
  bytesSent(): number;
};

/** Subscribes on a connection of its own. */
export async function subscribeOver(
  transport: Transport,
  wanted: { url: string; token: string; query: string },
): Promise<Subscriber> {
  const { ours, theirs } = await openConnection(Number(new URL(wanted.url).port));
  const notes = takeNotes();
  const begin = transport === 'WebSocket' ? subscribeOverWebSocket : subscribeOverEventStream;
  const controls = await begin(ours, wanted, notes);
  return {
    received: notes.received,
    until: notes.until,
    end: notes.end,
    started: notes.started,
    ...controls,
    bytesSent: () => theirs.bytesWritten,
  };
}

/** Connects to a port of this process; returns both ends of the connection. */
async function openConnection(port: number): Promise<{ ours: Socket; theirs: Socket }> {
  const accepted = new EventEmitter<{ socket: [Socket] }>();
  const noteAccepted = (message: unknown) =>
    void accepted.emit('socket', (message as { socket: Socket }).socket);
  subscribe('net.server.socket', noteAccepted);
  try {
    const ours = connect(port, '127.0.0.1');
    onTestFinished(() => void ours.destroy());
    ours.on('error', () => undefined);
    const sockets: Socket[] = [];
    accepted.on('socket', (socket) => sockets.push(socket));
    await once(ours, 'connect');
    for (;;) {
      const theirs = sockets.find(({ remotePort }) => remotePort === ours.localPort);
      if (theirs !== undefined) return { ours, theirs };
      await once(accepted, 'socket');
    }
  } finally {
    unsubscribe('net.server.socket', noteAccepted);
  }
}

type Notes = ReturnType<typeof takeNotes>;

function takeNotes() {
  const received: Received[] = [];
  const errors: Json[] = [];
  const changes = new EventEmitter<{ change: [] }>();
  const over = Promise.withResolvers<End>();
  const started = Promise.withResolvers<void>();
  let end: End | undefined;
  return {
    received,
    end: over.promise,
    started: started.promise,
    next({ data, errors: those }: Json, bytes: number): void {
      errors.push(...(those ?? []));
      if (data != null) started.resolve();
      // Fields that only make the message large are not kept.
      const { id, type, occurredAt, cursor, grant } = data?.grantEvents ?? {};
      if (id !== undefined && isOfGrant({ type }))
        received.push({ id, type, occurredAt, cursor, grant, at: Date.now(), bytes });
      changes.emit('change');
    },
    error(those: Json[]): void {
      errors.push(...those);
    },
    /** The first end counts: a WebSocket may be closed later for another reason. */
    over(how: { isCompleted: boolean; closeCode: number | null }): void {
      end ??= {
        codes: errors.map(({ extensions }) => extensions.code),
        messages: errors.map(({ message }) => message),
        ...how,
        at: Date.now(),
      };
      over.resolve(end);
      changes.emit('change');
    },
    until(what: (event: Received) => boolean): Promise<void> {
      const coming = async () => {
        while (!received.some(what)) {
          if (end !== undefined) throw new Error(`The subscription ended: ${JSON.stringify(end)}`);
          await once(changes, 'change');
        }
      };
      const late = () =>
        new Error(
          `The event was not received; ${received.length} others were, the last ${JSON.stringify(received.at(-1))}`,
        );
      return withDeadline(coming(), generousMs, late);
    },
  };
}

type Wanted = Parameters<typeof subscribeOver>[1];
type Controls = Pick<Subscriber, 'drained' | 'pause' | 'resume'>;

async function subscribeOverWebSocket(
  connection: Socket,
  { url, token, query }: Wanted,
  notes: Notes,
): Promise<Controls> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    createConnection: () => connection,
  });
  socket.on('error', () => undefined);
  socket.on('close', (closeCode) => notes.over({ isCompleted: false, closeCode }));
  const acknowledged = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    const text = String(data);
    const { type, payload }: Json = JSON.parse(text);
    if (type === 'connection_ack') acknowledged.resolve();
    if (type === 'next') notes.next(payload, text.length);
    if (type === 'error') notes.error(payload);
    if (type === 'error' || type === 'complete') notes.over({ isCompleted: true, closeCode: null });
  });
  await once(socket, 'open');
  const send = (message: object) => socket.send(JSON.stringify(message));
  send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await Promise.race([acknowledged.promise, notes.end]);
  send({ id: '1', type: 'subscribe', payload: { query } });
  return {
    async drained() {
      if (socket.readyState === socket.CLOSED) return;
      const gone = once(socket, 'close');
      if (socket.readyState === socket.OPEN) socket.ping();
      // The pong arrives after everything that the gateway has sent.
      await withDeadline(Promise.race([once(socket, 'pong'), gone]), generousMs, notDrained);
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}

async function subscribeOverEventStream(
  connection: Socket,
  { url, token, query }: Wanted,
  notes: Notes,
): Promise<Controls> {
  const asked = request(`${url}/graphql`, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
    },
    createConnection: () => connection,
  });
  asked.end(JSON.stringify({ query }));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const gone = Promise.withResolvers<void>();
  response.on('error', () => undefined);
  response.on('close', () => {
    notes.over({ isCompleted: false, closeCode: null });
    gone.resolve();
  });
  let buffered = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const blocks = (buffered + chunk).split('\n\n');
    buffered = blocks.pop() ?? '';
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1] ?? '';
      if (name === 'next') notes.next(JSON.parse(data), data.length);
      if (name === 'complete') notes.over({ isCompleted: true, closeCode: null });
    }
  });
  return {
    // The end of the response arrives after everything that was sent.
    drained: () => withDeadline(gone.promise, generousMs, notDrained),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
  };
}

const notDrained = () => new Error('The connection was neither drained nor closed.');
