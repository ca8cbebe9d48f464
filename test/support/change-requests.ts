/** Change requests as plain data: one of every state, by what has happened to it. */
import type {
  ChangeRequest,
  Completed,
  Consented,
  InProgress,
  PendingConsent,
} from '../../src/changes/change-request.ts';
import { DAY, fromNow, HOUR } from './builders.ts';

const asked = {
  id: 'change',
  ticketId: 'ticket',
  siteId: 'site',
  organizationId: 'organization',
  kind: 'PERMISSIONS',
  resourceType: 'project',
  resourceId: 'ACME',
  description: 'Add the support group to the browsers of the project.',
  justification: 'The board of the project cannot be opened without.',
  requestedById: 'engineer',
  requestedAt: fromNow(-DAY),
  validUntil: fromNow(DAY),
  version: 7,
} as const;
const decided = {
  decidedById: 'customer',
  decidedAt: fromNow(-2 * HOUR),
  decisionReason: 'Go ahead.',
} as const;
const undecided = { decidedById: null, decidedAt: null, decisionReason: null } as const;
const allowed = { allowedAt: fromNow(-HOUR), sessionId: 'session' } as const;
const over = { endedAt: fromNow(-HOUR), endedById: 'somebody' } as const;

export const pendingConsent = (facts: Partial<PendingConsent> = {}): PendingConsent => ({
  ...asked,
  state: 'PENDING_CONSENT',
  ...facts,
});
export const consented = (facts: Partial<Consented> = {}): Consented => ({
  ...asked,
  ...decided,
  state: 'CONSENTED',
  ...facts,
});
export const inProgress = (facts: Partial<InProgress> = {}): InProgress => ({
  ...asked,
  ...decided,
  ...allowed,
  state: 'IN_PROGRESS',
  ...facts,
});
export const completed = (facts: Partial<Completed> = {}): Completed => ({
  ...asked,
  ...decided,
  ...allowed,
  ...over,
  ...{ state: 'COMPLETED', result: 'APPLIED', resultNote: null },
  ...facts,
});

/** Over without a change, each for one reason. */
export const neverMade: Record<string, ChangeRequest> = {
  refused: { ...asked, ...decided, ...over, state: 'REFUSED', endReason: 'REFUSED_BY_CUSTOMER' },
  'taken back by the customer': {
    ...asked,
    ...decided,
    ...over,
    state: 'REFUSED',
    endReason: 'CONSENT_REVOKED',
  },
  ...Object.fromEntries(
    (
      [
        'WITHDRAWN_BY_ENGINEER',
        'TICKET_CLOSED',
        'TICKET_REASSIGNED',
        'SITE_DEACTIVATED',
        'PRODUCT_UNLICENSED',
        'PRODUCT_CHANGED',
      ] as const
    ).flatMap((endReason) => [
      [
        `withdrawn before a decision: ${endReason}`,
        { ...asked, ...undecided, ...over, state: 'WITHDRAWN', endReason },
      ],
      [
        `withdrawn after a consent: ${endReason}`,
        { ...asked, ...decided, ...over, state: 'WITHDRAWN', endReason },
      ],
    ]),
  ),
  'expired undecided': {
    ...asked,
    ...undecided,
    ...over,
    endedById: null,
    state: 'EXPIRED',
    endReason: 'TIME_ELAPSED',
  },
  'expired after a consent': {
    ...asked,
    ...decided,
    ...over,
    endedById: null,
    state: 'EXPIRED',
    endReason: 'TIME_ELAPSED',
  },
};
