/** What ends with something else: change requests whose ticket, engineer, site or licence no longer allows them. */
import { actorOf } from '../audit/entry.ts';
import type { ChangeRequest, EndOfItsUse } from '../changes/change-request.ts';
import type { ChangeOnTicket, TicketOfChange } from '../changes/event.ts';
import { decide } from '../changes/lifecycle.ts';
import type { DecisionContext } from './command.ts';

/**
 * Withdraws those among these that wait. What was begun stays to be recorded, and what has expired is recorded as expired
 * by the background job.
 *
 * @param ticketOf the ticket with this id, as it is afterwards
 */
export function endChangeRequests(
  requests: readonly ChangeRequest[] | undefined,
  reason: EndOfItsUse,
  ticketOf: (id: string) => TicketOfChange,
  { viewer, now }: DecisionContext,
): ChangeOnTicket[] {
  return (requests ?? []).flatMap((before) => {
    const decision = decide(before, { type: 'EndUse', reason, by: viewer.id }, now);
    if (!('changed' in decision)) return [];
    const by = { actor: actorOf(viewer), occurredAt: now, reason: null };
    const ticket = ticketOf(before.ticketId);
    return { before, request: decision.changed, command: 'EndUse', ticket, ...by };
  });
}
