/** Each command declares exactly the refusals that it can return. */
import { describe, expect, test } from 'vitest';
import { keptForEver } from '../../src/audit/retention.ts';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import {
  deactivateSite,
  reactivateSite,
  setSupportAccessRestrictions,
} from '../../src/commands/change-site.ts';
import {
  assignTicket,
  closeTicket,
  reopenTicket,
  updateTicketStatus,
} from '../../src/commands/change-ticket.ts';
import type { Command } from '../../src/commands/command.ts';
import { decideCommand } from '../../src/commands/decide-command.ts';
import { approveGuardRequest, denyGuardRequest } from '../../src/commands/decide-guard-request.ts';
import { denyDataAccess } from '../../src/commands/deny-data-access.ts';
import type { ProposalFacts } from '../../src/commands/propose.ts';
import { quotaRefusals } from '../../src/commands/quotas.ts';
import { type RefusalCode, refusalKinds, refusalsOfEveryCommand } from '../../src/commands/refusal.ts';
import { releaseDataAccess } from '../../src/commands/release-data-access.ts';
import { requestDataAccess } from '../../src/commands/request-data-access.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { setSupportAccessPolicy } from '../../src/commands/support-access-policy.ts';
import { endSupportSession, startSupportSession } from '../../src/commands/support-sessions.ts';
import { type TicketFacts, withGrant } from '../../src/commands/ticket-facts.ts';
import { updateTicket } from '../../src/commands/update-ticket.ts';
import { withdrawDataAccessRequest } from '../../src/commands/withdraw-data-access-request.ts';
import type { Grant } from '../../src/grants/grant.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import type { SiteWithOrganization } from '../../src/organizations/store.ts';
import { guardConfirmation } from '../../src/proposals/protection.ts';
import { newProposedChange } from '../../src/proposals/store.ts';
import {
  active,
  assignment,
  DAY,
  engineer,
  fromNow,
  HOUR,
  NOW,
  openSession,
  operator,
  overOnceActive,
  pendingApproval,
  pendingGuardApproval,
  ticket,
  ticketing,
  user,
} from '../support/builders.ts';

const customer = user('reporter', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION'));
const guard = user('customer', assignment('GUARD_ADMIN', 'ORGANIZATION'));
const otherGuard = user('otherGuard', assignment('GUARD_ADMIN', 'ORGANIZATION'));
const appointed = user('appointed', assignment('GUARD_ADMIN', 'ORGANIZATION', { since: NOW.getTime() }));
const elsewhere = user('elsewhere', assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT'));
const viewers: Viewer[] = [
  elsewhere,
  appointed,
  ...[
    customer,
    guard,
    otherGuard,
    user('somebody'),
    engineer(),
    engineer('another'),
    ticketing(),
    operator(),
  ],
];
const tickets = [
  ticket(),
  ticket({ status: 'CLOSED', closedAt: NOW }),
  ticket({ site: { status: 'DEACTIVATED' } }),
  ticket({ site: { maxGrantSeconds: 3600 } }),
  ticket({ product: { licensed: false } }),
];
const grants: Grant[] = [
  pendingApproval(),
  pendingGuardApproval(),
  active(),
  overOnceActive({ state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' }),
  pendingGuardApproval({ expiresAt: fromNow(2 * HOUR) }),
];

/** Every code with which the command is refused, for all viewers, on all of these facts, with all of these inputs. */
function codesOf<Input, Facts>(
  command: Command<Input, Facts, object>,
  inputs: readonly Input[],
  facts: readonly Facts[],
): Set<RefusalCode> {
  const codes = new Set<RefusalCode>();
  for (const viewer of viewers)
    for (const given of facts)
      for (const input of inputs) {
        const { outcome } = decideCommand(command, given, input, { viewer, now: NOW });
        if ('refused' in outcome) codes.add(outcome.refused.code);
      }
  return codes;
}

/** The codes that it declares, without those that arise before or after the decision. */
function declaredBy({ refusals }: { refusals: readonly RefusalCode[] }): Set<RefusalCode> {
  return new Set(refusals.filter((code) => code !== 'INVALID_INPUT' && code !== 'IDEMPOTENCY_KEY_REUSED'));
}

const unnamed: TicketFacts[] = tickets.flatMap((one) =>
  [[], ...grants.slice(0, 3).map((grant) => [grant])].map((open) => ({
    ticket: one,
    grants: open,
    grant: null,
  })),
);
const grantor = user('customer', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION'));
const named: TicketFacts[] = unnamed.flatMap((facts) =>
  [new Map(), new Map([['customer', grantor]])].flatMap((approvers) =>
    grants.map((grant) => withGrant({ ...facts, approvers }, grant)),
  ),
);

const decision = { reason: null, expectedVersion: null };
const approval = { ...decision, path: 'ADMIN_CONSOLE', expiresAt: null } as const;

describe('on a grant', () => {
  const inputs = [null, 7, 3].map((expectedVersion) => ({ ...decision, grantId: 'grant', expectedVersion }));

  test.each(
    [
      ...[denyDataAccess, revokeDataAccess, denyGuardRequest],
      ...[withdrawDataAccessRequest, releaseDataAccess],
    ].map((command) => [command.operation, command] as const),
  )('%s', (_, command) => {
    expect(codesOf(command, inputs, named)).toEqual(declaredBy(command));
  });

  test('approveGuardRequest', () => {
    const ends = [NOW, fromNow(3 * HOUR)];
    const withEnds = [...inputs, ...ends.map((expiresAt) => ({ ...decision, grantId: 'grant', expiresAt }))];
    expect(codesOf(approveGuardRequest, withEnds, named)).toEqual(declaredBy(approveGuardRequest));
  });

  test('approveDataAccess, by grant and by ticket', () => {
    const variants = [
      approval,
      { ...approval, expectedVersion: 3 },
      { ...approval, expiresAt: NOW },
      { ...approval, expiresAt: fromNow(2 * HOUR) },
    ];
    const byGrant = variants.map((input) => ({ ...input, grantId: 'grant' }));
    const byTicket = variants.map((input) => ({ ...input, ticketId: 'ticket' }));
    const codes = new Set([
      ...codesOf(approveDataAccess, byGrant, named),
      ...codesOf(approveDataAccess, byTicket, unnamed),
    ]);
    expect(codes).toEqual(declaredBy(approveDataAccess));
  });
});

describe('on a support session', () => {
  const start = { grantId: 'grant', reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' } as const;

  test('startSupportSession', () => {
    const unused = [
      ...named,
      withGrant(
        { ticket: ticket({ site: { engineerCountries: ['IE'] } }), grants: [], grant: null },
        active(),
      ),
    ];
    const facts = unused.flatMap((one) => [null, openSession()].map((latest) => ({ ...one, latest })));
    expect(codesOf(startSupportSession, [start], facts)).toEqual(declaredBy(startSupportSession));
  });

  test('endSupportSession, which another engineer does not see', () => {
    const facts = named.flatMap((one) =>
      [openSession(), openSession({ engineerId: 'another' })].map((session) => ({ ...one, session })),
    );
    expect(codesOf(endSupportSession, [{ sessionId: 'session' }], facts)).toEqual(
      declaredBy(endSupportSession),
    );
  });
});

describe('on a ticket', () => {
  const ticketId = 'ticket';

  test('requestDataAccess', () => {
    const inputs = (['PRODUCT_DATA', 'ROVO_CONVERSATIONS'] as const).map((scope) => ({
      ...{ ticketId, scope, conversationIds: ['conversation'], justification: null },
    }));
    // Quotas refuse by what else there is, not by the facts of the command: quotas.test.ts.
    const ofQuotas: readonly string[] = quotaRefusals.requests;
    const declared = [...declaredBy(requestDataAccess)].filter((code) => !ofQuotas.includes(code));
    expect(codesOf(requestDataAccess, inputs, unnamed)).toEqual(new Set(declared));
  });

  test('assignTicket, which also refuses an engineer who does not exist', () => {
    const codes = codesOf(
      assignTicket,
      [
        { ticketId, engineerId: 'nobody' },
        { ticketId, engineerId: null },
      ],
      unnamed,
    );
    expect(codes).toEqual(new Set([...declaredBy(assignTicket), 'INVALID_INPUT']));
  });

  test('updateTicketStatus', () => {
    expect(codesOf(updateTicketStatus, [{ ticketId, status: 'RESOLVED' }], unnamed)).toEqual(
      declaredBy(updateTicketStatus),
    );
  });

  test('updateTicket, which also refuses a product that is not on the site', () => {
    const inputs = [
      { ticketId, status: 'RESOLVED' as const },
      { ticketId, product: { key: 'trello' } },
    ];
    expect(codesOf(updateTicket, inputs, unnamed)).toEqual(
      new Set([...declaredBy(updateTicket), 'INVALID_INPUT']),
    );
  });

  test.each([
    ['closeTicket', closeTicket],
    ['reopenTicket', reopenTicket],
  ])('%s', (_, command) => {
    expect(codesOf(command, [{ ticketId }], unnamed)).toEqual(declaredBy(command));
  });
});

describe('on a site', () => {
  const siteId = 'site';
  const organization = {
    ...{ id: 'organization', name: 'Acme', createdAt: fromNow(-DAY) },
    ...{ formerAdminId: null, formerAdminSince: null, ...keptForEver },
  };
  const few = { GUARD_ADMIN: 999, ORGANIZATION_ADMIN: 1_000 };
  const full = { GUARD_ADMIN: 1_000, ORGANIZATION_ADMIN: 0 };
  /** Another change of the policy waits. */
  const proposal: ProposalFacts = {
    id: 'proposal',
    waiting: newProposedChange(
      {
        ...{ kind: 'SET_SUPPORT_ACCESS_POLICY', about: 'the policy', organizationId: 'organization', siteId },
        input: {
          siteId,
          requestWaitSeconds: 2,
          maxGrantSeconds: null,
          samePersonMayApproveTwice: true,
          relayedConsentCounts: true,
        },
        ...{ before: {}, after: {}, summary: 'Change the policy', subjectId: null },
      },
      guardConfirmation,
      { id: 'waiting', proposedById: 'reporter', now: NOW },
    ),
    counts: few,
  };
  const asManyAsMay: ProposalFacts = { ...proposal, waiting: null, counts: full };
  const facts = tickets.flatMap(({ site }) =>
    [true, false].map((hasGuard) => ({
      site: {
        ...{ ...site, supportAccessRestricted: hasGuard },
        organization: { ...organization, hasGuard },
      } satisfies SiteWithOrganization,
    })),
  );
  const unsettled = facts.map(({ site }) => ({
    site: { ...site, unsettledSince: NOW, unsettledById: 'operator' },
  }));
  /** A member of another organization, who is not among the viewers of tickets. */
  const stranger = { ...user('stranger'), organizationIds: [] } as Viewer;

  test.each([
    ['deactivateSite', codesOf(deactivateSite, [{ siteId }], facts), deactivateSite],
    ['reactivateSite', codesOf(reactivateSite, [{ siteId }], [...facts, ...unsettled]), reactivateSite],
    [
      'setSupportAccessRestrictions',
      codesOf(
        setSupportAccessRestrictions,
        [true, false].map((restricted) => ({ siteId, restricted })),
        facts.map(({ site }) => ({ site, proposal: asManyAsMay })),
      ),
      setSupportAccessRestrictions,
    ],
    [
      'setSupportAccessPolicy',
      codesOf(
        setSupportAccessPolicy,
        [
          {
            ...{ siteId, requestWaitSeconds: 1, maxGrantSeconds: null, samePersonMayApproveTwice: true },
            relayedConsentCounts: null,
          },
        ],
        [proposal, asManyAsMay].flatMap((one) => facts.map(({ site }) => ({ site, proposal: one }))),
      ),
      setSupportAccessPolicy,
    ],
  ])('%s', (_, codes, command) => {
    const [first] = facts;
    if (first === undefined) throw new Error('no site');
    expect(command.isVisible(command.relations(stranger, first))).toBe(false);
    expect(new Set([...codes, 'NOT_FOUND'])).toEqual(declaredBy(command));
  });

  test.each([
    ['the site has', { maxSessionSeconds: 1_799 }, 1_800],
    ['is set', { sessionIdleSeconds: 601, maxSessionSeconds: 600 }, 601],
    ['is set beyond the maximum that the site has', { sessionIdleSeconds: 28_801 }, 28_801],
  ])('a session is not over before its idle limit, which %s', (_, limits, idle) => {
    const input = {
      ...{ siteId, requestWaitSeconds: 1, maxGrantSeconds: null, samePersonMayApproveTwice: true },
      ...{ relayedConsentCounts: null, ...limits },
    };
    for (const given of facts) {
      const { outcome } = decideCommand(setSupportAccessPolicy, given, input, { viewer: customer, now: NOW });
      expect(outcome).toMatchObject({
        refused: { code: 'INVALID_INPUT', message: expect.stringContaining(`which is ${idle}.`) },
      });
    }
  });
});

test('refusalKinds returns each kind of the codes once', () => {
  expect(refusalKinds(refusalsOfEveryCommand)).toEqual(new Set(['InvalidInput', 'Forbidden', 'Conflict']));
  expect(
    refusalKinds(['NOT_FOUND', 'NOT_ELIGIBLE', 'TICKET_CLOSED', 'ALREADY_OVER', 'SERVICE_UNAVAILABLE']),
  ).toEqual(new Set(['NotFound', 'NotEligible', 'InvalidState', 'Unavailable']));
});
