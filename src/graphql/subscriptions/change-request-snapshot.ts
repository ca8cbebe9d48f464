/** A change request as it was at a past moment. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Account } from '../../../prisma/generated/client/client.ts';
import type { ChangeRequestRow } from '../../changes/row.ts';
import type { TicketAtChange } from '../../events/kinds/change-request.ts';
import type { Context } from '../context.ts';
import { deletedSince } from '../errors.ts';
import { asSnapshot, selectsRelations } from './snapshot.ts';
import { hasLost, type SelectedTicket, ticketThen } from './ticket-then.ts';

/** A change request with the relations that an operation selects of it, as they are now. */
type SelectedRequest = ChangeRequestRow & Relations;
type Relations = { decidedBy?: Account | null; endedBy?: Account | null; ticket?: SelectedTicket };

/** `ticket` is absent where nothing happened: the change request is as it is now. */
type EventOfRequest = { ticket?: TicketAtChange };

/**
 * Returns the row with the relations that the operation selects of it. They are read in their present state, and what
 * was added since the event is left out. The ticket is as it was for an engineer who has lost it.
 */
export function changeRequestSnapshot(
  row: ChangeRequestRow,
  event: EventOfRequest,
  context: Context,
  info: GraphQLResolveInfo,
): ChangeRequestRow | Promise<ChangeRequestRow> {
  const snapshot = asSnapshot(row);
  return selectsRelations(info) ? withRelations(snapshot, event, context, info) : snapshot;
}

async function withRelations(
  snapshot: ChangeRequestRow,
  event: EventOfRequest,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<ChangeRequestRow> {
  const query = queryFromInfo({ context, info, include: {} });
  if (Object.keys(query.include ?? {}).length === 0) return snapshot;
  const { changeRequest } = context.services.database.prisma;
  const now: SelectedRequest | null = await changeRequest.findUnique({
    ...query,
    where: { id: snapshot.id },
  });
  if (now === null) throw deletedSince('change request');
  const { decidedBy, endedBy, ticket } = now;
  const relations: Relations = {
    ...(decidedBy === undefined || snapshot.decidedById !== null ? {} : { decidedBy: null }),
    ...(endedBy === undefined || snapshot.endedById !== null ? {} : { endedBy: null }),
    ...(ticket === undefined || event.ticket === undefined || !hasLost(context, ticket)
      ? {}
      : { ticket: await lostTicket(ticket, event.ticket, context) }),
  };
  return { ...now, ...snapshot, ...relations };
}

async function lostTicket(
  ticket: SelectedTicket,
  then: TicketAtChange,
  { services }: Context,
): Promise<SelectedTicket> {
  const { assigneeId: id } = then;
  const { account } = services.database.prisma;
  const isOther = id !== null && id !== ticket.assigneeId;
  return ticketThen(ticket, then, isOther ? await account.findUnique({ where: { id } }) : null);
}
