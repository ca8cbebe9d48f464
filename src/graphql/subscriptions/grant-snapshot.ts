/** A grant as it was at a past moment, with its people and decisions of that moment. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Account, Decision } from '../../../prisma/generated/client/client.ts';
import type { TicketAtEvent } from '../../events/kinds/grant.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';
import { deletedSince } from '../errors.ts';
import { asSnapshot, selectsRelations } from './snapshot.ts';
import { atGrantEvent, hasLost, type SelectedTicket, ticketThen } from './ticket-then.ts';

/** A grant with the relations that an operation selects of it, as they are now. */
export type SelectedGrant = GrantRow & Relations;
type Relations = {
  engineer?: Account | null;
  endedBy?: Account | null;
  decisions?: Decision[];
  ticket?: SelectedTicket;
};
export type EventOfGrant = { occurredAt: Date; ticket?: TicketAtEvent };

/**
 * Returns the row with the relations that the operation selects of it. They are read in their present state, and what
 * was added since the event is left out: a viewer who receives an event late may have lost the right to know it. So the
 * ticket is as it was, too, for an engineer who has lost it.
 */
export function grantSnapshot(
  row: GrantRow,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): GrantRow | Promise<GrantRow> {
  const snapshot = asSnapshot(row);
  return selectsRelations(info) ? withRelations(snapshot, event, context, info) : snapshot;
}

async function withRelations(
  snapshot: GrantRow,
  event: EventOfGrant,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<GrantRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return snapshot;
  const { grant } = context.services.database.prisma;
  const now: SelectedGrant | null = await grant.findUnique({ ...query, where: { id: snapshot.id } });
  if (now === null) throw deletedSince('grant');
  return await grantThen(now, snapshot, event, context);
}

/** The snapshot with its relations as they were at the event. */
export async function grantThen(
  now: SelectedGrant,
  snapshot: GrantRow,
  event: EventOfGrant,
  context: Context,
): Promise<GrantRow> {
  const { account } = context.services.database.prisma;
  const { engineer, endedBy, decisions, ticket } = now;
  const { engineerId: id } = snapshot;
  const lostTicket = ticket !== undefined && hasLost(context, ticket) ? ticket : undefined;
  const isOther = now.engineerId !== id || (lostTicket !== undefined && lostTicket.assigneeId !== id);
  const then = id === null || !isOther ? null : await account.findUnique({ where: { id } });
  const relations: Relations = {
    ...(engineer === undefined || now.engineerId === id ? {} : { engineer: then }),
    ...(lostTicket === undefined
      ? {}
      : { ticket: ticketThen(lostTicket, atGrantEvent(snapshot, event.ticket), then) }),
    ...(endedBy === undefined || snapshot.endedById !== null ? {} : { endedBy: null }),
    ...(decisions === undefined
      ? {}
      : { decisions: decisions.filter(isKnownAt(snapshot, event.occurredAt)) }),
  };
  return { ...now, ...snapshot, ...relations };
}

/** Decisions made up to the event. Another gateway, whose clock is ahead, may have written the grant's earlier changes. */
function isKnownAt({ customerApprovedAt, activatedAt, endedAt }: GrantRow, moment: Date) {
  const facts = [moment, customerApprovedAt, activatedAt, endedAt].filter((at) => at !== null);
  const latest = Math.max(...facts.map((at) => at.getTime()));
  return ({ decidedAt }: Decision) => decidedAt.getTime() <= latest;
}
