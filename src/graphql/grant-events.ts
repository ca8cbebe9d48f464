/**
 * The stream behind `grantEvents`: the current state first if asked for, then what happens, without a gap.
 *
 * The state is read after a position was taken, and the events continue from that position. What the state
 * already shows does not come again as an event: versions of grants tell.
 */
import { mayHear, topicsFor } from '../authorization/hearing.ts';
import { may } from '../authorization/operations.ts';
import { relationsToPlatform } from '../authorization/relations.ts';
import { visibleGrants } from '../authorization/visibility.ts';
import type { EventAudience, GrantEventEnvelope } from '../events/envelope.ts';
import { OtherFilterCursorError } from '../events/errors.ts';
import type { Delivery } from '../events/feed.ts';
import { currentPosition } from '../events/outbox.ts';
import type { Position } from '../events/position.ts';
import { asOf, inStates } from '../grants/as-of.ts';
import type { GrantRow } from '../grants/row.ts';
import { findViewerById, type Viewer } from '../identity/viewer.ts';
import { type Context, type Services, viewerOf } from './context.ts';
import type { Told } from './subscribe.ts';

export type GrantEventFacts = {
  id: string;
  type: GrantEventEnvelope['type'] | 'CURRENT';
  occurredAt: Date;
  /** As it was right after the event. */
  grant: GrantRow;
};

export type GrantEvent = Told<GrantEventFacts>;

export type GrantEventFilter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  types?: readonly GrantEventFacts['type'][] | null | undefined;
};

type Start = { after: string | null; withCurrentState: boolean };

/** Begins with this call, and ends at once when it is returned, even while an event is awaited. */
export function grantEvents(
  context: Context,
  filter: GrantEventFilter,
  start: Start,
): AsyncIterableIterator<GrantEvent> {
  const { services } = context;
  const viewer = viewerOf(context);
  const cursors = cursorsFor(services, viewer, filter);
  const resumed = start.after === null ? null : cursors.read(start.after);
  const state =
    resumed === 'CURRENT_STATE' || (resumed === null && start.withCurrentState)
      ? currentState(services, viewer, filter, cursors)
      : null;
  const shown = new Map<string, number>();
  const listen = (after: Position | null) => listenTo(context, filter, after);
  let deliveries = state === null ? listen(resumed === 'CURRENT_STATE' ? null : resumed) : null;
  let ended = false;

  const iterator: AsyncIterableIterator<GrantEvent> = {
    async next() {
      if (deliveries === null && state !== null) {
        const { value, done } = await state.next();
        if (done !== true) {
          shown.set(value.of.grant.id, value.of.grant.version);
          return { value, done: false };
        }
        deliveries = listen(value);
        if (ended) await deliveries.return?.();
      }
      for (;;) {
        const result = await deliveries?.next();
        if (result === undefined || result.done === true) return { value: undefined, done: true };
        const { event, position } = result.value;
        const version = shown.get(event.grantId);
        if (version !== undefined && event.grantVersion <= version) continue;
        return { value: { of: event, cursor: cursors.at(position) }, done: false };
      }
    },
    async return() {
      ended = true;
      await deliveries?.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

function listenTo(
  context: Context,
  { siteId, ticketId, types }: GrantEventFilter,
  after: Position | null,
): AsyncIterableIterator<Delivery, undefined, undefined> {
  const { services } = context;
  const viewerId = viewerOf(context).id;
  return services.feed.subscribe({
    viewerId,
    recheck: async () => {
      const now = await findViewerById(services.database.prisma, viewerId);
      if (now === null) return 'ACCOUNT_DEACTIVATED';
      // What an operation selects of an event is read with these rights, too.
      context.viewer = now;
      return may('grantEvents', relationsToPlatform(now)) ? null : 'NO_LONGER_ALLOWED';
    },
    topics: () => topicsFor(viewerOf(context)),
    mayHear: ({ audience }) => mayHear(viewerOf(context), audience),
    matches: (event) =>
      (siteId == null || event.audience.siteId === siteId) &&
      (ticketId == null || event.ticketId === ticketId) &&
      (types == null || types.includes(event.type)),
    ...(after === null ? {} : { after }),
  });
}

const statePage = 100;

/** The open grants of which the viewer hears, as events; returns the position from which to go on. */
async function* currentState(
  { database, clock }: Services,
  viewer: Viewer,
  { siteId, ticketId, types }: GrantEventFilter,
  cursors: ReturnType<typeof cursorsFor>,
): AsyncGenerator<GrantEvent, Position, undefined> {
  const position = await currentPosition(database.pool);
  if (types != null && !types.includes('CURRENT')) return position;
  let held: GrantRow | null = null;
  let after: string | null = null;
  for (;;) {
    const now = clock();
    const page = await listOpenGrants(database.prisma, viewer, { siteId, ticketId }, { after, now });
    for (const { audience, row } of page) {
      if (!mayHear(viewer, audience)) continue;
      // Until the last has come, a cursor leads to the whole state again.
      if (held !== null) yield current(held, cursors.toCurrentState(position), now);
      held = asOf(row, now);
    }
    after = page.at(-1)?.row.id ?? null;
    if (page.length < statePage) {
      if (held !== null) yield current(held, cursors.at(position), now);
      return position;
    }
  }
}

async function listOpenGrants(
  prisma: Services['database']['prisma'],
  viewer: Viewer,
  { siteId, ticketId }: Pick<GrantEventFilter, 'siteId' | 'ticketId'>,
  { after, now }: { after: string | null; now: Date },
): Promise<{ row: GrantRow; audience: EventAudience }[]> {
  const found = await prisma.grant.findMany({
    where: {
      AND: [
        visibleGrants(viewer),
        inStates(['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'], now),
        siteId == null ? {} : { siteId },
        ticketId == null ? {} : { ticketId },
        after === null ? {} : { id: { gt: after } },
      ],
    },
    include: { ticket: { select: { reporterId: true, site: { select: { organizationId: true } } } } },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
    take: statePage,
  });
  return found.map(({ ticket: { reporterId, site }, ...row }) => ({
    row,
    audience: {
      organizationId: site.organizationId,
      siteId: row.siteId,
      reporterId,
      engineerIds: row.engineerId === null ? [] : [row.engineerId],
    },
  }));
}

function current(grant: GrantRow, cursor: string, occurredAt: Date): GrantEvent {
  return { of: { id: `${grant.id}@${grant.version}`, type: 'CURRENT', occurredAt, grant }, cursor };
}

/** The cursors of one viewer's stream with one filter: to a position, or to the current state. */
function cursorsFor({ cursors }: Services, { id: viewerId }: Viewer, filter: GrantEventFilter) {
  const events = cursors({ viewerId, stream: 'grantEvents', filter });
  const state = cursors({ viewerId, stream: 'grantEvents from the current state', filter });
  return {
    at: (position: Position) => events.encode(position),
    toCurrentState: (position: Position) => state.encode(position),
    read: (cursor: string): Position | 'CURRENT_STATE' => {
      try {
        return events.decode(cursor);
      } catch (error) {
        if (!(error instanceof OtherFilterCursorError)) throw error;
        state.decode(cursor);
        return 'CURRENT_STATE';
      }
    },
  };
}
