/** Many clients of one gateway that receive the same events, with the number and the latency of their deliveries. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { withDeadline } from '../../src/platform/deadline.ts';
import { generousMs } from '../support/deadlines.ts';

export type Audience = {
  readonly size: number;
  /** Resolves when every client has received all of these events: with the latency of each delivery in milliseconds. */
  hasReceived(ids: readonly string[], writtenAt: number): Promise<number[]>;
  /** Events that a client received more than once: there must be none. */
  readonly repeated: readonly string[];
  /** The ends of sockets that no client closed: there must be none. */
  readonly ends: readonly string[];
  leave(): void;
};

/** The number of clients that subscribe at the same time. */
const atOnce = 10;

type Arrivals = {
  counts: Uint8Array;
  at: Float64Array;
  missing: number;
  everywhere: PromiseWithResolvers<void>;
};

/** Opens this many sockets, with these tokens in turn. When it resolves, every client is subscribed. */
export async function assemble(url: string, tokens: readonly string[], size: number): Promise<Audience> {
  const arrivals = new Map<string, Arrivals>();
  const repeated: string[] = [];
  const ends: string[] = [];
  const sockets: WebSocket[] = [];
  let isOver = false;

  function arrivalsOf(id: string): Arrivals {
    const known = arrivals.get(id);
    if (known !== undefined) return known;
    const fresh = {
      ...{ counts: new Uint8Array(size), at: new Float64Array(size), missing: size },
      everywhere: Promise.withResolvers<void>(),
    };
    arrivals.set(id, fresh);
    return fresh;
  }

  function note(client: number, id: string): void {
    const arrival = arrivalsOf(id);
    const count = (arrival.counts[client] ?? 0) + 1;
    arrival.counts[client] = count;
    if (count > 1) {
      repeated.push(id);
      return;
    }
    arrival.at[client] = performance.now();
    arrival.missing -= 1;
    if (arrival.missing === 0) arrival.everywhere.resolve();
  }

  async function join(client: number): Promise<void> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    sockets.push(socket);
    const begun = Promise.withResolvers<void>();
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data));
      if (type === 'connection_ack') {
        const query = 'subscription { grantEvents { id type } }';
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        return;
      }
      const event = payload?.data?.grantEvents;
      if (event === undefined) ends.push(JSON.stringify({ type, payload }));
      // Nothing may be missed from here on.
      else if (event.type === 'STARTED') begun.resolve();
      else note(client, event.id);
    });
    socket.on('close', (code, reason) => {
      if (!isOver) ends.push(`${code} ${reason}`);
    });
    await once(socket, 'open');
    const authorization = `Bearer ${tokens[client % tokens.length]}`;
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
    await withDeadline(begun.promise, generousMs, () => new Error(`A client could not subscribe: ${ends}`));
  }

  // A few at a time: another test covers many that start together.
  for (let joined = 0; joined < size; joined += atOnce) {
    const next = Array.from({ length: Math.min(atOnce, size - joined) }, (_, at) => join(joined + at));
    await Promise.all(next);
  }
  return {
    size,
    async hasReceived(ids, writtenAt) {
      const all = ids.map(arrivalsOf);
      await withDeadline(Promise.all(all.map(({ everywhere }) => everywhere.promise)), generousMs, () => {
        const missing = all.reduce((sum, arrival) => sum + arrival.missing, 0);
        return new Error(`${missing} of ${ids.length} × ${size} deliveries are missing. Ended: ${ends}`);
      });
      return all.flatMap(({ at }) => [...at].map((moment) => moment - writtenAt));
    },
    repeated,
    ends,
    leave() {
      isOver = true;
      for (const socket of sockets) socket.terminate();
    },
  };
}
