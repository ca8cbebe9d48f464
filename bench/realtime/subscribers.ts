/** The process of the clients: connects subscribers, and keeps account of what reaches whom and when. */
import { setTimeout as wait } from 'node:timers/promises';
import { eventNumber } from './event-ids.ts';
import { inLanes } from './lanes.ts';
import { type LightSocket, openLightSocket } from './light-socket.ts';
import { moment } from './moment.ts';
import { obey } from './processes.ts';

export type Expected = {
  /** The beginning of the ids of these events. */
  series: string;
  events: number;
  /** `EACH`: event n goes to subscriber n, counting round. `ALL`: every event to every subscriber. */
  recipients: 'EACH' | 'ALL';
  /** Only the first so many subscribers; the others expect none of these events. */
  subscribers: number;
};

export type Account = {
  /** Deliveries expected and never come; come more than once; come to somebody else. */
  missing: number;
  repeated: number;
  stray: number;
  /** Why connections were lost: each reason once. */
  lost: string[];
  /** Bytes of an average delivery. */
  bytes: number;
  /** By event, the moment of its first delivery; NaN while it has not come. */
  arrivedAt: Float64Array;
  /** The moment of the last delivery. */
  lastAt: number;
};

/** A text in which no expected event was found. */
type Aside = { subscriber: number; at: number; text: string };

const sockets: LightSocket[] = [];
const lost = new Set<string>();
let isLeaving = false;

let expected: Expected = { series: '-', events: 0, recipients: 'EACH', subscribers: 0 };
let series = Buffer.from('-');
let seen = new Uint8Array();
let heard = new Uint32Array();
let arrivedAt = new Float64Array();
let lastAt = 0;
let due = 0;
let deliveries = 0;
let repeated = 0;
let stray = 0;
let bytes = 0;
let asides: Aside[] = [];

function receive(subscriber: number, buffer: Buffer, start: number, end: number): void {
  const number = eventNumber(series, buffer, start, end);
  if (number === -1) {
    if (asides.length < 10_000)
      asides.push({ subscriber, at: moment(), text: buffer.toString('utf8', start, end) });
    return;
  }
  const isAll = expected.recipients === 'ALL';
  heard[subscriber] = (heard[subscriber] ?? 0) + 1;
  if (number >= expected.events || (!isAll && number % expected.subscribers !== subscriber)) {
    stray += 1;
    return;
  }
  const slot = isAll ? number * expected.subscribers + subscriber : number;
  if (seen[slot] === 1) {
    repeated += 1;
    return;
  }
  seen[slot] = 1;
  deliveries += 1;
  bytes += end - start;
  lastAt = moment();
  if (Number.isNaN(arrivedAt[number])) arrivedAt[number] = lastAt;
}

type Connecting = {
  url: string;
  protocol: string;
  /** What each subscriber says first, and what it says once that is acknowledged. */
  greetings: string[];
  subscribe: string | null;
};

/** Connections made at the same time. */
const width = 100;
const acknowledgement = Buffer.from('"connection_ack"');

async function connectAll({ url, protocol, greetings, subscribe }: Connecting): Promise<void> {
  const target = new URL(url);
  const first = sockets.length;
  const connectOne = async (greeting: string, subscriber: number): Promise<void> => {
    const acknowledged = Promise.withResolvers<void>();
    let isAcknowledged = false;
    const socket = openLightSocket({
      url: target,
      protocol,
      onOpen: () => socket.send(greeting),
      onText(buffer, start, end) {
        if (isAcknowledged) return receive(subscriber, buffer, start, end);
        const at = buffer.indexOf(acknowledgement, start);
        if (at === -1 || at > end) return;
        isAcknowledged = true;
        if (subscribe !== null) socket.send(subscribe);
        acknowledged.resolve();
      },
      onClosed(reason) {
        if (!isLeaving) lost.add(reason);
        acknowledged.reject(new Error(`A subscriber could not connect: ${reason}`));
      },
    });
    acknowledged.promise.catch(() => undefined);
    sockets[subscriber] = socket;
    await acknowledged.promise;
  };
  await inLanes(width, greetings, (greeting, at) => connectOne(greeting, first + at));
}

async function signIn({ url, emails }: { url: string; emails: string[] }): Promise<string[]> {
  return await inLanes(20, emails, async (email) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email }),
    });
    if (!response.ok) throw new Error(`No token for ${email}: ${response.status}`);
    const { token } = (await response.json()) as { token: string };
    return token;
  });
}

const handlers = {
  /** Tokens of the gateway's own development issuer, in the order of the emails. */
  signIn,
  connect: connectAll,

  /** From now on these are the events to keep account of. */
  expect(wanted: Expected): void {
    expected = wanted;
    series = Buffer.from(wanted.series, 'latin1');
    due = wanted.recipients === 'ALL' ? wanted.events * wanted.subscribers : wanted.events;
    seen = new Uint8Array(due);
    heard = new Uint32Array(sockets.length);
    arrivedAt = new Float64Array(wanted.events).fill(Number.NaN);
    lastAt = 0;
    deliveries = 0;
    repeated = 0;
    stray = 0;
    bytes = 0;
    asides = [];
  },

  /** Who from this one on has heard none of the expected events, once all have or after so many milliseconds. */
  async deaf({ from, patience }: { from: number; patience: number }): Promise<number[]> {
    const deadline = moment() + patience;
    for (;;) {
      const found = [...heard.keys()].filter((subscriber) => subscriber >= from && heard[subscriber] === 0);
      if (found.length === 0 || moment() > deadline) return found;
      await wait(10);
    }
  },

  /** When everything expected has come, or nothing more has come for so many milliseconds. */
  async account(patience: number): Promise<Account> {
    let quietSince = moment();
    for (let before = deliveries; deliveries < due && moment() - quietSince < patience; await wait(10)) {
      if (deliveries !== before) quietSince = moment();
      before = deliveries;
    }
    return {
      ...{ missing: due - deliveries, repeated, stray, lost: [...lost], arrivedAt, lastAt },
      bytes: bytes / Math.max(1, deliveries),
    };
  },

  /** Why connections were lost. */
  losses: (): string[] => [...lost],

  /** What else has come since `expect`. */
  asides: (): Aside[] => asides,

  /** Milliseconds of processor time so far. */
  cpu(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },

  leave(): void {
    isLeaving = true;
    for (const socket of sockets) socket.destroy();
  },
};

export type SubscriberHandlers = typeof handlers;

obey(handlers);
