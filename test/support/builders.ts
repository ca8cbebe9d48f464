/**
 * Builders of grants, people and places as plain data, for the tests of the rules. Every builder returns a typical
 * case; a test sets only the fields that matter for its rule.
 */
import type {
  ActiveGrant,
  FinalGrant,
  NeverActive,
  PendingApproval,
  PendingGuardApproval,
  WasActive,
} from '../../src/grants/grant.ts';
import type { GrantTerms } from '../../src/grants/terms.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import type { Person, ProductOnSite } from '../../src/roles/eligibility.ts';
import type { Role, RoleAssignment } from '../../src/roles/role.ts';
import type { Session } from '../../src/sessions/session.ts';
import type { TicketOnProduct } from '../../src/tickets/store.ts';

/** The time of every decision for which a test gives no other time. */
export const NOW: Date = new Date('2026-03-02T10:00:00.000Z');
export const MS = 1;
export const SECOND: number = 1000 * MS;
export const HOUR: number = 3600 * SECOND;
export const DAY: number = 24 * HOUR;

/** The time this many milliseconds after `NOW`, or before it if the number is negative. */
export const fromNow = (ms: number): Date => new Date(NOW.getTime() + ms);

/** The terms of a site without restrictions and without a limit on how long grants last. */
export const terms = (facts: Partial<GrantTerms> = {}): GrantTerms => ({
  guardRequired: false,
  maxGrantSeconds: null,
  samePersonMayApproveTwice: false,
  ...facts,
});

/** A Guard admin before any grant was approved. */
export const longGuardAdmin = { guardAdminSince: new Date(0) } as const;

const asked = {
  id: 'grant',
  organizationId: 'organization',
  ticketId: 'ticket',
  siteId: 'site',
  scope: { kind: 'PRODUCT_DATA' },
  engineerId: 'engineer',
  requestedById: 'engineer',
  justification: 'The board does not load.',
  requestedAt: fromNow(-DAY),
  approvalDueAt: fromNow(13 * DAY),
  terms: terms(),
  version: 7,
} as const;

const approved = {
  path: 'SUPPORT_PORTAL',
  customerApprovedAt: fromNow(-2 * HOUR),
  customerApprovedById: 'customer',
  expiresAt: null,
} as const;

const neverApproved = {
  path: null,
  customerApprovedAt: null,
  customerApprovedById: null,
  expiresAt: null,
} as const;

const over = { endedAt: fromNow(-HOUR), endedById: 'somebody' } as const;

export const pendingApproval = (facts: Partial<PendingApproval> = {}): PendingApproval => ({
  ...asked,
  state: 'PENDING_APPROVAL',
  ...facts,
});

export const pendingGuardApproval = (facts: Partial<PendingGuardApproval> = {}): PendingGuardApproval => ({
  ...asked,
  ...approved,
  state: 'PENDING_GUARD_APPROVAL',
  ...facts,
});

export const active = (facts: Partial<ActiveGrant> = {}): ActiveGrant => ({
  ...asked,
  ...approved,
  state: 'ACTIVE',
  activatedAt: fromNow(-2 * HOUR),
  ...facts,
});

/** A final state with the end reasons that belong to it. */
type End<Of extends FinalGrant> = Of extends FinalGrant ? Pick<Of, 'state' | 'endReason'> : never;

/** Ended before the customer approved. */
export const overUnapproved = (end: End<NeverActive>): NeverActive => ({
  ...asked,
  ...neverApproved,
  ...over,
  ...end,
});

/** Ended after the customer approved, before the Guard admin decided. */
export const overUnguarded = (end: End<NeverActive>): NeverActive => ({
  ...asked,
  ...approved,
  ...over,
  ...end,
});

/** Ended after it was active. */
export const overOnceActive = (end: End<WasActive>): WasActive => ({
  ...asked,
  ...approved,
  ...over,
  activatedAt: fromNow(-2 * HOUR),
  ...end,
});

/** Started an hour ago under the active grant, and used ten minutes ago. */
export const openSession = (facts: Partial<Session> = {}): Session => ({
  ...{ id: 'session', grantId: 'grant', ticketId: 'ticket', siteId: 'site', organizationId: 'organization' },
  ...{ engineerId: 'engineer', reason: 'INVESTIGATE_PROBLEM', note: 'To see the board.', country: 'DE' },
  ...{ startedAt: fromNow(-HOUR), lastUsedAt: fromNow(-600 * SECOND), idleSeconds: 1800 },
  ...{ expiresAt: fromNow(7 * HOUR), dueAt: fromNow(1200 * SECOND) },
  ...{ endedAt: null, endReason: null, endedById: null, version: 1 },
  ...facts,
});

/** Jira on an active site. */
export const place = (
  site: Partial<ProductOnSite['site']> = {},
  product: Partial<ProductOnSite['product']> = {},
): ProductOnSite => ({
  site: {
    id: 'site',
    organizationId: 'organization',
    status: 'ACTIVE',
    experience: 'CENTRALIZED',
    ...site,
  },
  product: { id: 'jira@site', key: 'jira', licensed: true, ...product },
});

/** The places over which a role can be held, relative to the ticket's product and site. */
export const holdings = {
  ORGANIZATION: { siteId: null, productId: null, productKey: null },
  THIS_SITE: { siteId: 'site', productId: null, productKey: null },
  OTHER_SITE: { siteId: 'other-site', productId: null, productKey: null },
  THIS_PRODUCT: { siteId: 'site', productId: 'jira@site', productKey: 'jira' },
  OTHER_PRODUCT: { siteId: 'site', productId: 'confluence@site', productKey: 'confluence' },
  THIS_PRODUCT_ON_OTHER_SITE: { siteId: 'other-site', productId: 'jira@other-site', productKey: 'jira' },
  OTHER_PRODUCT_ON_OTHER_SITE: {
    siteId: 'other-site',
    productId: 'confluence@other-site',
    productKey: 'confluence',
  },
} as const satisfies Record<string, Pick<RoleAssignment, 'siteId' | 'productId' | 'productKey'>>;

export type Holding = keyof typeof holdings;

export const assignment = (
  role: Role,
  holding: Holding,
  facts: Partial<RoleAssignment> = {},
): RoleAssignment => ({
  id: `${role} over ${holding}`,
  accountId: 'person',
  role,
  organizationId: 'organization',
  ...holdings[holding],
  syncState: 'SYNCED',
  since: 0,
  ...facts,
});

/** A member of the site's organization who holds these roles. */
export const member = (...assignments: RoleAssignment[]): Person => ({ isMember: true, assignments });

/** An open ticket about Jira on an active site, filed by `reporter` and assigned to `engineer`. */
export const ticket = ({
  site = {},
  product = {},
  ...facts
}: Partial<Omit<TicketOnProduct, 'site' | 'product'>> & {
  site?: Partial<TicketOnProduct['site']>;
  product?: Partial<TicketOnProduct['product']>;
} = {}): TicketOnProduct => ({
  id: 'ticket',
  key: 'SUP-1000',
  summary: 'The board does not load.',
  organizationId: 'organization',
  siteId: 'site',
  productId: 'jira@site',
  reporterId: 'reporter',
  assigneeId: 'engineer',
  status: 'OPEN',
  version: 1,
  createdAt: fromNow(-DAY),
  closedAt: null,
  consentRelayedById: null,
  relayedConsent: null,
  ...{ integrationId: null, externalId: null, statusMoment: null, assignmentMoment: null },
  ...{ summaryMoment: null, productMoment: null },
  ...facts,
  site: {
    ...place().site,
    url: 'https://site.example',
    name: 'Site',
    dataResidencyRegion: 'GLOBAL',
    supportAccessRestricted: false,
    requestWaitSeconds: 14 * 24 * 3600,
    maxGrantSeconds: null,
    samePersonMayApproveTwice: false,
    relayedConsentCounts: true,
    dataResidencyPinned: false,
    engineerCountries: [],
    sessionIdleSeconds: 30 * 60,
    maxSessionSeconds: 8 * 3600,
    createdAt: fromNow(-DAY),
    ...{ unsettledSince: null, unsettledById: null },
    ...site,
  },
  product: {
    ...place().product,
    organizationId: 'organization',
    siteId: 'site',
    name: 'Jira',
    createdAt: fromNow(-DAY),
    ...{ unsettledSince: null, unsettledById: null },
    ...product,
  },
});

const named = (id: string) => ({ id, email: `${id}@example.com`, name: id });

/** A member of the site's organization who holds these roles. */
export const user = (id: string, ...assignments: RoleAssignment[]): Viewer => ({
  ...named(id),
  kind: 'USER',
  organizationIds: ['organization'],
  assignments,
});

export const engineer = (id: string = 'engineer'): Viewer => ({ ...named(id), kind: 'SUPPORT_ENGINEER' });
export const operator = (): Viewer => ({ ...named('operator'), kind: 'OPERATOR' });
export const ticketing = (): Viewer => ({
  ...named('ticketing'),
  kind: 'SERVICE_ACCOUNT',
  capabilities: ['TICKETING'],
  evaluatedProducts: [],
  organizationId: null,
});
