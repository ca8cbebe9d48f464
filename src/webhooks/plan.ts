/**
 * Which commands make a ticket what an event says of it. Pure. An event that is older than what the ticket remembers
 * changes nothing, so the events of a ticket lead to the same end in whichever order they arrive:
 *
 * - Its status is the one of the latest event that tells one.
 * - Its engineer is the one of the latest event that tells one. A closed ticket is not assigned: what it is told then
 *   waits until an event reopens it.
 * - Its summary and its product are each those of the latest event that tells them.
 * - A close ends the grants and change requests that were there when it happened, even if the ticket was reopened since.
 */

import { isOlder, type Moment } from '../tickets/moment.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { type Content, filingOf } from './ticket-event.ts';

export type Step = 'ASSIGN' | 'UPDATE' | 'CLOSE' | 'REOPEN' | 'SET_STATUS';

/** The commands in order, and whether the assignment has to wait for the ticket to be reopened. */
export type Plan = { steps: readonly Step[]; assignmentWaits: boolean };

type Remembered = Pick<
  Ticket,
  'status' | 'statusMoment' | 'assignmentMoment' | 'summaryMoment' | 'productMoment'
>;

export function planFor(ticket: Remembered, content: Content, moment: Moment): Plan {
  const plan = planWithoutUpdate(ticket, content, moment);
  if (!isUpdated(ticket, content, moment)) return plan;
  // Grants end with a close before they end with a product, and do not pass to an engineer only to end then.
  const { steps } = plan;
  return { ...plan, steps: content.status === 'CLOSED' ? [...steps, 'UPDATE'] : ['UPDATE', ...steps] };
}

/** A filing that comes again tells nothing new. */
function isUpdated(ticket: Remembered, content: Content, moment: Moment): boolean {
  if (filingOf(content) !== null) return false;
  return (
    (content.summary !== undefined && !isOlder(moment, ticket.summaryMoment)) ||
    (content.product !== undefined && !isOlder(moment, ticket.productMoment))
  );
}

function planWithoutUpdate(ticket: Remembered, { status, engineer }: Content, moment: Moment): Plan {
  const onStatus = status === undefined ? [] : statusSteps(ticket, status, moment);
  const isAssigned = engineer !== undefined && !isOlder(moment, ticket.assignmentMoment);
  if (!isAssigned) return { steps: onStatus, assignmentWaits: false };
  if (ticket.status === 'CLOSED' && !onStatus.includes('REOPEN'))
    return { steps: onStatus, assignmentWaits: true };
  const steps = status === 'CLOSED' ? (['ASSIGN', ...onStatus] as const) : ([...onStatus, 'ASSIGN'] as const);
  return { steps, assignmentWaits: false };
}

function statusSteps(
  ticket: Remembered,
  status: NonNullable<Content['status']>,
  moment: Moment,
): readonly Step[] {
  // The command knows that this is old news, and ends only what was there then.
  if (status === 'CLOSED') return ['CLOSE'];
  if (isOlder(moment, ticket.statusMoment)) return [];
  if (ticket.status !== 'CLOSED') return ['SET_STATUS'];
  return status === 'OPEN' ? ['REOPEN'] : ['REOPEN', 'SET_STATUS'];
}
