/** A server that is measured, with the processes that load it: fresh for each measurement. */
import { newSeries } from './event-ids.ts';
import { type Addressed, subscription } from './events.ts';
import type { Machinery } from './machinery.ts';
import type { Person } from './people.ts';
import { type Process, startProcess } from './processes.ts';
import type { ServerHandlers, Setting, Started } from './servers/server.ts';
import type { ServerName } from './servers.ts';
import type { Account, SubscriberHandlers } from './subscribers.ts';
import type { WriterHandlers, Writing, Written } from './writer.ts';

export type Stage = {
  readonly started: Started;
  readonly server: Process<ServerHandlers>;
  readonly writer: Process<WriterHandlers>;
  readonly subscribers: Process<SubscriberHandlers>;
  /** What lets these people in, in their order. */
  credentialsOf(people: readonly Person[]): Promise<string[]>;
  /** Connects subscribers after those already connected. Resolves when each has heard an event. */
  connect(people: readonly Person[], credentials?: readonly string[]): Promise<void>;
  /** Writes events and waits until nothing more comes of them. */
  deliver(wanted: Delivering): Promise<Delivered>;
} & AsyncDisposable;

export type Delivering = Omit<Writing, 'series' | 'mayBatch'> & { mayBatch?: boolean };
export type Delivered = {
  written: Written;
  account: Account;
  /** How many deliveries there were to be. */
  due: number;
  /** Milliseconds of processor time that it took; NaN of a server that does not answer any more. */
  cpu: { server: number; clients: number };
  /** What was not as it should be, in words. */
  faults: string[];
};

const connectDeadline = 120_000;
const settleDeadline = 30_000;
/** Milliseconds without any delivery, after which nothing more is expected to come. */
const patience = 3_000;
/** The share of that time for which a server may be busy, and is still taken to have nothing left to send. */
const idleShare = 0.1;
const deafPatience = 2_000;
const mostTellings = 20;
/** Engineers told by one event, while it is found out who hears. */
const toldTogether = 100;

export type StageOptions = {
  /** Done to the database before the server starts on it. */
  prepare?(databaseUrl: string): Promise<void>;
  /** Whether every server's events are committed before they are published, and not only Latchkey's. */
  mustCommit?: boolean;
};

export async function openStage(
  machinery: Machinery,
  server: ServerName,
  { prepare, mustCommit = false }: StageOptions = {},
): Promise<Stage> {
  await using begun = new AsyncDisposableStack();
  const database =
    server === 'latchkey' || mustCommit ? begun.use(await machinery.createDatabase()) : undefined;
  const setting: Setting = { redisUrl: machinery.redisUrl, databaseUrl: database?.url ?? '' };
  if (database !== undefined) await prepare?.(database.url);
  const measured = begun.use(startProcess<ServerHandlers>(`./servers/${server}.ts`));
  const writer = begun.use(startProcess<WriterHandlers>('./writer.ts'));
  const subscribers = begun.use(startProcess<SubscriberHandlers>('./subscribers.ts'));
  const [started] = await Promise.all([
    measured.ask('start', setting),
    writer.ask('open', { ...setting, server, mustCommit }),
  ]);
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
    await tellAll(connected.length - people.length);
  }

  /** Nothing else tells that a subscription has begun: events come, again and again, until all have heard one. */
  async function tellAll(from: number): Promise<void> {
    const series = newSeries();
    const expected = { series, events: mostTellings * connected.length, recipients: 'EACH' as const };
    await subscribers.ask('expect', { ...expected, subscribers: connected.length });
    let deaf = Array.from({ length: connected.length - from }, (_, at) => from + at);
    let number = 0;
    for (let telling = 0; telling < mostTellings && deaf.length > 0; telling += 1) {
      for (const to of audiencesOf(deaf.map((subscriber) => connected[subscriber]))) {
        await writer.ask('tell', { series, number, to });
        number += 1;
      }
      deaf = await subscribers.ask('deaf', { from, patience: deafPatience });
      if (measured.cause !== undefined) throw new Error(measured.cause);
    }
    if (deaf.length === 0) return;
    const [instead] = await subscribers.ask('asides', undefined);
    const why = [
      ...(await subscribers.ask('losses', undefined)),
      ...(instead === undefined ? [] : [`one was sent ${instead.text}`]),
    ];
    throw new Error([`${deaf.length} of ${connected.length} subscribers hear nothing`, ...why].join('; '));
  }

  /**
   * The account once everything has come, or nothing more does from a server that has nothing to do. One that is
   * so busy that it sends nothing for a while is slow, and not said to lose anything.
   */
  async function settled(): Promise<Account> {
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
    const account = await settled();
    const faults = faultsOf(account, due);
    // A server that has ended says here why.
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

/** Whom to tell so that each of these people hears: engineers by the hundred, organizations by themselves. */
function audiencesOf(people: readonly (Person | undefined)[]): Addressed['to'][] {
  const engineers: string[] = [];
  const organizations = new Set<string>();
  for (const person of people) {
    if (person?.kind === 'ENGINEER') engineers.push(person.topic);
    else if (person !== undefined) organizations.add(person.topic);
  }
  const groups: Addressed['to'][] = [...organizations].map((organization) => ({ organization }));
  for (let at = 0; at < engineers.length; at += toldTogether)
    groups.push({ engineers: engineers.slice(at, at + toldTogether) });
  return groups;
}

/** What went wrong with deliveries, in words; nothing when each came exactly once. */
function faultsOf({ missing, repeated, stray, lost }: Account, due: number): string[] {
  const percent = ((100 * missing) / due).toFixed(missing < due / 100 ? 2 : 0);
  return [
    ...(missing === 0 ? [] : [`lost ${missing} of ${due} deliveries (${percent} %)`]),
    ...(repeated === 0 ? [] : [`repeated ${repeated} deliveries`]),
    ...(stray === 0 ? [] : [`delivered ${stray} to somebody else`]),
    ...lost.map((reason) => `connections were lost: ${reason}`),
  ];
}
