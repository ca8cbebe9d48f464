/** The testbed of one measurement: a measured server, with the processes of its writer and its subscribers. */
import { newSeries } from './event-ids.ts';
import { type Addressed, subscription } from './events.ts';
import type { Infrastructure } from './infrastructure.ts';
import type { Person } from './people.ts';
import { type Process, startProcess } from './processes.ts';
import type { ServerHandlers, Setting, Started } from './servers/server.ts';
import { deliveringServer, type ServerName } from './servers.ts';
import type { Account, SubscriberHandlers } from './subscribers.ts';
import type { WriterHandlers, Writing, Written } from './writing.ts';

export type Testbed = {
  readonly started: Started;
  readonly server: Process<ServerHandlers>;
  readonly writer: Process<WriterHandlers>;
  readonly subscribers: Process<SubscriberHandlers>;
  /** Returns the credentials of these people, in the same order. */
  credentialsOf(people: readonly Person[]): Promise<string[]>;
  /** Connects more subscribers. Resolves when each of them has received an event. */
  connect(people: readonly Person[], credentials?: readonly string[]): Promise<void>;
  /** Writes events and waits until all deliveries have arrived, or no more arrive. */
  deliver(wanted: Delivering): Promise<Delivered>;
} & AsyncDisposable;

export type Delivering = Omit<Writing, 'series' | 'mayBatch'> & { mayBatch?: boolean };
export type Delivered = {
  written: Written;
  account: Account;
  /** The number of expected deliveries. */
  due: number;
  /** Milliseconds of processor time used; NaN for a server that no longer responds. */
  cpu: { server: number; clients: number };
  /** What went wrong, in words. */
  faults: string[];
};

const connectDeadline = 120_000;
const settleDeadline = 30_000;
/** The time without any delivery, in milliseconds, after which no more are expected. */
const patience = 3_000;
/** The maximum share of that time for which a server may be busy and still counts as idle. */
const idleShare = 0.1;
const unreachedPatience = 2_000;
const maxProbes = 20;
/** The number of engineers that one event is sent to while the testbed finds out who is subscribed. */
const engineersPerProbe = 100;

export type TestbedOptions = {
  /** Prepares the database before the server starts on it. */
  prepare?(databaseUrl: string): Promise<void>;
  /** Whether the events of all servers are committed before they are published, or only Latchkey's. */
  mustCommit?: boolean;
  /** Which process writes the events: one of its own, as another gateway does, or the server's. */
  writtenBy?: 'WRITER' | 'SERVER';
};

export async function startTestbed(
  infrastructure: Infrastructure,
  server: ServerName,
  { prepare, mustCommit = false, writtenBy = 'WRITER' }: TestbedOptions = {},
): Promise<Testbed> {
  await using begun = new AsyncDisposableStack();
  const database =
    server === 'latchkey' || mustCommit ? begun.use(await infrastructure.createDatabase()) : undefined;
  const setting: Setting = { redisUrl: infrastructure.redisUrl, databaseUrl: database?.url ?? '' };
  if (database !== undefined) await prepare?.(database.url);
  const measured = begun.use(startProcess<ServerHandlers>(deliveringServer(server)));
  const writer = writtenBy === 'SERVER' ? measured : begun.use(startProcess<WriterHandlers>('./writer.ts'));
  const subscribers = begun.use(startProcess<SubscriberHandlers>('./subscribers.ts'));
  const started = await measured.ask('start', setting);
  await writer.ask('open', { ...setting, server, mustCommit });
  const connected: Person[] = [];

  async function credentialsOf(people: readonly Person[]): Promise<string[]> {
    if (server !== 'latchkey') return people.map(({ topic }) => topic);
    const url = new URL('/dev/token', started.url).href;
    return await subscribers.ask(
      'signIn',
      { url, emails: people.map(({ email }) => email) },
      connectDeadline,
    );
  }

  async function connect(people: readonly Person[], given?: readonly string[]): Promise<void> {
    const credentials = given ?? (await credentialsOf(people));
    const greetings = credentials.map((credential) => greetingOf(server, credential));
    const subscribe =
      server === 'bare'
        ? null
        : JSON.stringify({ id: '1', type: 'subscribe', payload: { query: subscription } });
    await subscribers.ask('connect', { ...started, greetings, subscribe }, connectDeadline);
    connected.push(...people);
    await waitUntilSubscribed(connected.length - people.length);
  }

  /** Sends events until each subscriber has received one: nothing else shows that a subscription has begun. */
  async function waitUntilSubscribed(from: number): Promise<void> {
    const series = newSeries();
    const expected = { series, events: maxProbes * connected.length, recipients: 'EACH' as const };
    await subscribers.ask('expect', { ...expected, subscribers: connected.length });
    let unreached = Array.from({ length: connected.length - from }, (_, at) => from + at);
    let number = 0;
    for (let probe = 0; probe < maxProbes && unreached.length > 0; probe += 1) {
      for (const to of probeRecipients(unreached.map((subscriber) => connected[subscriber]))) {
        await writer.ask('send', { series, number, to });
        number += 1;
      }
      unreached = await subscribers.ask('unreached', { from, patience: unreachedPatience });
      if (measured.cause !== undefined) throw new Error(measured.cause);
    }
    if (unreached.length === 0) return;
    const [instead] = await subscribers.ask('otherTexts', undefined);
    const why = [
      ...(await subscribers.ask('losses', undefined)),
      ...(instead === undefined ? [] : [`one was sent ${instead.text}`]),
    ];
    throw new Error(
      [`${unreached.length} of ${connected.length} subscribers receive nothing`, ...why].join('; '),
    );
  }

  /**
   * Returns the account when everything has arrived, or when an idle server sends nothing more. A server that sends
   * nothing for a while because it is busy is slow: that does not count as lost events.
   */
  async function finalAccount(): Promise<Account> {
    const ask = () => subscribers.ask('account', patience, patience + 2 * settleDeadline);
    const deadline = performance.now() + 2 * settleDeadline;
    let account = await ask();
    while (account.missing > 0 && performance.now() < deadline) {
      const before = await measured.ask('cpu', undefined).catch(() => Number.NaN);
      account = await ask();
      const used = (await measured.ask('cpu', undefined).catch(() => Number.NaN)) - before;
      if (!(used > idleShare * patience)) break;
    }
    return account;
  }

  async function deliver({ mayBatch = false, ...writing }: Delivering): Promise<Delivered> {
    const series = newSeries();
    const { events, to } = writing;
    const count = 'engineers' in to ? to.engineers.length : connected.length;
    const recipients = 'engineers' in to ? 'EACH' : 'ALL';
    await subscribers.ask('expect', { series, events, recipients, subscribers: count });
    const due = recipients === 'ALL' ? events * count : events;
    const before = {
      server: await measured.ask('cpu', undefined),
      clients: await subscribers.ask('cpu', undefined),
    };
    const duration = writing.rate === null ? 0 : (events / writing.rate) * 1_000;
    const written = await writer.ask('write', { ...writing, series, mayBatch }, duration + settleDeadline);
    const account = await finalAccount();
    const faults = faultsOf(account, due);
    // If the server has ended, the error says why.
    const server = await measured.ask('cpu', undefined).catch((error: Error) => {
      faults.push(error.message);
      return Number.NaN;
    });
    const clients = await subscribers.ask('cpu', undefined);
    const cpu = { server: server - before.server, clients: clients - before.clients };
    return { written, account, due, cpu, faults };
  }

  const running = begun.move();
  return {
    ...{ started, server: measured, writer, subscribers, credentialsOf, connect, deliver },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function greetingOf(server: ServerName, credential: string): string {
  if (server === 'bare') return credential;
  const payload = server === 'latchkey' ? { authorization: `Bearer ${credential}` } : { topic: credential };
  return JSON.stringify({ type: 'connection_init', payload });
}

/** Returns recipients that together reach all of these people: groups of engineers, and organizations. */
function probeRecipients(people: readonly (Person | undefined)[]): Addressed['to'][] {
  const engineers: string[] = [];
  const organizations = new Set<string>();
  for (const person of people) {
    if (person?.kind === 'ENGINEER') engineers.push(person.topic);
    else if (person !== undefined) organizations.add(person.topic);
  }
  const groups: Addressed['to'][] = [...organizations].map((organization) => ({ organization }));
  for (let at = 0; at < engineers.length; at += engineersPerProbe)
    groups.push({ engineers: engineers.slice(at, at + engineersPerProbe) });
  return groups;
}

/** Describes the faults of the deliveries; empty if each delivery arrived exactly once. */
function faultsOf({ missing, repeated, misdelivered, lost }: Account, due: number): string[] {
  const percent = ((100 * missing) / due).toFixed(missing < due / 100 ? 2 : 0);
  return [
    ...(missing === 0 ? [] : [`lost ${missing} of ${due} deliveries (${percent} %)`]),
    ...(repeated === 0 ? [] : [`repeated ${repeated} deliveries`]),
    ...(misdelivered === 0 ? [] : [`delivered ${misdelivered} to the wrong subscriber`]),
    ...lost.map((reason) => `connections were lost: ${reason}`),
  ];
}
