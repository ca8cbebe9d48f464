/**
 * The lifecycle as a table: every state × every command, with the change of the grant or the refusal.
 *
 * The types require a row for every state and end reason, and in each row a cell for every command.
 */
import type { GrantEventType } from '../../src/events/kinds/grant.ts';
import type { FinalGrant, Grant, GrantState, NeverActive } from '../../src/grants/grant.ts';
import type { GrantChange, GrantCommand, GrantRefusal } from '../../src/grants/lifecycle.ts';
import {
  active,
  DAY,
  fromNow,
  HOUR,
  longGuardAdmin,
  MS,
  NOW,
  overOnceActive,
  overUnapproved,
  overUnguarded,
  pendingApproval,
  pendingGuardApproval,
  terms,
} from '../support/builders.ts';

type Of<Type extends GrantCommand['type']> = Extract<GrantCommand, { type: Type }>;

/** The grants of the table were approved two hours ago. */
const appointedSince = { guardAdminSince: fromNow(-HOUR) } as const;

const approve = { type: 'Approve', by: 'admin', path: 'ADMIN_CONSOLE', expiresAt: null } as const;

export const commands = {
  Request: {
    again: {
      type: 'Request',
      grantId: 'grant',
      organizationId: 'organization',
      ticketId: 'ticket',
      siteId: 'site',
      scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['conversation-1', 'conversation-2'] },
      engineerId: 'engineer',
      requestedById: 'requester',
      justification: 'The board does not load.',
      waitSeconds: 14 * 24 * 3600,
      terms: { guardRequired: true, maxGrantSeconds: 3600, samePersonMayApproveTwice: false },
    },
  },
  Approve: {
    'until the ticket closes': { ...approve, terms: terms() },
    'until a set time': { ...approve, expiresAt: fromNow(HOUR), terms: terms() },
    'until a time in the past': { ...approve, expiresAt: NOW, terms: terms() },
    'with a limit of an hour': { ...approve, terms: terms({ maxGrantSeconds: 3600 }) },
    'for longer than the limit': {
      ...approve,
      expiresAt: fromNow(HOUR + MS),
      terms: terms({ maxGrantSeconds: 3600 }),
    },
    'on a restricted site': { ...approve, terms: terms({ guardRequired: true, maxGrantSeconds: 3600 }) },
    'until a set time, on a restricted site': {
      ...approve,
      expiresAt: fromNow(HOUR),
      terms: terms({ guardRequired: true }),
    },
    'until a time in the past, on a restricted site': {
      ...approve,
      expiresAt: NOW,
      terms: terms({ guardRequired: true }),
    },
  },
  Deny: { plainly: { type: 'Deny', by: 'admin' } },
  ApproveAsGuard: {
    'by another person': {
      type: 'ApproveAsGuard',
      by: 'guard',
      ...longGuardAdmin,
      terms: terms({ guardRequired: true }),
    },
    'after the restrictions were switched off': {
      type: 'ApproveAsGuard',
      by: 'guard',
      ...longGuardAdmin,
      terms: terms(),
    },
    'by the approver': {
      type: 'ApproveAsGuard',
      by: 'customer',
      ...longGuardAdmin,
      terms: terms({ guardRequired: true }),
    },
    'by the approver, where the policy allows it now': {
      type: 'ApproveAsGuard',
      by: 'customer',
      ...longGuardAdmin,
      terms: terms({ guardRequired: true, samePersonMayApproveTwice: true }),
    },
    'by somebody appointed after the approval': {
      type: 'ApproveAsGuard',
      by: 'guard',
      ...appointedSince,
      terms: terms({ guardRequired: true, samePersonMayApproveTwice: true }),
    },
  },
  DenyAsGuard: {
    plainly: { type: 'DenyAsGuard', by: 'guard', ...longGuardAdmin },
    'by somebody appointed after the approval': { type: 'DenyAsGuard', by: 'guard', ...appointedSince },
  },
  LapseApproval: { plainly: { type: 'LapseApproval' } },
  Revoke: {
    'as a customer': { type: 'Revoke', by: 'reporter', asGuard: false },
    'as a Guard admin': { type: 'Revoke', by: 'guard', asGuard: true },
  },
  Withdraw: { plainly: { type: 'Withdraw', by: 'engineer' } },
  Release: { plainly: { type: 'Release', by: 'engineer' } },
  Reassign: {
    'to another engineer': { type: 'Reassign', engineerId: 'next-engineer' },
    'to the same engineer': { type: 'Reassign', engineerId: 'engineer' },
    'to nobody': { type: 'Reassign', engineerId: null },
  },
  ShortenWait: {
    'to two days': { type: 'ShortenWait', waitSeconds: 2 * 24 * 3600 },
    'to less than it has waited': { type: 'ShortenWait', waitSeconds: 3600 },
    'to a year': { type: 'ShortenWait', waitSeconds: 365 * 24 * 3600 },
  },
  CloseTicket: { plainly: { type: 'CloseTicket', by: 'ticketing' } },
  DeactivateSite: { plainly: { type: 'DeactivateSite', by: 'operator' } },
  UnlicenseProduct: { plainly: { type: 'UnlicenseProduct', by: 'operator' } },
  ChangeProduct: { plainly: { type: 'ChangeProduct', by: 'ticketing' } },
  ElapseTime: { plainly: { type: 'ElapseTime' } },
} as const satisfies { [Type in GrantCommand['type']]: Record<string, Of<Type>> };

/** A change lists every fact of the grant that differs afterwards, except the version, and those that it loses. */
type Change = {
  event: GrantEventType;
  decision?: GrantChange['decision'];
  state: GrantState;
  facts: Readonly<Record<string, unknown>>;
  without?: readonly string[];
};
export type Outcome = Change | { refused: GrantRefusal } | { unchanged: true };
export type Row = { [Type in keyof typeof commands]: { [Case in keyof (typeof commands)[Type]]: Outcome } };

const refused = (code: GrantRefusal): Outcome => ({ refused: code });
const unchanged: Outcome = { unchanged: true };

/** The same outcome for every kind of approval. */
const everyApproval = (outcome: Outcome): Row['Approve'] => ({
  'until the ticket closes': outcome,
  'until a set time': outcome,
  'until a time in the past': outcome,
  'with a limit of an hour': outcome,
  'for longer than the limit': outcome,
  'on a restricted site': outcome,
  'until a set time, on a restricted site': outcome,
  'until a time in the past, on a restricted site': outcome,
});

const everyGuardApproval = (outcome: Outcome): Row['ApproveAsGuard'] => ({
  'by another person': outcome,
  'after the restrictions were switched off': outcome,
  'by the approver': outcome,
  'by the approver, where the policy allows it now': outcome,
  'by somebody appointed after the approval': outcome,
});

/** The same outcome for every denial as the Guard. */
const everyGuardDenial = (outcome: Outcome): Row['DenyAsGuard'] => ({
  plainly: outcome,
  'by somebody appointed after the approval': outcome,
});

/** The same outcome for every change of the wait. */
const everyWait = (outcome: Outcome): Row['ShortenWait'] => ({
  'to two days': outcome,
  'to less than it has waited': outcome,
  'to a year': outcome,
});

/** It was opened a day ago, for two weeks. */
const shortened = (state: GrantState): Row['ShortenWait'] => ({
  'to two days': { event: 'WAIT_SHORTENED', state, facts: { approvalDueAt: fromNow(DAY) } },
  'to less than it has waited': { event: 'WAIT_SHORTENED', state, facts: { approvalDueAt: NOW } },
  'to a year': unchanged,
});

/** Its deadline comes in a millisecond. */
const barelyShortened = (state: GrantState): Row['ShortenWait'] => ({
  ...shortened(state),
  'to two days': unchanged,
});

const noGrant: Row = {
  Request: {
    again: {
      event: 'REQUESTED',
      state: 'PENDING_APPROVAL',
      facts: {
        id: 'grant',
        organizationId: 'organization',
        ticketId: 'ticket',
        siteId: 'site',
        scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['conversation-1', 'conversation-2'] },
        engineerId: 'engineer',
        requestedById: 'requester',
        justification: 'The board does not load.',
        requestedAt: NOW,
        approvalDueAt: fromNow(14 * DAY),
        terms: { guardRequired: true, maxGrantSeconds: 3600, samePersonMayApproveTwice: false },
      },
    },
  },
  Approve: everyApproval(refused('NO_SUCH_GRANT')),
  Deny: { plainly: refused('NO_SUCH_GRANT') },
  ApproveAsGuard: everyGuardApproval(refused('NO_SUCH_GRANT')),
  DenyAsGuard: everyGuardDenial(refused('NO_SUCH_GRANT')),
  LapseApproval: { plainly: refused('NO_SUCH_GRANT') },
  Revoke: { 'as a customer': refused('NO_SUCH_GRANT'), 'as a Guard admin': refused('NO_SUCH_GRANT') },
  Withdraw: { plainly: refused('NO_SUCH_GRANT') },
  Release: { plainly: refused('NO_SUCH_GRANT') },
  Reassign: {
    'to another engineer': refused('NO_SUCH_GRANT'),
    'to the same engineer': refused('NO_SUCH_GRANT'),
    'to nobody': refused('NO_SUCH_GRANT'),
  },
  ShortenWait: everyWait(refused('NO_SUCH_GRANT')),
  CloseTicket: { plainly: refused('NO_SUCH_GRANT') },
  DeactivateSite: { plainly: refused('NO_SUCH_GRANT') },
  UnlicenseProduct: { plainly: refused('NO_SUCH_GRANT') },
  ChangeProduct: { plainly: refused('NO_SUCH_GRANT') },
  ElapseTime: { plainly: refused('NO_SUCH_GRANT') },
};

const reassigned = (state: GrantState): Row['Reassign'] => ({
  'to another engineer': { event: 'REASSIGNED', state, facts: { engineerId: 'next-engineer' } },
  'to the same engineer': unchanged,
  'to nobody': { event: 'REASSIGNED', state, facts: { engineerId: null } },
});

const byAdmin = { path: 'ADMIN_CONSOLE', customerApprovedAt: NOW, customerApprovedById: 'admin' };
const approvedByAdmin = { stage: 'CUSTOMER', outcome: 'APPROVED', by: 'admin' } as const;
const neverApproved = { path: null, customerApprovedAt: null, customerApprovedById: null, expiresAt: null };

const waitsForCustomer: Row = {
  Request: { again: refused('ALREADY_REQUESTED') },
  Approve: {
    'until the ticket closes': {
      event: 'ACTIVATED',
      decision: approvedByAdmin,
      state: 'ACTIVE',
      facts: { ...byAdmin, activatedAt: NOW, expiresAt: null },
    },
    'until a set time': {
      event: 'ACTIVATED',
      decision: approvedByAdmin,
      state: 'ACTIVE',
      facts: { ...byAdmin, activatedAt: NOW, expiresAt: fromNow(HOUR) },
    },
    'until a time in the past': refused('EXPIRES_AT_IN_THE_PAST'),
    'with a limit of an hour': {
      event: 'ACTIVATED',
      decision: approvedByAdmin,
      state: 'ACTIVE',
      facts: { ...byAdmin, activatedAt: NOW, expiresAt: fromNow(HOUR) },
    },
    'for longer than the limit': refused('EXPIRES_AT_BEYOND_POLICY'),
    'on a restricted site': {
      event: 'AWAITING_GUARD',
      decision: approvedByAdmin,
      state: 'PENDING_GUARD_APPROVAL',
      facts: { ...byAdmin, expiresAt: null },
    },
    'until a set time, on a restricted site': {
      event: 'AWAITING_GUARD',
      decision: approvedByAdmin,
      state: 'PENDING_GUARD_APPROVAL',
      facts: { ...byAdmin, expiresAt: fromNow(HOUR) },
    },
    'until a time in the past, on a restricted site': refused('EXPIRES_AT_IN_THE_PAST'),
  },
  Deny: {
    plainly: {
      event: 'DENIED',
      decision: { stage: 'CUSTOMER', outcome: 'DENIED', by: 'admin' },
      state: 'DENIED',
      facts: { ...neverApproved, endReason: 'DENIED_BY_CUSTOMER', endedAt: NOW, endedById: 'admin' },
    },
  },
  ApproveAsGuard: everyGuardApproval(refused('NOT_AWAITING_GUARD')),
  DenyAsGuard: everyGuardDenial(refused('NOT_AWAITING_GUARD')),
  LapseApproval: { plainly: unchanged },
  Revoke: { 'as a customer': refused('NOT_APPROVED_YET'), 'as a Guard admin': refused('NOT_APPROVED_YET') },
  Withdraw: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { ...neverApproved, endReason: 'WITHDRAWN_BY_ENGINEER', endedAt: NOW, endedById: 'engineer' },
    },
  },
  Release: { plainly: refused('NOT_ACTIVE') },
  Reassign: reassigned('PENDING_APPROVAL'),
  ShortenWait: shortened('PENDING_APPROVAL'),
  CloseTicket: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { ...neverApproved, endReason: 'TICKET_CLOSED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  DeactivateSite: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { ...neverApproved, endReason: 'SITE_DEACTIVATED', endedAt: NOW, endedById: 'operator' },
    },
  },
  UnlicenseProduct: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { ...neverApproved, endReason: 'PRODUCT_UNLICENSED', endedAt: NOW, endedById: 'operator' },
    },
  },
  ChangeProduct: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { ...neverApproved, endReason: 'PRODUCT_CHANGED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  ElapseTime: { plainly: unchanged },
};

const approvalFacts = ['path', 'customerApprovedAt', 'customerApprovedById', 'expiresAt'];

const waitsForGuard: Row = {
  Request: { again: refused('ALREADY_REQUESTED') },
  Approve: everyApproval(refused('ALREADY_APPROVED')),
  Deny: { plainly: refused('ALREADY_APPROVED') },
  ApproveAsGuard: {
    'by another person': {
      event: 'ACTIVATED',
      decision: { stage: 'GUARD', outcome: 'APPROVED', by: 'guard' },
      state: 'ACTIVE',
      facts: { activatedAt: NOW },
    },
    'after the restrictions were switched off': {
      event: 'ACTIVATED',
      decision: { stage: 'GUARD', outcome: 'APPROVED', by: 'guard' },
      state: 'ACTIVE',
      facts: { activatedAt: NOW },
    },
    'by the approver': refused('SAME_PERSON_MAY_NOT_APPROVE_TWICE'),
    'by the approver, where the policy allows it now': refused('SAME_PERSON_MAY_NOT_APPROVE_TWICE'),
    'by somebody appointed after the approval': refused('GUARD_ADMIN_ONLY_SINCE_APPROVAL'),
  },
  DenyAsGuard: {
    plainly: {
      event: 'DENIED',
      decision: { stage: 'GUARD', outcome: 'DENIED', by: 'guard' },
      state: 'DENIED',
      facts: { endReason: 'DENIED_BY_GUARD', endedAt: NOW, endedById: 'guard' },
    },
    'by somebody appointed after the approval': refused('GUARD_ADMIN_ONLY_SINCE_APPROVAL'),
  },
  LapseApproval: {
    plainly: { event: 'APPROVAL_LAPSED', state: 'PENDING_APPROVAL', facts: {}, without: approvalFacts },
  },
  Revoke: {
    'as a customer': {
      event: 'DENIED',
      decision: { stage: 'CUSTOMER', outcome: 'DENIED', by: 'reporter' },
      state: 'DENIED',
      facts: { endReason: 'DENIED_BY_CUSTOMER', endedAt: NOW, endedById: 'reporter' },
    },
    'as a Guard admin': {
      event: 'DENIED',
      decision: { stage: 'GUARD', outcome: 'DENIED', by: 'guard' },
      state: 'DENIED',
      facts: { endReason: 'DENIED_BY_GUARD', endedAt: NOW, endedById: 'guard' },
    },
  },
  Withdraw: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { endReason: 'WITHDRAWN_BY_ENGINEER', endedAt: NOW, endedById: 'engineer' },
    },
  },
  Release: { plainly: refused('NOT_ACTIVE') },
  Reassign: reassigned('PENDING_GUARD_APPROVAL'),
  ShortenWait: shortened('PENDING_GUARD_APPROVAL'),
  CloseTicket: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { endReason: 'TICKET_CLOSED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  DeactivateSite: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { endReason: 'SITE_DEACTIVATED', endedAt: NOW, endedById: 'operator' },
    },
  },
  UnlicenseProduct: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { endReason: 'PRODUCT_UNLICENSED', endedAt: NOW, endedById: 'operator' },
    },
  },
  ChangeProduct: {
    plainly: {
      event: 'WITHDRAWN',
      state: 'WITHDRAWN',
      facts: { endReason: 'PRODUCT_CHANGED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  ElapseTime: { plainly: unchanged },
};

const secondApproval = (by: string, expiresAt: Date): Change => ({
  event: 'ACTIVATED',
  decision: { stage: 'GUARD', outcome: 'APPROVED', by },
  state: 'ACTIVE',
  facts: { activatedAt: NOW, expiresAt },
});

/** Opened where one person might approve twice, for an hour at most. */
const waitsForAnyGuard: Row = {
  ...waitsForGuard,
  ApproveAsGuard: {
    'by another person': secondApproval('guard', fromNow(HOUR)),
    'after the restrictions were switched off': secondApproval('guard', fromNow(HOUR)),
    'by the approver': refused('SAME_PERSON_MAY_NOT_APPROVE_TWICE'),
    'by the approver, where the policy allows it now': secondApproval('customer', fromNow(HOUR)),
    'by somebody appointed after the approval': refused('GUARD_ADMIN_ONLY_SINCE_APPROVAL'),
  },
};

const awaitingGuard = (expiresAt: Date | null): Change => ({
  event: 'AWAITING_GUARD',
  decision: approvedByAdmin,
  state: 'PENDING_GUARD_APPROVAL',
  facts: { ...byAdmin, expiresAt },
});

/** Opened on a restricted site, for an hour at most. */
const waitsForCustomerUnderRestrictions: Row = {
  ...waitsForCustomer,
  Approve: {
    ...waitsForCustomer.Approve,
    'until the ticket closes': awaitingGuard(null),
    'until a set time': awaitingGuard(fromNow(HOUR)),
    'with a limit of an hour': awaitingGuard(null),
  },
};

const isActive: Row = {
  Request: { again: refused('ALREADY_REQUESTED') },
  Approve: everyApproval(refused('ALREADY_ACTIVE')),
  Deny: { plainly: refused('ALREADY_ACTIVE') },
  ApproveAsGuard: everyGuardApproval(refused('ALREADY_ACTIVE')),
  DenyAsGuard: everyGuardDenial(refused('ALREADY_ACTIVE')),
  LapseApproval: { plainly: unchanged },
  Revoke: {
    'as a customer': {
      event: 'REVOKED',
      state: 'REVOKED',
      facts: { endReason: 'REVOKED_BY_CUSTOMER', endedAt: NOW, endedById: 'reporter' },
    },
    'as a Guard admin': {
      event: 'REVOKED',
      state: 'REVOKED',
      facts: { endReason: 'REVOKED_BY_CUSTOMER', endedAt: NOW, endedById: 'guard' },
    },
  },
  Withdraw: { plainly: refused('ALREADY_ACTIVE') },
  Release: {
    plainly: {
      event: 'ENDED',
      state: 'ENDED',
      facts: { endReason: 'RELEASED_BY_ENGINEER', endedAt: NOW, endedById: 'engineer' },
    },
  },
  Reassign: reassigned('ACTIVE'),
  ShortenWait: everyWait(unchanged),
  CloseTicket: {
    plainly: {
      event: 'REVOKED',
      state: 'REVOKED',
      facts: { endReason: 'TICKET_CLOSED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  DeactivateSite: {
    plainly: {
      event: 'ENDED',
      state: 'ENDED',
      facts: { endReason: 'SITE_DEACTIVATED', endedAt: NOW, endedById: 'operator' },
    },
  },
  UnlicenseProduct: {
    plainly: {
      event: 'ENDED',
      state: 'ENDED',
      facts: { endReason: 'PRODUCT_UNLICENSED', endedAt: NOW, endedById: 'operator' },
    },
  },
  ChangeProduct: {
    plainly: {
      event: 'ENDED',
      state: 'ENDED',
      facts: { endReason: 'PRODUCT_CHANGED', endedAt: NOW, endedById: 'ticketing' },
    },
  },
  ElapseTime: { plainly: unchanged },
};

const isOver: Row = {
  Request: { again: refused('ALREADY_REQUESTED') },
  Approve: everyApproval(refused('ALREADY_OVER')),
  Deny: { plainly: refused('ALREADY_OVER') },
  ApproveAsGuard: everyGuardApproval(refused('ALREADY_OVER')),
  DenyAsGuard: everyGuardDenial(refused('ALREADY_OVER')),
  LapseApproval: { plainly: unchanged },
  Revoke: { 'as a customer': refused('ALREADY_OVER'), 'as a Guard admin': refused('ALREADY_OVER') },
  Withdraw: { plainly: refused('ALREADY_OVER') },
  Release: { plainly: refused('ALREADY_OVER') },
  Reassign: { 'to another engineer': unchanged, 'to the same engineer': unchanged, 'to nobody': unchanged },
  ShortenWait: everyWait(unchanged),
  CloseTicket: { plainly: unchanged },
  DeactivateSite: { plainly: unchanged },
  UnlicenseProduct: { plainly: unchanged },
  ChangeProduct: { plainly: unchanged },
  ElapseTime: { plainly: unchanged },
};

/**
 * Its time has run out, but the background job has not written that yet: over for everybody, and the job records its
 * end.
 */
const expired = (end: Change): Row => ({ ...isOver, ElapseTime: { plainly: end } });

const timedOutUnapproved = (at: Date): Change => ({
  event: 'EXPIRED',
  state: 'EXPIRED',
  facts: { ...neverApproved, endReason: 'APPROVAL_TIMED_OUT', endedAt: at, endedById: null },
});
const timedOutUnguarded = (at: Date): Change => ({
  event: 'EXPIRED',
  state: 'EXPIRED',
  facts: { endReason: 'APPROVAL_TIMED_OUT', endedAt: at, endedById: null },
});
const ranOut = (at: Date): Change => ({
  event: 'ENDED',
  state: 'ENDED',
  facts: { endReason: 'TIME_ELAPSED', endedAt: at, endedById: null },
});

export type Situation = { given: Grant | null; row: Row };

/** In a final state nothing changes, whatever the grant's dates are. */
const whateverItsDates = <Final extends FinalGrant>(given: Final): Situation[] => [
  { given, row: isOver },
  { given: { ...given, approvalDueAt: fromNow(-MS), expiresAt: fromNow(-MS) }, row: isOver },
];
const neverActive = (end: Parameters<typeof overUnapproved>[0]): Situation[] => [
  ...whateverItsDates<NeverActive>(overUnapproved(end)),
  ...whateverItsDates<NeverActive>(overUnguarded(end)),
];
const onceActive = (end: Parameters<typeof overOnceActive>[0]): Situation[] =>
  whateverItsDates(overOnceActive(end));

type EndReasonOf<State> = Extract<FinalGrant, { state: State }>['endReason'];
type Situations = {
  [State in GrantState | 'none']: State extends FinalGrant['state']
    ? Record<EndReasonOf<State>, Situation[]>
    : Record<string, Situation[]>;
};

export const situations: Situations = {
  none: { 'no grant': [{ given: null, row: noGrant }] },
  PENDING_APPROVAL: {
    'long before its deadline': [{ given: pendingApproval(), row: waitsForCustomer }],
    'one millisecond before its deadline': [
      {
        given: pendingApproval({ approvalDueAt: fromNow(MS) }),
        row: { ...waitsForCustomer, ShortenWait: barelyShortened('PENDING_APPROVAL') },
      },
    ],
    'opened under restrictions': [
      {
        given: pendingApproval({ terms: terms({ guardRequired: true, maxGrantSeconds: 3600 }) }),
        row: waitsForCustomerUnderRestrictions,
      },
    ],
    'for Rovo conversations': [
      {
        given: pendingApproval({ scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['one'] } }),
        row: waitsForCustomer,
      },
    ],
    'on a ticket without an engineer': [
      {
        given: pendingApproval({ engineerId: null, justification: null }),
        row: {
          ...waitsForCustomer,
          Reassign: {
            'to another engineer': {
              event: 'REASSIGNED',
              state: 'PENDING_APPROVAL',
              facts: { engineerId: 'next-engineer' },
            },
            'to the same engineer': {
              event: 'REASSIGNED',
              state: 'PENDING_APPROVAL',
              facts: { engineerId: 'engineer' },
            },
            'to nobody': unchanged,
          },
        },
      },
    ],
    'at its deadline': [
      { given: pendingApproval({ approvalDueAt: NOW }), row: expired(timedOutUnapproved(NOW)) },
    ],
    'an hour after its deadline': [
      {
        given: pendingApproval({ approvalDueAt: fromNow(-HOUR) }),
        row: expired(timedOutUnapproved(fromNow(-HOUR))),
      },
    ],
  },
  PENDING_GUARD_APPROVAL: {
    'approved until the ticket closes': [{ given: pendingGuardApproval(), row: waitsForGuard }],
    'opened where one person might approve twice, for an hour at most': [
      {
        given: pendingGuardApproval({
          terms: terms({ samePersonMayApproveTwice: true, maxGrantSeconds: 3600 }),
        }),
        row: waitsForAnyGuard,
      },
    ],
    'one millisecond before its deadline': [
      {
        given: pendingGuardApproval({ approvalDueAt: fromNow(MS) }),
        row: { ...waitsForGuard, ShortenWait: barelyShortened('PENDING_GUARD_APPROVAL') },
      },
    ],
    'one millisecond before its approved end': [
      { given: pendingGuardApproval({ expiresAt: fromNow(MS) }), row: waitsForGuard },
    ],
    'whose approved end is after its deadline': [
      {
        given: pendingGuardApproval({ approvalDueAt: fromNow(MS), expiresAt: fromNow(DAY) }),
        row: { ...waitsForGuard, ShortenWait: barelyShortened('PENDING_GUARD_APPROVAL') },
      },
    ],
    'at its deadline': [
      { given: pendingGuardApproval({ approvalDueAt: NOW }), row: expired(timedOutUnguarded(NOW)) },
    ],
    'after its deadline, before its approved end': [
      {
        given: pendingGuardApproval({ approvalDueAt: fromNow(-HOUR), expiresAt: fromNow(HOUR) }),
        row: expired(timedOutUnguarded(fromNow(-HOUR))),
      },
    ],
    'at its approved end': [
      { given: pendingGuardApproval({ expiresAt: NOW }), row: expired(timedOutUnguarded(NOW)) },
    ],
    'after its approved end, which was before its deadline': [
      {
        given: pendingGuardApproval({ approvalDueAt: fromNow(-MS), expiresAt: fromNow(-HOUR) }),
        row: expired(timedOutUnguarded(fromNow(-HOUR))),
      },
    ],
  },
  ACTIVE: {
    'until the ticket closes': [{ given: active(), row: isActive }],
    'long after the deadline of its request': [
      { given: active({ approvalDueAt: fromNow(-365 * DAY) }), row: isActive },
    ],
    'one millisecond before its end': [{ given: active({ expiresAt: fromNow(MS) }), row: isActive }],
    'at its end': [{ given: active({ expiresAt: NOW }), row: expired(ranOut(NOW)) }],
    'an hour after its end': [
      { given: active({ expiresAt: fromNow(-HOUR) }), row: expired(ranOut(fromNow(-HOUR))) },
    ],
  },
  DENIED: {
    DENIED_BY_CUSTOMER: neverActive({ state: 'DENIED', endReason: 'DENIED_BY_CUSTOMER' }),
    DENIED_BY_GUARD: neverActive({ state: 'DENIED', endReason: 'DENIED_BY_GUARD' }),
  },
  WITHDRAWN: {
    WITHDRAWN_BY_ENGINEER: neverActive({ state: 'WITHDRAWN', endReason: 'WITHDRAWN_BY_ENGINEER' }),
    TICKET_CLOSED: neverActive({ state: 'WITHDRAWN', endReason: 'TICKET_CLOSED' }),
    SITE_DEACTIVATED: neverActive({ state: 'WITHDRAWN', endReason: 'SITE_DEACTIVATED' }),
    PRODUCT_UNLICENSED: neverActive({ state: 'WITHDRAWN', endReason: 'PRODUCT_UNLICENSED' }),
    PRODUCT_CHANGED: neverActive({ state: 'WITHDRAWN', endReason: 'PRODUCT_CHANGED' }),
  },
  EXPIRED: {
    APPROVAL_TIMED_OUT: neverActive({ state: 'EXPIRED', endReason: 'APPROVAL_TIMED_OUT' }),
  },
  REVOKED: {
    REVOKED_BY_CUSTOMER: onceActive({ state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER' }),
    TICKET_CLOSED: onceActive({ state: 'REVOKED', endReason: 'TICKET_CLOSED' }),
  },
  ENDED: {
    TIME_ELAPSED: onceActive({ state: 'ENDED', endReason: 'TIME_ELAPSED' }),
    RELEASED_BY_ENGINEER: onceActive({ state: 'ENDED', endReason: 'RELEASED_BY_ENGINEER' }),
    SITE_DEACTIVATED: onceActive({ state: 'ENDED', endReason: 'SITE_DEACTIVATED' }),
    PRODUCT_UNLICENSED: onceActive({ state: 'ENDED', endReason: 'PRODUCT_UNLICENSED' }),
    PRODUCT_CHANGED: onceActive({ state: 'ENDED', endReason: 'PRODUCT_CHANGED' }),
  },
};
