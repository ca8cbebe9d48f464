/** What the end of an engineer's account does to the tickets that they are assigned to. */
import type { ChangeOnTicket } from '../changes/event.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { assigning, changeTicket, engineersOf } from './change-ticket.ts';
import type { DecisionContext, OwnAuditEntry } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { applyTicketTimeLimits } from './ticket-command.ts';
import type { TicketFacts } from './ticket-facts.ts';

type Unassigned = {
  tickets: Ticket[];
  changeRequests: ChangeOnTicket[];
  entries: OwnAuditEntry[];
  grants: DecidedGrantChange[];
};

/**
 * Takes open tickets from their engineer, as `assignTicket` does with one: their open grants are nobody's then, those
 * whose time has run out have ended, and what the engineer asked to change is withdrawn. Pure: the caller writes the
 * tickets.
 */
export function unassignTickets(tickets: readonly TicketFacts[], by: DecisionContext): Unassigned {
  const unassigned: Unassigned = { tickets: [], changeRequests: [], entries: [], grants: [] };
  for (const loaded of tickets) {
    const { facts, changes: over } = applyTicketTimeLimits(loaded, by.now);
    const command = { type: 'Assign', engineerId: null } as const;
    const toNobody = () => assigning(null);
    const outcome = changeTicket(facts, by, command, toNobody);
    if ('refused' in outcome) continue;
    unassigned.tickets.push(outcome.answer);
    const passed = (outcome.grants ?? []).map((change) => ({ ...change, engineerIsGone: true }));
    unassigned.changeRequests.push(...(outcome.changeRequests ?? []));
    unassigned.entries.push(assignmentEntry(facts, outcome.answer));
    unassigned.grants.push(...over, ...passed);
  }
  return unassigned;
}

function assignmentEntry({ ticket }: TicketFacts, after: Ticket): OwnAuditEntry {
  const { organizationId } = ticket.site;
  return {
    action: 'ticket.assign',
    auditResource: { type: 'Ticket', id: ticket.id },
    auditContext: { organizationId, siteId: ticket.siteId, ticketId: ticket.id },
    details: engineersOf(ticket, after),
  };
}
