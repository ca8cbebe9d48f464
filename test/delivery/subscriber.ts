/** A subscriber that uses the client of this repository and keeps what it received, in order. */
import { once } from 'node:events';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import type pg from 'pg';
import { expect } from 'vitest';
import type { GatewayClient } from '../../client/src/index.ts';
import type { EventAudience } from '../../src/events/kinds/grant.ts';

export type ReceivedEvent = {
  id: string;
  cursor: string;
  type: string;
  occurredAt: string;
  grant: { id: string; version: number; state: string; justification: string | null };
};

/** `grant` is null when the subscription has started, and when its current state is complete. */
type AnyEvent = Omit<ReceivedEvent, 'grant'> & { grant: ReceivedEvent['grant'] | null };

const document: TypedDocumentNode<{ grantEvents: AnyEvent }, { after?: string | null }> = parse(`
  subscription Subscriber($after: String) {
    grantEvents(after: $after, withCurrentState: true) {
      id cursor type occurredAt grant { id version state justification }
    }
  }`);

export type Subscriber = {
  readonly name: string;
  /** Whether it may receive an event with this audience. */
  readonly mayReceive: (audience: EventAudience) => boolean;
  /** The events that the application has received, in order, with their times on `performance`'s clock. */
  readonly received: readonly { event: ReceivedEvent; at: number }[];
  /** How many events arrived, repetitions included. */
  readonly deliveries: number;
  /** Events that were delivered again with another content than before: there must be none. */
  readonly contradictions: readonly string[];
  /** Why connections were lost. */
  readonly losses: readonly string[];
  /** The cursors from which it resumed. */
  readonly resumptions: readonly string[];
  /** Resolves when it has received all of these. This and the next two reject at their deadline, and when it ends. */
  hasReceived(ids: Iterable<string>, deadlineMs: number): Promise<void>;
  /** Resolves when it has received this many more. */
  hasReceivedMore(count: number, deadlineMs: number): Promise<void>;
  /** Resolves when it has resumed after a loss. */
  hasResumed(deadlineMs: number): Promise<void>;
};

export type Listener = Pick<Subscriber, 'name' | 'mayReceive'> & {
  /** Milliseconds of silence after which the client checks the connection. */
  silenceMs?: number;
};

/** Subscribes; resolves when the current state has arrived, after which nothing may be missed. */
export async function openSubscriber(
  client: GatewayClient,
  { name, mayReceive, silenceMs = 10_000 }: Listener,
): Promise<Subscriber> {
  const received: { event: ReceivedEvent; at: number }[] = [];
  const known = new Set<string>();
  const contents = new Map<string, string>();
  const contradictions: string[] = [];
  const losses: string[] = [];
  const resumptions: string[] = [];
  const begun = Promise.withResolvers<void>();
  let deliveries = 0;
  let change = Promise.withResolvers<void>();

  function notify(): void {
    change.resolve();
    change = Promise.withResolvers();
  }

  /** Sees every delivery, also those that the client drops because it knows their id. */
  function note({ cursor: _cursor, ...event }: AnyEvent): void {
    deliveries += 1;
    const content = JSON.stringify(event);
    const before = contents.get(event.id);
    if (before === undefined) contents.set(event.id, content);
    else if (before !== content) contradictions.push(`${before} came again as ${content}`);
  }

  const subscription = client.subscribeWithResume({
    document,
    eventOf: ({ grantEvents }) => {
      note(grantEvents);
      return grantEvents;
    },
    silenceMs,
    onReconnecting: ({ reason }) => losses.push(reason),
    onReconnected: ({ after }) => {
      resumptions.push(after);
      notify();
    },
  });

  async function listen(): Promise<void> {
    for await (const { grant, ...event } of subscription) {
      if (event.type === 'CURRENT_COMPLETE') begun.resolve();
      if (grant === null || event.type === 'CURRENT') continue;
      received.push({ event: { ...event, grant }, at: performance.now() });
      known.add(event.id);
      notify();
    }
  }
  const listening = listen();
  const ended = listening.then(() => {
    throw new Error(`The subscription of ${name} ended`);
  });
  ended.catch(() => undefined);
  await Promise.race([begun.promise, ended]);

  async function until(isDone: () => boolean, missing: () => string, deadlineMs: number): Promise<void> {
    const late = AbortSignal.timeout(deadlineMs);
    const tooLate = once(late, 'abort').then(() => {
      const lost = losses.length === 0 ? 'no connection was lost' : `last lost: ${losses.at(-1)}`;
      throw new Error(`After ${deadlineMs} ms ${name} ${missing()}; ${lost}`);
    });
    while (!isDone()) await Promise.race([change.promise, ended, tooLate]);
    tooLate.catch(() => undefined);
  }

  return {
    name,
    mayReceive,
    received,
    get deliveries() {
      return deliveries;
    },
    contradictions,
    losses,
    resumptions,
    hasReceived(ids, deadlineMs) {
      const awaited = new Set(ids);
      return until(
        () => {
          for (const id of awaited) if (known.has(id)) awaited.delete(id);
          return awaited.size === 0;
        },
        () => `has not received ${awaited.size} events, ${[...awaited].slice(0, 5).join(', ')} …`,
        deadlineMs,
      );
    },
    hasReceivedMore(count, deadlineMs) {
      const enough = received.length + count;
      return until(
        () => received.length >= enough,
        () => `has not received ${enough - received.length} more events`,
        deadlineMs,
      );
    },
    hasResumed: (deadlineMs) =>
      until(
        () => resumptions.length > 0,
        () => 'has not resumed',
        deadlineMs,
      ),
  };
}

export type CommittedEvent = { id: string; audience: EventAudience };

/** Every event of a grant in the database, except those known before. */
export async function committedEvents(
  sql: pg.Pool,
  before: ReadonlySet<string> = new Set(),
): Promise<CommittedEvent[]> {
  const { rows } = await sql.query<CommittedEvent>(
    `SELECT id, payload->'audience' AS audience FROM events WHERE payload->>'kind' = 'grant'`,
  );
  return rows.filter(({ id }) => !before.has(id));
}

/**
 * Asserts the delivery contract for this subscriber: its application received each committed event that it may
 * receive, once, and nothing else; the versions of each grant increased; repeated deliveries had the same content.
 * @param context the start of the message of a failure
 */
export async function expectContractKept(
  subscriber: Subscriber,
  committed: readonly CommittedEvent[],
  { context, deadlineMs }: { context: string; deadlineMs: number },
): Promise<void> {
  const { name, mayReceive, received, contradictions } = subscriber;
  const due = new Set(committed.filter(({ audience }) => mayReceive(audience)).map(({ id }) => id));
  expect(due.size, `${context}: nothing was written for ${name}`).toBeGreaterThan(0);
  // The last assertion reports missing events together with every other problem.
  const lateness = await subscriber.hasReceived(due, deadlineMs).catch((error: Error) => error.message);

  const times = new Map<string, number>();
  const versions = new Map<string, number>();
  const outOfOrder: string[] = [];
  for (const { event } of received) {
    times.set(event.id, (times.get(event.id) ?? 0) + 1);
    const { id, version } = event.grant;
    const before = versions.get(id) ?? 0;
    if (version <= before) outOfOrder.push(`${event.id}: ${version} of ${id} came after ${before}`);
    versions.set(id, version);
  }
  expect(
    {
      lateness,
      lost: [...due].filter((id) => !times.has(id)),
      notDue: [...times.keys()].filter((id) => !due.has(id)),
      twice: [...times].filter(([, count]) => count > 1),
      outOfOrder,
      contradictions,
    },
    `${context}: what went wrong for ${name}`,
  ).toEqual({ lateness: undefined, lost: [], notDue: [], twice: [], outOfOrder: [], contradictions: [] });
}
