/**
 * A subscriber with its own few lines of client. It knows the protocol, the schema and what docs/events.md promises: it
 * resumes from the last cursor that it has received, and drops an event whose id it has seen.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Json } from '../support/gateway.ts';
import { openRaw, type RawConnection, type RawTransport } from './raw-connections.ts';
import { createReception, type Subscriber } from './reception.ts';
import type { Stream } from './streams.ts';

export type RawSubscriber = Subscriber & {
  readonly transport: RawTransport;
  /** Codes of the errors with which subscriptions ended. */
  readonly errors: ReadonlySet<string>;
  close(): void;
};

const queryOf = ({ name, nestedSelection }: Stream): string => `
  subscription Raw($after: String) {
    ${name}(after: $after) {
      id cursor type occurredAt ${nestedSelection}
    }
  }`;

/** Milliseconds from the loss of a connection until the next attempt. */
const reconnectMs = 50;

export type RawOptions = {
  transport: RawTransport;
  url: string;
  /** For the next connection. */
  token(): Promise<string>;
  name: string;
  stream: Stream;
  mayReceive: Subscriber['mayReceive'];
  silenceMs: number;
  /** Called when the first subscription has started. */
  onStarted?(): void;
};

/** Subscribes; resolves when the subscription has started, after which nothing may be missed. */
export async function openRawSubscriber(options: RawOptions): Promise<RawSubscriber> {
  const { transport, name, stream, mayReceive } = options;
  const started = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<never>();
  const reception = createReception({ name, stream, mayReceive, ended: closed.promise });
  const known = new Set<string>();
  const errors = new Set<string>();
  let cursor: string | null = null;
  let isClosed = false;
  /** Of the present subscription: whether anything has arrived, and whether it has ended with an error. */
  let state: 'NEW' | 'STARTED' | 'ENDED' = 'NEW';
  let connection: RawConnection | undefined;
  /** Longer after each connection on which nothing has arrived: a slow machine may need longer to answer. */
  let silenceMs = options.silenceMs;

  function onResult(result: Json, id: string | null): void {
    const event = result.data?.[stream.name];
    if (event == null || result.errors !== undefined || state === 'ENDED') {
      reception.contradict(`While ${state}: ${JSON.stringify(result)}`);
      return;
    }
    if ((event.type === 'STARTED') !== (state === 'NEW'))
      reception.contradict(`${event.type} while ${state}`);
    if (id !== null && id !== event.cursor) reception.contradict(`The id ${id} of cursor ${event.cursor}`);
    state = 'STARTED';
    if (cursor === null) options.onStarted?.();
    cursor = event.cursor;
    started.resolve();
    const subject = stream.subjectOf(event);
    if (subject === null) return;
    reception.note(event);
    if (known.has(event.id)) return;
    known.add(event.id);
    reception.receive({ ...event, subject });
  }

  async function run(): Promise<void> {
    while (!isClosed) {
      state = 'NEW';
      const token = await options.token();
      connection = openRaw[transport]({
        ...{ url: options.url, token, query: queryOf(stream), silenceMs },
        cursor: () => cursor,
        onSubscribe() {
          state = 'NEW';
          if (cursor !== null) reception.resumed(cursor);
        },
        onResult,
        onErrors(those) {
          state = 'ENDED';
          for (const { message, extensions } of those) errors.add(extensions?.code ?? message);
        },
      });
      reception.lost(await connection.lost);
      silenceMs = state === 'NEW' ? Math.min(silenceMs * 1.5, 60_000) : options.silenceMs;
      await wait(reconnectMs);
    }
    throw new Error(`${name} was closed`);
  }

  run().catch(closed.reject);
  await Promise.race([started.promise, closed.promise]);
  return Object.assign(reception.subscriber, {
    transport,
    errors,
    close() {
      isClosed = true;
      connection?.close();
    },
  });
}
