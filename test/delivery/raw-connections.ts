/**
 * Subscriptions as a client in any language makes them, from the protocols and the schema alone: graphql-transport-ws
 * on a bare WebSocket, or an event stream read with `fetch`.
 */
import { WebSocket } from 'ws';
import type { Json } from '../support/gateway.ts';

export type RawTransport = 'WebSocket' | 'event stream';

export type RawConnection = {
  /** Resolves with the reason when the connection was lost. */
  readonly lost: Promise<string>;
  close(): void;
};

export type RawOptions = {
  url: string;
  token: string;
  query: string;
  /** The cursor to resume from now; null before the first event. */
  cursor(): string | null;
  /** Milliseconds of silence after which the connection counts as lost. */
  silenceMs: number;
  /** Called when the gateway was asked for the events after the cursor. */
  onSubscribe(): void;
  /** Called with each result, and on an event stream also with its id. */
  onResult(result: Json, id: string | null): void;
  /** Called with the errors that have ended the subscription. It is resumed by itself. */
  onErrors(errors: Json[]): void;
};

/** Milliseconds from an error until the client tries again. */
const retryMs = 100;

/** Makes one connection. */
export const openRaw: Record<RawTransport, (options: RawOptions) => RawConnection> = {
  WebSocket: openWebSocket,
  'event stream': openEventStream,
};

/** An error ends the subscription, not the connection: the client subscribes again on it, under another id. */
function openWebSocket(options: RawOptions): RawConnection {
  const socket = new WebSocket(`${options.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const lost = Promise.withResolvers<string>();
  const send = (message: object) => socket.send(JSON.stringify(message));
  let subscriptions = 0;
  const silence = watchSilence(options.silenceMs, () => socket.terminate());

  function subscribe(): void {
    if (socket.readyState !== socket.OPEN) return;
    subscriptions += 1;
    const { query } = options;
    const payload = { query, variables: { after: options.cursor() } };
    send({ id: `${subscriptions}`, type: 'subscribe', payload });
    options.onSubscribe();
  }

  socket.on('open', () =>
    send({ type: 'connection_init', payload: { authorization: `Bearer ${options.token}` } }),
  );
  socket.on('message', (data) => {
    silence.over(() => send({ type: 'ping' }));
    const { type, id, payload }: Json = JSON.parse(String(data));
    if (type === 'connection_ack') subscribe();
    if (type === 'ping') send({ type: 'pong' });
    if (id !== `${subscriptions}`) return;
    if (type === 'next') options.onResult(payload, null);
    if (type === 'error') options.onErrors(payload);
    if (type === 'complete') options.onErrors([{ message: 'completed without an error' }]);
    if (type === 'error' || type === 'complete') setTimeout(subscribe, retryMs);
  });
  socket.on('error', ({ message }) => lost.resolve(message));
  socket.on('close', (code, reason) => {
    silence.end();
    lost.resolve(`closed with ${code} ${reason}`);
  });
  return { lost: lost.promise, close: () => socket.terminate() };
}

/** An event stream ends with its error. As a browser does, the client resumes from the id of the last event. */
function openEventStream(options: RawOptions): RawConnection {
  const aborted = new AbortController();
  const silence = watchSilence(options.silenceMs, () => aborted.abort(new Error('silence')));

  async function read(): Promise<string> {
    const cursor = options.cursor();
    const response = await fetch(`${options.url}/graphql`, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: `Bearer ${options.token}`,
        ...(cursor === null ? {} : { 'last-event-id': cursor }),
      },
      body: JSON.stringify({ query: options.query }),
      signal: aborted.signal,
    });
    if (!response.ok) return `status ${response.status}`;
    options.onSubscribe();
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      silence.over();
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) receive(block);
    }
    return 'the stream ended';
  }

  function receive(block: string): void {
    if (/^event: (.*)$/m.exec(block)?.[1] !== 'next') return;
    const result: Json = JSON.parse(/^data: ?(.*)$/m.exec(block)?.[1] ?? '');
    if (result.data == null && result.errors !== undefined) options.onErrors(result.errors);
    else options.onResult(result, /^id: (.*)$/m.exec(block)?.[1] ?? null);
  }

  const lost = read()
    .catch((error: Error) => error.message)
    .finally(() => silence.end());
  return { lost, close: () => aborted.abort() };
}

/** Calls `onSilence` when nothing has arrived for so many milliseconds. */
function watchSilence(ms: number, onSilence: () => void) {
  let probe: (() => void) | undefined;
  let probing = setTimeout(() => undefined, 0);
  let ending = setTimeout(onSilence, ms);
  return {
    /** Something arrived. `ask` makes the other side send something if it is silent for half the time. */
    over(ask?: () => void): void {
      probe = ask;
      clearTimeout(probing);
      clearTimeout(ending);
      probing = setTimeout(() => probe?.(), ms / 2);
      ending = setTimeout(onSilence, ms);
    },
    end(): void {
      clearTimeout(probing);
      clearTimeout(ending);
    },
  };
}
