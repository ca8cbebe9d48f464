/** A subscriber that uses the client of this repository and keeps what it received, in order. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import type pg from 'pg';
import { expect } from 'vitest';
import type { GatewayClient } from '../../client/src/index.ts';
import type { EventAudience } from '../../src/events/audience.ts';
import { createReception, type ReceivedEvent, type Subscriber } from './reception.ts';
import { grantStream, type Stream } from './streams.ts';

type AnyEvent = Omit<ReceivedEvent, 'subject'>;

const documentOf = ({
  name,
  selection,
}: Stream): TypedDocumentNode<{ events: AnyEvent }, { after?: string | null }> =>
  parse(`
    subscription Subscriber($after: String) {
      events: ${name}(after: $after, withCurrentState: true) { id cursor type occurredAt ${selection} }
    }`);

/** Whether something happened, in contrast to the current state. */
const hasHappened = ({ type }: { type: string }) =>
  !['STARTED', 'CURRENT', 'CURRENT_COMPLETE'].includes(type);

export type Listener = Pick<Subscriber, 'name' | 'mayReceive'> & {
  /** Default: the events of grants. */
  stream?: Stream;
  /** Milliseconds of silence after which the client checks the connection. */
  silenceMs?: number;
};

/** Subscribes; resolves when the current state has arrived, after which nothing may be missed. */
export async function openSubscriber(
  client: GatewayClient,
  { name, mayReceive, stream = grantStream, silenceMs = 10_000 }: Listener,
): Promise<Subscriber> {
  const begun = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<never>();
  const reception = createReception({ name, stream, mayReceive, ended: listening.promise });

  const subscription = client.subscribeWithResume({
    document: documentOf(stream),
    // Also called for deliveries that the client drops because it knows their id.
    eventOf: ({ events: event }) => {
      if (hasHappened(event)) reception.note(event);
      return event;
    },
    silenceMs,
    onReconnecting: ({ reason }) => reception.lost(reason),
    onReconnected: ({ after }) => reception.resumed(after),
  });

  async function listen(): Promise<void> {
    for await (const event of subscription) {
      if (event.type === 'CURRENT_COMPLETE') begun.resolve();
      const subject = stream.subjectOf(event);
      if (subject !== null && hasHappened(event)) reception.receive({ ...event, subject });
    }
    throw new Error(`The subscription of ${name} ended`);
  }
  listen().catch(listening.reject);
  await Promise.race([begun.promise, listening.promise]);
  return reception.subscriber;
}

export type CommittedEvent = { id: string; kind: Stream['kind']; audience: EventAudience };

/** Every event of these kinds in the database, except those known before. */
export async function committedEvents(
  sql: pg.Pool,
  before: ReadonlySet<string> = new Set(),
  kinds: readonly Stream['kind'][] = [grantStream.kind],
): Promise<CommittedEvent[]> {
  const { rows } = await sql.query<CommittedEvent>(
    `SELECT id, payload->>'kind' AS kind, payload->'audience' AS audience
       FROM events WHERE payload->>'kind' = ANY($1)`,
    [kinds],
  );
  return rows.filter(({ id }) => !before.has(id));
}

/**
 * Asserts the delivery contract for this subscriber: its application received each committed event that it may
 * receive, once, and nothing else; the versions of each subject increased; repeated deliveries had the same content.
 * @param context the start of the message of a failure
 * @param mayMiss events that it need not receive, because it may have started after them
 */
export async function expectContractKept(
  subscriber: Subscriber,
  committed: readonly CommittedEvent[],
  {
    context,
    deadlineMs,
    mayMiss = new Set(),
  }: { context: string; deadlineMs: number; mayMiss?: ReadonlySet<string> },
): Promise<void> {
  const { name, stream, mayReceive, received, contradictions } = subscriber;
  const ofStream = committed.filter(({ kind }) => kind === stream.kind);
  const allowed = new Set(ofStream.filter(({ audience }) => mayReceive(audience)).map(({ id }) => id));
  expect(allowed.size, `${context}: no ${stream.name} were written for ${name}`).toBeGreaterThan(0);
  // Nothing is due to a subscriber that started after the last of its events.
  const due = new Set([...allowed].filter((id) => !mayMiss.has(id)));
  // The last assertion reports missing events together with every other problem.
  const lateness = await subscriber.hasReceived(due, deadlineMs).catch((error: Error) => error.message);

  const times = new Map<string, number>();
  const versions = new Map<string, number>();
  const outOfOrder: string[] = [];
  for (const { event } of received) {
    times.set(event.id, (times.get(event.id) ?? 0) + 1);
    const { id, version } = event.subject;
    const before = versions.get(id) ?? 0;
    if (version <= before) outOfOrder.push(`${event.id}: ${version} of ${id} came after ${before}`);
    versions.set(id, version);
  }
  expect(
    {
      lateness,
      lost: [...due].filter((id) => !times.has(id)),
      notDue: [...times.keys()].filter((id) => !allowed.has(id)),
      twice: [...times].filter(([, count]) => count > 1),
      outOfOrder,
      contradictions,
    },
    `${context}: what went wrong with the ${stream.name} of ${name}`,
  ).toEqual({ lateness: undefined, lost: [], notDue: [], twice: [], outOfOrder: [], contradictions: [] });
}
