/** Somebody who listens through the client of this repository, and keeps what came, as it came. */
import { once } from 'node:events';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import type pg from 'pg';
import { expect } from 'vitest';
import type { GatewayClient } from '../../src/client/client.ts';
import type { EventAudience } from '../../src/events/envelope.ts';

export type ToldEvent = {
  id: string;
  cursor: string;
  type: string;
  occurredAt: string;
  grant: { id: string; version: number; state: string; justification: string | null };
};

const document: TypedDocumentNode<{ grantEvents: ToldEvent }, { after?: string | null }> = parse(`
  subscription Told($after: String) {
    grantEvents(after: $after, withCurrentState: true) {
      id cursor type occurredAt grant { id version state justification }
    }
  }`);

export type Subscriber = {
  readonly name: string;
  /** Whether an event with this audience is one for them. */
  readonly hears: (audience: EventAudience) => boolean;
  /** What the application was given since it began, in order, with the moment on `performance`'s clock. */
  readonly heard: readonly { event: ToldEvent; at: number }[];
  /** How often anything arrived, repetitions included. */
  readonly deliveries: number;
  /** Ids that were delivered again with another content than before: there must be none. */
  readonly contradictions: readonly string[];
  /** Why connections were lost. */
  readonly losses: readonly string[];
  /** The cursors from which it went on. */
  readonly resumptions: readonly (string | null)[];
  /** Resolves when all of these have come. This and the next two reject at their deadline, and when it ends. */
  hasHeard(ids: Iterable<string>, deadlineMs: number): Promise<void>;
  /** Resolves when so many more have come. */
  hasHeardMore(count: number, deadlineMs: number): Promise<void>;
  /** Resolves when it has gone on after a loss. */
  hasResumed(deadlineMs: number): Promise<void>;
};

export type Listener = Pick<Subscriber, 'name' | 'hears'> & {
  /** Milliseconds of silence after which the connection is doubted. */
  silenceMs?: number;
};

/** Subscribes; resolves when the current state has come, after which nothing may be missed. */
export async function openSubscriber(
  client: GatewayClient,
  { name, hears, silenceMs = 10_000 }: Listener,
): Promise<Subscriber> {
  const heard: { event: ToldEvent; at: number }[] = [];
  const known = new Set<string>();
  const contents = new Map<string, string>();
  const contradictions: string[] = [];
  const losses: string[] = [];
  const resumptions: (string | null)[] = [];
  const begun = Promise.withResolvers<void>();
  let deliveries = 0;
  let change = Promise.withResolvers<void>();

  function tell(): void {
    change.resolve();
    change = Promise.withResolvers();
  }

  /** Every delivery comes by here, also those that the client drops because it knows their id. */
  function note({ cursor: _cursor, ...event }: ToldEvent): void {
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
      tell();
    },
  });

  async function listen(): Promise<void> {
    for await (const event of subscription) {
      if (event.type === 'CURRENT') {
        begun.resolve();
        continue;
      }
      heard.push({ event, at: performance.now() });
      known.add(event.id);
      tell();
    }
  }
  const listening = listen();
  const ended = listening.then(() => {
    throw new Error(`The subscription of ${name} ended`);
  });
  ended.catch(() => undefined);
  await Promise.race([begun.promise, ended]);

  async function until(isSo: () => boolean, told: () => string, deadlineMs: number): Promise<void> {
    const late = AbortSignal.timeout(deadlineMs);
    const tooLate = once(late, 'abort').then(() => {
      const lost = losses.length === 0 ? 'no connection was lost' : `last lost: ${losses.at(-1)}`;
      throw new Error(`After ${deadlineMs} ms ${name} ${told()}; ${lost}`);
    });
    while (!isSo()) await Promise.race([change.promise, ended, tooLate]);
    tooLate.catch(() => undefined);
  }

  return {
    name,
    hears,
    heard,
    get deliveries() {
      return deliveries;
    },
    contradictions,
    losses,
    resumptions,
    hasHeard(ids, deadlineMs) {
      const awaited = new Set(ids);
      return until(
        () => {
          for (const id of awaited) if (known.has(id)) awaited.delete(id);
          return awaited.size === 0;
        },
        () => `has not heard ${awaited.size} events, ${[...awaited].slice(0, 5).join(', ')} …`,
        deadlineMs,
      );
    },
    hasHeardMore(count, deadlineMs) {
      const enough = heard.length + count;
      return until(
        () => heard.length >= enough,
        () => `has not heard ${enough - heard.length} more events`,
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

/** Every event of a grant that the database holds, apart from those known before. */
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
 * The delivery contract, kept to this subscriber: each committed event that concerns it came to the application
 * once, nothing else did, the versions of each grant grew, and what was delivered again was the same.
 * @param told what to say when it was not kept
 */
export async function expectContractKept(
  subscriber: Subscriber,
  committed: readonly CommittedEvent[],
  { told, deadlineMs }: { told: string; deadlineMs: number },
): Promise<void> {
  const { name, hears, heard, contradictions } = subscriber;
  const due = new Set(committed.filter(({ audience }) => hears(audience)).map(({ id }) => id));
  expect(due.size, `${told}: nothing was written for ${name}`).toBeGreaterThan(0);
  // What is missing at the end is told below, with everything else that is wrong.
  const lateness = await subscriber.hasHeard(due, deadlineMs).catch((error: Error) => error.message);

  const times = new Map<string, number>();
  const versions = new Map<string, number>();
  const outOfOrder: string[] = [];
  for (const { event } of heard) {
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
    `${told}: what went wrong for ${name}`,
  ).toEqual({ lateness: undefined, lost: [], notDue: [], twice: [], outOfOrder: [], contradictions: [] });
}
