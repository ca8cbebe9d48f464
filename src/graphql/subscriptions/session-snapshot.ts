/** A support session as it was at a past moment, with its grant of that moment. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Account, SupportSession as SessionRow } from '../../../prisma/generated/client/client.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';
import { deletedSince } from '../errors.ts';
import { type EventOfGrant, grantThen, type SelectedGrant } from './grant-snapshot.ts';
import { asSnapshot, selectsRelations } from './snapshot.ts';
import {
  atGrantEvent,
  hasLost,
  type SelectedSite,
  type SelectedTicket,
  siteThen,
  ticketThen,
} from './ticket-then.ts';

/** A session and its grant, as they were at the event. */
type Then = { session: SessionRow; grant: GrantRow };

/** A session with the relations that an operation selects of it, as they are now. */
type SelectedSession = SessionRow & Relations;
type Relations = {
  grant?: SelectedGrant;
  ticket?: SelectedTicket;
  site?: SelectedSite;
  endedBy?: Account | null;
};

/**
 * Returns the session with the relations that the operation selects of it. Its grant is as it was at the event, and so are
 * the ticket and the site for an engineer who has lost the ticket: a viewer who receives an event late may have lost the
 * right to know more.
 */
export function sessionSnapshot(
  then: Then,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): SessionRow | Promise<SessionRow> {
  const snapshot = asSnapshot(then.session);
  return selectsRelations(info)
    ? withRelations({ ...then, session: snapshot }, event, context, info)
    : snapshot;
}

async function withRelations(
  { session: snapshot, grant: grantAtEvent }: Then,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<SessionRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return snapshot;
  const { supportSession } = context.services.database.prisma;
  const now: SelectedSession | null = await supportSession.findUnique({
    ...query,
    where: { id: snapshot.id },
  });
  if (now === null) return withGrantOnly(query, snapshot, grantAtEvent);
  const { grant, endedBy } = now;
  const relations: Relations = {
    ...(await placeThen(now, grantAtEvent, event, context)),
    ...(grant === undefined
      ? {}
      : { grant: await grantThen(grant, asSnapshot(grantAtEvent), event, context) }),
    ...(endedBy === undefined || snapshot.endedById !== null ? {} : { endedBy: null }),
  };
  return { ...now, ...snapshot, ...relations };
}

/** A session whose row is gone, with the grant as far as the event itself has it. Throws if more is selected. */
function withGrantOnly(
  { include = {} }: { include?: object },
  snapshot: SessionRow,
  grantAtEvent: GrantRow,
): SelectedSession {
  const isOfTheEvent = Object.entries(include).every(([name, nested]) => name === 'grant' && nested === true);
  if (!isOfTheEvent) throw deletedSince('support session');
  return { ...snapshot, grant: asSnapshot(grantAtEvent) };
}

/** The ticket and the site as they were, if they are selected by an engineer who has lost the ticket. */
async function placeThen(
  { ticketId, ticket, site }: SelectedSession,
  grant: GrantRow,
  event: EventOfGrant,
  context: Context,
): Promise<Pick<Relations, 'ticket' | 'site'>> {
  if (context.viewer?.kind !== 'SUPPORT_ENGINEER' || (ticket === undefined && site === undefined)) return {};
  const { prisma } = context.services.database;
  const present = ticket ?? (await prisma.ticket.findUniqueOrThrow({ where: { id: ticketId } }));
  if (!hasLost(context, present)) return {};
  const { engineerId: id } = grant;
  const then = atGrantEvent(grant, event.ticket);
  const engineer = id === null ? null : await prisma.account.findUnique({ where: { id } });
  return {
    ...(ticket === undefined ? {} : { ticket: ticketThen(ticket, then, engineer) }),
    ...(site === undefined ? {} : { site: siteThen(site, then) }),
  };
}
