/** The process of the clients: asks over many connections, as fast as answers come. */
import { type Connection, openConnection, postOf } from '../decisions/connection.ts';
import { answerRequests } from '../realtime/processes.ts';
import { quantile } from '../realtime/statistics.ts';

/** A request of one client. */
export type Request = { token: string; body: object };
/** Milliseconds that answers took, and how many there were in a second. */
export type Flood = { answers: number; aSecond: number; p50: number; p99: number };

let address = new URL('http://localhost');
let connectionCount = 0;
let single: Connection | undefined;

const handlers = {
  /** Which server is asked, and over how many connections it is flooded. */
  async open({ url, count }: { url: string; count: number }): Promise<void> {
    address = new URL(url);
    connectionCount = count;
    single?.close();
    single = await openConnection(address);
  },

  /** Sends one request and resolves to the text of its answer. */
  async ask({ token, body }: Request): Promise<string> {
    if (single === undefined) throw new Error('No connection is open');
    return await answerOf(single, postOf(address, token, body));
  },

  /** Every connection sends the next request as soon as it has its answer. */
  async flood({
    requests,
    milliseconds,
  }: {
    requests: readonly Request[];
    milliseconds: number;
  }): Promise<Flood> {
    const texts = requests.map(({ token, body }) => postOf(address, token, body));
    return await ask((sent, elapsedMs) =>
      elapsedMs < milliseconds ? texts[sent % texts.length] : undefined,
    );
  },

  /** Each request is sent once, over the first connection that is free. */
  async sendEach(requests: readonly Request[]): Promise<Flood> {
    const texts = requests.map(({ token, body }) => postOf(address, token, body));
    return await ask((sent) => texts[sent]);
  },
};

/** Asks over all connections until there is no next request. */
async function ask(nextOf: (sent: number, elapsedMs: number) => Buffer | undefined): Promise<Flood> {
  // Opened now: servers close connections over which no request comes.
  const connections = await Promise.all(
    Array.from({ length: connectionCount }, () => openConnection(address)),
  );
  const times: number[] = [];
  let sent = 0;
  const begun = performance.now();
  const next = () => nextOf(sent++, performance.now() - begun);
  const asking = Promise.all(
    connections.map(async (connection) => {
      for (let text = next(); text !== undefined; text = next()) {
        const asked = performance.now();
        await answerOf(connection, text);
        times.push(performance.now() - asked);
      }
    }),
  );
  await asking.finally(() => {
    for (const connection of connections) connection.close();
  });
  if (times.length === 0) throw new Error('There was nothing to ask');
  const aSecond = (times.length * 1_000) / (performance.now() - begun);
  return { answers: times.length, aSecond, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function answerOf(connection: Connection, request: Buffer): Promise<string> {
  const { status, body } = await connection.send(request);
  // A GraphQL server may answer with 200 what it could not do.
  if (status !== 200 || body.startsWith('{"errors"') || body.includes('"errors":['))
    throw new Error(`The answer is ${status} ${body.slice(0, 500)}`);
  return body;
}

answerRequests(handlers);
export type AskerHandlers = typeof handlers;
