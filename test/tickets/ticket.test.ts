/** What each command does to a ticket in each status. */
import { describe, expect, test } from 'vitest';
import { decideTicket, type Ticket, type TicketCommand } from '../../src/tickets/ticket.ts';
import { NOW, ticket } from '../support/builders.ts';

const of = (facts: Partial<Ticket>): Ticket => {
  const { site: _site, product: _product, ...row } = ticket({ version: 3, ...facts });
  return row;
};
const open = ['OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED'] as const;
const closed = of({ status: 'CLOSED', closedAt: NOW });

const commands: TicketCommand[] = [
  { type: 'Assign', engineerId: 'other' },
  { type: 'Assign', engineerId: null },
  { type: 'UpdateStatus', status: 'OPEN' },
];

describe('a closed ticket', () => {
  test.each(commands)('refuses $type', (command) => {
    expect(decideTicket(closed, command, NOW)).toEqual({ refused: 'TICKET_CLOSED' });
  });

  test('is closed, and is assigned to whom it is assigned to', () => {
    expect(decideTicket(closed, { type: 'Close' }, NOW)).toEqual({ unchanged: true });
    const same = { type: 'Assign', engineerId: closed.assigneeId } as const;
    expect(decideTicket(closed, same, NOW)).toEqual({ unchanged: true });
  });

  test('comes back with its engineer', () => {
    expect(decideTicket(closed, { type: 'Reopen', unassign: false }, NOW)).toEqual({
      changed: { ...closed, status: 'OPEN', closedAt: null, version: 4 },
    });
  });

  test('comes back without an engineer who is gone', () => {
    expect(decideTicket(closed, { type: 'Reopen', unassign: true }, NOW)).toEqual({
      changed: { ...closed, status: 'OPEN', closedAt: null, assigneeId: null, version: 4 },
    });
  });
});

describe.each(open)('a ticket that is %s', (status) => {
  const before = of({ status });

  test.each([true, false])('is not reopened (unassign: %s)', (unassign) => {
    expect(decideTicket(before, { type: 'Reopen', unassign }, NOW)).toEqual({ refused: 'TICKET_NOT_CLOSED' });
  });

  test('is closed', () => {
    expect(decideTicket(before, { type: 'Close' }, NOW)).toEqual({
      changed: { ...before, status: 'CLOSED', closedAt: NOW, version: 4 },
    });
  });

  test.each(['other', null])('is assigned to %s', (engineerId) => {
    expect(decideTicket(before, { type: 'Assign', engineerId }, NOW)).toEqual({
      changed: { ...before, assigneeId: engineerId, version: 4 },
    });
    const again = of({ status, assigneeId: engineerId });
    expect(decideTicket(again, { type: 'Assign', engineerId }, NOW)).toEqual({ unchanged: true });
  });

  test.each(open)('becomes %s', (wanted) => {
    expect(decideTicket(before, { type: 'UpdateStatus', status: wanted }, NOW)).toEqual(
      wanted === status ? { unchanged: true } : { changed: { ...before, status: wanted, version: 4 } },
    );
  });
});
