/** The process of the product's backend: asks over many connections, as fast as answers come or at a steady rate. */
import { answerRequests } from '../realtime/processes.ts';
import { quantile } from '../realtime/statistics.ts';
import { type Connection, openConnection, postOf } from './connection.ts';
import { questionAbout, type Work } from './work.ts';

export type Asking = {
  url: string;
  token: string;
  work: readonly Work[];
  connections: number;
  /** Questions in one request; 1: the request is the question. */
  batch: number;
};

/** The answers that were yes, and the milliseconds that they took. */
export type Asked = { decisions: number; milliseconds: number };

const differentRequests = 2_000;

let connections: Connection[] = [];
let requests: Buffer[] = [];
let batch = 1;
let sent = 0;

const handlers = {
  async open(asking: Asking): Promise<void> {
    for (const connection of connections) connection.close();
    const url = new URL(asking.url);
    batch = asking.batch;
    requests = Array.from({ length: differentRequests }, (_, at) => {
      const work = asking.work[at % asking.work.length] ?? { key: '', engineerEmail: '' };
      const own = Array.from({ length: batch }, (__, item) => questionAbout(work, at * batch + item));
      return postOf(url, asking.token, batch === 1 ? (own[0] ?? {}) : { evaluations: own });
    });
    connections = await Promise.all(Array.from({ length: asking.connections }, () => openConnection(url)));
  },

  /** Every connection asks again as soon as it has its answer. */
  async flood(milliseconds: number): Promise<Asked> {
    const begun = performance.now();
    const end = begun + milliseconds;
    let decisions = 0;
    const askOn = async (connection: Connection): Promise<void> => {
      while (performance.now() < end) {
        const yes = await ask(connection);
        decisions += yes;
      }
    };
    await Promise.all(connections.map(askOn));
    return { decisions, milliseconds: performance.now() - begun };
  },

  /**
   * Asks at a steady rate, on the first connection that is free. Each request is timed from when it was due, so that one
   * that had to wait for a connection counts as slow. Returns the quantiles in milliseconds.
   */
  async pace({
    rate,
    milliseconds,
  }: {
    rate: number;
    milliseconds: number;
  }): Promise<{ p50: number; p99: number }> {
    const begun = performance.now();
    const times: number[] = [];
    const total = Math.floor((rate * milliseconds) / 1_000);
    let next = 0;
    const askOn = async (connection: Connection): Promise<void> => {
      while (next < total) {
        const due = begun + (next * 1_000) / rate;
        next += 1;
        await until(due);
        await ask(connection);
        times.push(performance.now() - due);
      }
    };
    await Promise.all(connections.map(askOn));
    return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  },
};

async function ask(connection: Connection): Promise<number> {
  const request = requests[sent++ % requests.length];
  if (request === undefined) throw new Error('There is nothing to ask');
  const { status, body } = await connection.send(request);
  const yes = body.split('"decision":true').length - 1;
  if (status !== 200 || yes !== batch) throw new Error(`The answer is ${status} ${body.slice(0, 500)}`);
  return yes;
}

async function until(time: number): Promise<void> {
  const left = time - performance.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}

answerRequests(handlers);
export type AskerHandlers = typeof handlers;
