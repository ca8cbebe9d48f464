/** The client process: connects subscribers, and counts and times what each receives. */
import { setTimeout as wait } from 'node:timers/promises';
import { now } from './clock.ts';
import { mapConcurrently } from './concurrency.ts';
import { eventNumber } from './event-ids.ts';
import { type LightSocket, openLightSocket } from './light-socket.ts';
import { answerRequests } from './processes.ts';

export type Expected = {
  /** The prefix of these events' ids. */
  series: string;
  events: number;
  /** `EACH`: event n goes to subscriber n modulo the number of subscribers. `ALL`: every event goes to all. */
  recipients: 'EACH' | 'ALL';
  /** How many subscribers, from the first on, expect these events. */
  subscribers: number;
};

export type Account = {
  /** Deliveries that did not arrive, arrived again, or arrived at the wrong subscriber. */
  missing: number;
  repeated: number;
  misdelivered: number;
  /** Why connections were lost: each reason once. */
  lost: string[];
  /** The average size of a delivery in bytes. */
  bytes: number;
  /** For each event, the time at which its first delivery arrived; NaN if none has. */
  arrivedAt: Float64Array;
  /** The time at which the last delivery arrived. */
  lastAt: number;
};

/** The type of Latchkey's first message to each subscriber, which is no event of a grant. */
const started = Buffer.from('"STARTED"');

/** A message that contains neither an expected event nor the start of a subscription. */
type OtherText = { subscriber: number; at: number; text: string };

const sockets: LightSocket[] = [];
const lost = new Set<string>();
let isLeaving = false;

let expected: Expected = { series: '-', events: 0, recipients: 'EACH', subscribers: 0 };
let series = Buffer.from('-');
let seen = new Uint8Array();
let received = new Uint32Array();
let arrivedAt = new Float64Array();
let lastAt = 0;
let due = 0;
let deliveries = 0;
let repeated = 0;
let misdelivered = 0;
let bytes = 0;
let otherTexts: OtherText[] = [];

function receive(subscriber: number, buffer: Buffer, start: number, end: number): void {
  const number = eventNumber(series, buffer, start, end);
  if (number === -1) {
    const at = buffer.indexOf(started, start);
    if (at !== -1 && at < end) return;
    if (otherTexts.length < 10_000)
      otherTexts.push({ subscriber, at: now(), text: buffer.toString('utf8', start, end) });
    return;
  }
  const isAll = expected.recipients === 'ALL';
  received[subscriber] = (received[subscriber] ?? 0) + 1;
  if (number >= expected.events || (!isAll && number % expected.subscribers !== subscriber)) {
    misdelivered += 1;
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
  lastAt = now();
  if (Number.isNaN(arrivedAt[number])) arrivedAt[number] = lastAt;
}

type Connecting = {
  url: string;
  protocol: string;
  /** The first message of each subscriber, and the message that it sends when the first is acknowledged. */
  greetings: string[];
  subscribe: string | null;
};

/** The number of connections opened concurrently. */
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
  await mapConcurrently(width, greetings, (greeting, at) => connectOne(greeting, first + at));
}

async function signIn({ url, emails }: { url: string; emails: string[] }): Promise<string[]> {
  return await mapConcurrently(20, emails, async (email) => {
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
  /** Returns tokens of the gateway's development issuer, in the order of the emails. */
  signIn,
  connect: connectAll,

  /** Starts to count these events. */
  expect(wanted: Expected): void {
    expected = wanted;
    series = Buffer.from(wanted.series, 'latin1');
    due = wanted.recipients === 'ALL' ? wanted.events * wanted.subscribers : wanted.events;
    seen = new Uint8Array(due);
    received = new Uint32Array(sockets.length);
    arrivedAt = new Float64Array(wanted.events).fill(Number.NaN);
    lastAt = 0;
    deliveries = 0;
    repeated = 0;
    misdelivered = 0;
    bytes = 0;
    otherTexts = [];
  },

  /** Returns the subscribers from `from` on without an expected event: at once if none, else after `patience` ms. */
  async unreached({ from, patience }: { from: number; patience: number }): Promise<number[]> {
    const deadline = now() + patience;
    for (;;) {
      const found = [...received.keys()].filter(
        (subscriber) => subscriber >= from && received[subscriber] === 0,
      );
      if (found.length === 0 || now() > deadline) return found;
      await wait(10);
    }
  },

  /** Resolves when all expected deliveries have arrived, or when none has arrived for this many milliseconds. */
  async account(patience: number): Promise<Account> {
    let quietSince = now();
    for (let before = deliveries; deliveries < due && now() - quietSince < patience; await wait(10)) {
      if (deliveries !== before) quietSince = now();
      before = deliveries;
    }
    return {
      ...{ missing: due - deliveries, repeated, misdelivered, lost: [...lost], arrivedAt, lastAt },
      bytes: bytes / Math.max(1, deliveries),
    };
  },

  /** Returns why connections were lost. */
  losses: (): string[] => [...lost],

  /** Returns the messages since `expect` that contain no expected event. */
  otherTexts: (): OtherText[] => otherTexts,

  /** Returns the processor time used so far, in milliseconds. */
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

answerRequests(handlers);
