/** What ends with something else: change requests whose ticket, engineer, site or licence no longer allows them. */
import { actorOf } from '../audit/entry.ts';
import type { ChangeRequest, EndOfItsUse } from '../changes/change-request.ts';
import type { ChangeOnTicket, TicketOfChange } from '../changes/event.ts';
import { decide } from '../changes/lifecycle.ts';
import type { EndByPerson } from './change-grant.ts';
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

/**
 * Ends those among these that waited when their site or licence ended: as expired, if their time had run out before. What
 * was begun stays to be recorded.
 *
 * @param ticketOf the ticket with this id, as it is afterwards
 */
export function settleChangeRequests(
  requests: readonly ChangeRequest[] | undefined,
  { reason, since, byId, by }: EndByPerson,
  ticketOf: (id: string) => TicketOfChange,
  now: Date,
): ChangeOnTicket[] {
  return (requests ?? []).flatMap((before): ChangeOnTicket[] => {
    const change = { before, ticket: ticketOf(before.ticketId), occurredAt: now, reason: null };
    const elapsed = decide(before, { type: 'ElapseTime' }, since);
    if ('changed' in elapsed)
      return [{ ...change, request: elapsed.changed, command: 'ElapseTime', actor: { kind: 'SYSTEM' } }];
    const ended = decide(before, { type: 'EndUse', reason, by: byId }, since);
    return 'changed' in ended ? [{ ...change, request: ended.changed, command: 'EndUse', actor: by }] : [];
  });
}
