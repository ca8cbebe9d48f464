/** What the end of an engineer's account does to their tickets and the grants on them. */
import { expect, test } from 'vitest';
import { defaultRules } from '../../src/commands/command.ts';
import { unassignTickets } from '../../src/commands/unassign-tickets.ts';
import type { Grant } from '../../src/grants/grant.ts';
import {
  active,
  fromNow,
  MS,
  NOW,
  operator,
  pendingApproval,
  pendingGuardApproval,
  ticket,
} from '../support/builders.ts';
import { consented, inProgress, pendingConsent } from '../support/change-requests.ts';

const by = {
  ...{ viewer: operator(), now: NOW, relations: new Set(['OPERATOR'] as const) },
  ...{ rules: defaultRules, isConfirmed: false },
};
const facts = (id: string, ...grants: Grant[]) => ({
  ticket: ticket({ id, version: 5 }),
  grants: grants.map((grant) => ({ ...grant, id: `${id} ${grant.state}`, ticketId: id })),
  grant: null,
});

test("each ticket is nobody's, with an entry in its organization's log", () => {
  const { tickets, entries } = unassignTickets([facts('one'), facts('two')], by);
  expect(tickets.map(({ id, assigneeId, version }) => [id, assigneeId, version])).toEqual([
    ['one', null, 6],
    ['two', null, 6],
  ]);
  expect(entries).toEqual(
    ['one', 'two'].map((id) => ({
      action: 'ticket.assign',
      auditResource: { type: 'Ticket', id },
      auditContext: { organizationId: 'organization', siteId: 'site', ticketId: id },
      details: { engineerId: null, formerEngineerId: 'engineer' },
    })),
  );
});

test.each([pendingApproval(), pendingGuardApproval(), active()])(
  "a grant that is $state stays open and is nobody's",
  (grant) => {
    const { grants } = unassignTickets([facts('one', grant)], by);
    expect(grants).toMatchObject([
      {
        event: 'REASSIGNED',
        before: { engineerId: 'engineer' },
        grant: { state: grant.state, engineerId: null, version: 8 },
        actor: { kind: 'OPERATOR' },
        ticket: { version: 6 },
      },
    ]);
  },
);

test('a grant whose time has run out ends, and passes to nobody', () => {
  const expired = active({ expiresAt: fromNow(-MS) });
  const { grants } = unassignTickets([facts('one', expired, pendingApproval())], by);
  expect(grants.map(({ event, grant }) => [event, grant.state, grant.engineerId])).toEqual([
    ['ENDED', 'ENDED', 'engineer'],
    ['REASSIGNED', 'PENDING_APPROVAL', null],
  ]);
});

test('what the engineer asked to change is withdrawn; what was begun, or has expired, stays as it is', () => {
  const changeRequests = [pendingConsent(), consented(), inProgress(), consented({ validUntil: NOW })];
  const unassigned = unassignTickets([{ ...facts('one'), changeRequests }], by);
  expect(unassigned.changeRequests.map(({ request }) => request)).toMatchObject([
    { state: 'WITHDRAWN', endReason: 'TICKET_REASSIGNED', endedById: 'operator', decidedById: null },
    { state: 'WITHDRAWN', endReason: 'TICKET_REASSIGNED', endedById: 'operator', decidedById: 'customer' },
  ]);
  for (const { command, actor, ticket } of unassigned.changeRequests) {
    expect({ command, actor }).toMatchObject({ command: 'EndUse', actor: { kind: 'OPERATOR' } });
    expect(ticket).toMatchObject({ assigneeId: null, version: 6 });
  }
});

test('without tickets, nothing changes', () => {
  expect(unassignTickets([], by)).toEqual({ tickets: [], changeRequests: [], entries: [], grants: [] });
});
