/** Listening over either transport, on a connection that can be held up: what came, when, and how it ended. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { withDeadline } from '../../src/platform/deadline.ts';
import type { Json } from '../support/gateway.ts';

export const transports = ['WebSocket', 'event stream'] as const;
export type Transport = (typeof transports)[number];

export type Heard = {
  readonly id: string;
  readonly type: string;
  readonly occurredAt: string;
  readonly grant: { readonly id: string; readonly state: string };
  /** When it arrived, on the clock of `Date`. */
  readonly at: number;
  /** How large the message was. */
  readonly bytes: number;
};

type End = {
  /** Of the errors that came. */
  readonly codes: readonly string[];
  readonly messages: readonly string[];
  /** Whether the subscription was ended on its own; otherwise its connection went. */
  readonly isCompleted: boolean;
  /** With which the WebSocket was closed, if that was the end. */
  readonly closeCode: number | null;
  readonly at: number;
};

export type Listening = {
  /** Everything that came, also what should come no more. */
  readonly heard: readonly Heard[];
  /** Resolves when this was heard; rejects when it does not come in time, or the subscription ends before. */
  until(what: (event: Heard) => boolean): Promise<void>;
  readonly end: Promise<End>;
  /** Resolves when all has arrived that the gateway had sent by now. */
  drained(): Promise<void>;
  /** Reads no more, and so holds back the gateway once the buffers between them are full. */
  pause(): void;
  resume(): void;
  /** How many bytes the gateway has sent or has in its buffers for this connection. */
  bytesSent(): number;
};

/** Milliseconds until what does not come is given up. */
const patience = 15_000;

/** Subscribes on a connection of its own. */
export async function listen(
  transport: Transport,
  wanted: { url: string; token: string; query: string },
): Promise<Listening> {
  const { ours, theirs } = await openConnection(Number(new URL(wanted.url).port));
  const notes = takeNotes();
  const begin = transport === 'WebSocket' ? listenOverWebSocket : listenOverEventStream;
  const controls = await begin(ours, wanted, notes);
  return {
    heard: notes.heard,
    until: notes.until,
    end: notes.end,
    ...controls,
    bytesSent: () => theirs.bytesWritten,
  };
}

/** Our side of a connection to this port of our own process, and the side of whoever listens there. */
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
  const heard: Heard[] = [];
  const errors: Json[] = [];
  const changes = new EventEmitter<{ change: [] }>();
  const over = Promise.withResolvers<End>();
  let end: End | undefined;
  return {
    heard,
    end: over.promise,
    next({ data, errors: those }: Json, bytes: number): void {
      errors.push(...(those ?? []));
      // What the message was made large with is not kept.
      const { id, type, occurredAt, grant } = data?.grantEvents ?? {};
      if (id !== undefined) heard.push({ id, type, occurredAt, grant, at: Date.now(), bytes });
      changes.emit('change');
    },
    error(those: Json[]): void {
      errors.push(...those);
    },
    /** The first end counts: a WebSocket may be closed later, for reasons of its own. */
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
    until(what: (event: Heard) => boolean): Promise<void> {
      const coming = async () => {
        while (!heard.some(what)) {
          if (end !== undefined) throw new Error(`The subscription ended: ${JSON.stringify(end)}`);
          await once(changes, 'change');
        }
      };
      const late = () =>
        new Error(`It was not heard; ${heard.length} events were, the last ${JSON.stringify(heard.at(-1))}`);
      return withDeadline(coming(), patience, late);
    },
  };
}

type Wanted = Parameters<typeof listen>[1];
type Controls = Pick<Listening, 'drained' | 'pause' | 'resume'>;

async function listenOverWebSocket(
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
  const say = (message: object) => socket.send(JSON.stringify(message));
  say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await Promise.race([acknowledged.promise, notes.end]);
  say({ id: '1', type: 'subscribe', payload: { query } });
  return {
    async drained() {
      if (socket.readyState === socket.CLOSED) return;
      const gone = once(socket, 'close');
      if (socket.readyState === socket.OPEN) socket.ping();
      // The gateway answers behind all that it has sent.
      await withDeadline(Promise.race([once(socket, 'pong'), gone]), patience, notDrained);
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}

async function listenOverEventStream(
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
    // A stream that is over is closed, which comes behind all that was sent.
    drained: () => withDeadline(gone.promise, patience, notDrained),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
  };
}

const notDrained = () => new Error('The connection was neither drained nor closed.');
