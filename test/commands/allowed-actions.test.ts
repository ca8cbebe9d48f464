/** What a viewer may do with a grant and with a ticket, as tables. */
import { describe, expect, test } from 'vitest';
import type { ChangeRequest, OpenChangeRequest } from '../../src/changes/change-request.ts';
import { maxOpenChangeRequests } from '../../src/changes/lifecycle.ts';
import {
  type AllowedAction,
  allowedChangeRequestActions,
  allowedGrantActions,
  allowedTicketActions,
} from '../../src/commands/allowed-actions.ts';
import { type TicketFacts, withGrant } from '../../src/commands/ticket-facts.ts';
import type { Grant } from '../../src/grants/grant.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import type { TicketOnProduct } from '../../src/tickets/store.ts';
import {
  active,
  assignment,
  DAY,
  engineer,
  fromNow,
  MS,
  NOW,
  operator,
  overOnceActive,
  overUnapproved,
  pendingApproval,
  pendingGuardApproval,
  ticket,
  ticketing,
  user,
} from '../support/builders.ts';
import { completed, consented, inProgress, pendingConsent } from '../support/change-requests.ts';

const organizationAdmin = assignment('ORGANIZATION_ADMIN', 'ORGANIZATION');
const guardAdmin = assignment('GUARD_ADMIN', 'ORGANIZATION');

/** Holds every right that a customer can hold on the ticket. */
const customer = user('reporter', organizationAdmin, guardAdmin);

const grantActions = [
  'approveDataAccess',
  'denyDataAccess',
  'approveGuardRequest',
  'denyGuardRequest',
  'revokeDataAccess',
  'withdrawDataAccessRequest',
  'releaseDataAccess',
] as const;
const ticketActions = [
  'requestDataAccess',
  'approveDataAccess',
  'assignTicket',
  'updateTicketStatus',
  'updateTicket',
  'closeTicket',
  'reopenTicket',
  'requestChange',
] as const;

type Cells<Action extends string> = { [Name in Action]: string };

/** Somebody with the right to grant on the ticket. */
const grantor = user('grantor', organizationAdmin);

function onGrant(
  grant: Grant,
  viewer: Viewer,
  of: TicketOnProduct = ticket(),
  now: Date = NOW,
  approver: Viewer | null = grantor,
) {
  const approvers = new Map(approver === null ? [] : ['customer', 'reporter'].map((id) => [id, approver]));
  const facts = { ticket: of, grants: [], grant: null, approvers };
  return codes(allowedGrantActions(withGrant(facts, grant), { viewer, now }));
}

function onTicket(grants: readonly Grant[], viewer: Viewer, of: TicketOnProduct = ticket()) {
  return codes(allowedTicketActions({ ticket: of, grants, grant: null }, { viewer, now: NOW }));
}

function codes(actions: readonly AllowedAction[]): Record<string, string> {
  return Object.fromEntries(actions.map(({ action, refusal }) => [action, refusal?.code ?? 'yes']));
}

/** A row of cells in the order of the actions. */
function row<Action extends string>(actions: readonly Action[], cells: readonly string[]): Cells<Action> {
  expect(cells).toHaveLength(actions.length);
  return Object.fromEntries(actions.map((action, index) => [action, cells[index]])) as Cells<Action>;
}

const over = [...['ALREADY_OVER', 'ALREADY_OVER', 'ALREADY_OVER', 'ALREADY_OVER', 'ALREADY_OVER']] as const;

describe('on a grant', () => {
  test.each<[string, Grant, readonly string[]]>([
    [
      'that awaits the customer',
      pendingApproval(),
      ['yes', 'yes', 'NOT_AWAITING_GUARD', 'NOT_AWAITING_GUARD', 'NOT_APPROVED_YET'],
    ],
    [
      'that awaits the Guard',
      pendingGuardApproval(),
      ['ALREADY_APPROVED', 'ALREADY_APPROVED', 'yes', 'yes', 'yes'],
    ],
    [
      'that awaits the Guard, approved by the viewer',
      pendingGuardApproval({ customerApprovedById: 'reporter' }),
      ['ALREADY_APPROVED', 'ALREADY_APPROVED', 'SAME_PERSON_MAY_NOT_APPROVE_TWICE', 'yes', 'yes'],
    ],
    [
      'that is active',
      active(),
      ['ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'yes'],
    ],
    ['that was denied', overUnapproved({ state: 'DENIED', endReason: 'DENIED_BY_CUSTOMER' }), over],
    ['that was revoked', overOnceActive({ state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' }), over],
    ['at its deadline', pendingApproval({ approvalDueAt: NOW }), over],
    ['at its end', active({ expiresAt: NOW }), over],
    [
      'one millisecond before its end',
      active({ expiresAt: fromNow(MS) }),
      ['ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'ALREADY_ACTIVE', 'yes'],
    ],
  ])('%s, a customer with every right', (_, grant, cells) => {
    expect(onGrant(grant, customer)).toEqual(row(grantActions, [...cells, 'FORBIDDEN', 'FORBIDDEN']));
  });

  test.each<[string, Grant, string, string]>([
    ['that awaits the customer', pendingApproval(), 'yes', 'NOT_ACTIVE'],
    ['that awaits the Guard', pendingGuardApproval(), 'yes', 'NOT_ACTIVE'],
    ['that is active', active(), 'ALREADY_ACTIVE', 'yes'],
    [
      'that was revoked',
      overOnceActive({ state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' }),
      'ALREADY_OVER',
      'ALREADY_OVER',
    ],
  ])('%s, the assigned engineer', (_, grant, withdraw, release) => {
    const others = Array(5).fill('FORBIDDEN');
    expect(onGrant(grant, engineer())).toEqual(row(grantActions, [...others, withdraw, release]));
  });

  test.each<[string, Viewer, readonly string[]]>([
    [
      'the reporter without a role',
      user('reporter'),
      ['NOT_ELIGIBLE', 'NOT_ELIGIBLE', 'FORBIDDEN', 'FORBIDDEN', 'yes'],
    ],
    [
      'the approver without a role',
      user('customer'),
      ['NOT_ELIGIBLE', 'NOT_ELIGIBLE', 'FORBIDDEN', 'FORBIDDEN', 'yes'],
    ],
    ['a Guard admin', user('guard', guardAdmin), ['NOT_ELIGIBLE', 'NOT_ELIGIBLE', 'yes', 'yes', 'yes']],
    [
      'an organization admin',
      user('admin', organizationAdmin),
      ['ALREADY_APPROVED', 'ALREADY_APPROVED', 'FORBIDDEN', 'FORBIDDEN', 'yes'],
    ],
    ['the ticketing system', ticketing(), Array(5).fill('FORBIDDEN')],
    ['an operator', operator(), Array(5).fill('FORBIDDEN')],
  ])('that awaits the Guard, %s', (_, viewer, cells) => {
    expect(onGrant(pendingGuardApproval(), viewer)).toEqual(
      row(grantActions, [...cells, 'FORBIDDEN', 'FORBIDDEN']),
    );
  });

  test.each<[string, Viewer | null, TicketOnProduct]>([
    ['is not active', null, ticket()],
    ['has no role', user('grantor'), ticket()],
    ['left the organization', { ...user('grantor'), organizationIds: [] } as Viewer, ticket()],
    [
      'has a role that is not synced',
      user('grantor', { ...organizationAdmin, syncState: 'PENDING_SYNC' }),
      ticket(),
    ],
    [
      'has a role that the site’s experience does not know',
      user('grantor', assignment('SITE_ADMIN', 'THIS_SITE')),
      ticket({ site: { experience: 'CENTRALIZED' } }),
    ],
  ])('that awaits the Guard after the approval of somebody who now %s', (_, approver, of) => {
    const cells = onGrant(pendingGuardApproval(), user('guard', guardAdmin), of, NOW, approver);
    expect(cells).toMatchObject({ approveGuardRequest: 'APPROVAL_LAPSED', denyGuardRequest: 'yes' });
    const expired = pendingGuardApproval({ approvalDueAt: NOW });
    expect(onGrant(expired, user('guard', guardAdmin), of, NOW, approver)).toMatchObject({
      approveGuardRequest: 'ALREADY_OVER',
    });
    expect(onGrant(pendingGuardApproval(), customer, of, NOW, approver)).toMatchObject({
      approveDataAccess: 'ALREADY_APPROVED',
      revokeDataAccess: 'yes',
    });
  });

  test.each([
    ['a member without a role', user('somebody')],
    ['another engineer', engineer('another')],
  ])('%s is told that there is none', (_, viewer) => {
    expect(onGrant(active(), viewer)).toEqual(row(grantActions, Array(7).fill('NOT_FOUND')));
  });

  test('nobody may approve on a deactivated site or for a product without a licence; a viewer without a role may revoke there', () => {
    for (const [facts, obstacle] of [
      [{ site: { status: 'DEACTIVATED' } }, 'SITE_DEACTIVATED'],
      [{ product: { licensed: false } }, 'PRODUCT_NOT_LICENSED'],
    ] as const) {
      const named = withGrant({ ticket: ticket(facts), grants: [], grant: null }, pendingApproval());
      const [approve] = allowedGrantActions(named, { viewer: customer, now: NOW });
      expect(approve).toMatchObject({
        action: 'approveDataAccess',
        refusal: { kind: 'NotEligible', obstacles: [obstacle], ticketId: 'ticket' },
      });
      expect(onGrant(active(), customer, ticket(facts))).toMatchObject({ revokeDataAccess: 'yes' });
    }
  });
});

describe('on a ticket', () => {
  const closed = ticket({ status: 'CLOSED', closedAt: fromNow(-DAY) });

  test.each<[string, readonly Grant[], TicketOnProduct, readonly string[]]>([
    ['without a grant', [], ticket(), ['yes', 'yes', 'TICKET_NOT_CLOSED']],
    ['with a request', [pendingApproval()], ticket(), ['ALREADY_REQUESTED', 'yes', 'TICKET_NOT_CLOSED']],
    [
      'with a request before the Guard',
      [pendingGuardApproval()],
      ticket(),
      ['ALREADY_APPROVED', 'yes', 'TICKET_NOT_CLOSED'],
    ],
    ['with active access', [active()], ticket(), ['ALREADY_ACTIVE', 'yes', 'TICKET_NOT_CLOSED']],
    [
      'with access that ends at this moment',
      [active({ expiresAt: NOW })],
      ticket(),
      ['yes', 'yes', 'TICKET_NOT_CLOSED'],
    ],
    [
      'on a deactivated site',
      [],
      ticket({ site: { status: 'DEACTIVATED' } }),
      ['SITE_DEACTIVATED', 'yes', 'TICKET_NOT_CLOSED'],
    ],
    [
      'about a product without a licence',
      [],
      ticket({ product: { licensed: false } }),
      ['PRODUCT_NOT_LICENSED', 'yes', 'TICKET_NOT_CLOSED'],
    ],
    ['that is closed', [], closed, ['TICKET_CLOSED', 'TICKET_CLOSED', 'yes']],
  ])('%s, the assigned engineer', (_, grants, of, [request = '', update = '', reopen = '']) => {
    const asksForNothing = ['SITE_DEACTIVATED', 'PRODUCT_NOT_LICENSED', 'TICKET_CLOSED'].includes(request);
    const change = asksForNothing ? request : 'yes';
    const cells = [request, 'FORBIDDEN', 'FORBIDDEN', update, 'yes', 'yes', reopen, change];
    expect(onTicket(grants, engineer(), of)).toEqual(row(ticketActions, cells));
  });

  test.each<[string, readonly Grant[], TicketOnProduct, string]>([
    ['without a grant', [], ticket(), 'yes'],
    ['with a request', [pendingApproval()], ticket(), 'yes'],
    ['with a request before the Guard', [pendingGuardApproval()], ticket(), 'ALREADY_APPROVED'],
    ['with active access', [active()], ticket(), 'ALREADY_ACTIVE'],
    ['on a deactivated site', [], ticket({ site: { status: 'DEACTIVATED' } }), 'NOT_ELIGIBLE'],
    ['about a product without a licence', [], ticket({ product: { licensed: false } }), 'NOT_ELIGIBLE'],
    ['that is closed', [], closed, 'TICKET_CLOSED'],
  ])('%s, an organization admin', (_, grants, of, approve) => {
    const cells = ['FORBIDDEN', approve, ...Array(6).fill('FORBIDDEN')];
    expect(onTicket(grants, user('admin', organizationAdmin), of)).toEqual(row(ticketActions, cells));
  });

  test.each<[string, Viewer, readonly string[]]>([
    [
      'the reporter',
      user('reporter'),
      ['FORBIDDEN', 'NOT_ELIGIBLE', ...Array(3).fill('FORBIDDEN'), 'yes', 'TICKET_NOT_CLOSED', 'FORBIDDEN'],
    ],
    [
      'the ticketing system',
      ticketing(),
      ['FORBIDDEN', 'FORBIDDEN', 'yes', 'yes', 'yes', 'yes', 'TICKET_NOT_CLOSED', 'FORBIDDEN'],
    ],
    ['an operator', operator(), ['FORBIDDEN', 'FORBIDDEN', 'yes', ...Array(5).fill('FORBIDDEN')]],
    ['a member without a role', user('somebody'), Array(8).fill('NOT_FOUND')],
  ])('that is open, %s', (_, viewer, cells) => {
    expect(onTicket([], viewer)).toEqual(row(ticketActions, cells));
  });
});

describe('on a change request', () => {
  const changeActions = [
    ...(['consentToChange', 'refuseChange', 'revokeChangeConsent', 'withdrawChangeRequest'] as const),
    'recordChangeResult',
  ] as const;
  const onChange = (request: ChangeRequest, viewer: Viewer, of: TicketOnProduct = ticket()) =>
    codes(allowedChangeRequestActions({ ticket: of, request }, { viewer, now: NOW }));
  const begun = Array(4).fill('CHANGE_IN_PROGRESS');
  const gone = Array(5).fill('CHANGE_REQUEST_OVER');

  test.each<[string, ChangeRequest, readonly string[], readonly string[]]>([
    [
      'that awaits the consent',
      pendingConsent(),
      ['yes', 'yes', 'NOT_CONSENTED_YET'],
      ['yes', 'CHANGE_NOT_IN_PROGRESS'],
    ],
    [
      'that was consented to',
      consented(),
      ['ALREADY_CONSENTED', 'ALREADY_CONSENTED', 'yes'],
      ['yes', 'CHANGE_NOT_IN_PROGRESS'],
    ],
    ['that is in progress', inProgress({ validUntil: NOW }), begun.slice(1), [...begun.slice(3), 'yes']],
    ['at its end', consented({ validUntil: NOW }), gone.slice(2), gone.slice(3)],
    ['that is completed', completed(), gone.slice(2), gone.slice(3)],
  ])('%s', (_, request, ofCustomer, ofEngineer) => {
    const no = (count: number) => Array(count).fill('FORBIDDEN');
    expect(onChange(request, customer)).toEqual(row(changeActions, [...ofCustomer, ...no(2)]));
    expect(onChange(request, engineer())).toEqual(row(changeActions, [...no(3), ...ofEngineer]));
    expect(onChange(request, ticketing())).toEqual(row(changeActions, no(5)));
    expect(onChange(request, user('somebody'))).toEqual(row(changeActions, Array(5).fill('NOT_FOUND')));
  });

  test.each<[string, Viewer, string]>([
    ['the reporter', user('reporter'), 'yes'],
    ['whoever consented', user('customer'), 'yes'],
    ['a Guard admin', user('guard', guardAdmin), 'yes'],
    [
      'somebody with the wrong role',
      user('other', assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT')),
      'NOT_ELIGIBLE',
    ],
  ])('a consent is taken back also without a role that grants: %s', (_, viewer, revoke) => {
    expect(onChange(consented(), viewer)).toMatchObject({
      ...{ consentToChange: 'NOT_ELIGIBLE', refuseChange: 'NOT_ELIGIBLE', revokeChangeConsent: revoke },
    });
  });

  test('nobody consents on a deactivated site; a consent is taken back and a result is recorded there', () => {
    const dead = ticket({ site: { status: 'DEACTIVATED' } });
    expect(onChange(pendingConsent(), customer, dead)).toMatchObject({ consentToChange: 'NOT_ELIGIBLE' });
    expect(onChange(consented(), customer, dead)).toMatchObject({ revokeChangeConsent: 'yes' });
    const closed = ticket({ status: 'CLOSED', closedAt: fromNow(-DAY) });
    for (const place of [dead, closed])
      expect(onChange(inProgress(), engineer(), place)).toMatchObject({ recordChangeResult: 'yes' });
  });

  test('another one is asked for only while not too many are open on the ticket', () => {
    const asks = (changeRequests: TicketFacts['changeRequests'] & {}) =>
      codes(
        allowedTicketActions(
          { ticket: ticket(), grants: [], grant: null, changeRequests },
          { viewer: engineer(), now: NOW },
        ),
      );
    const open = Array<OpenChangeRequest>(maxOpenChangeRequests).fill(inProgress());
    expect(asks(open)).toMatchObject({ requestChange: 'TOO_MANY_CHANGE_REQUESTS' });
    expect(asks(open.with(0, consented({ validUntil: NOW })))).toMatchObject({ requestChange: 'yes' });
  });
});
