/**
 * What an account may see, as conditions on every read: lists, look-ups by id, `node`, subscriptions. The conditions
 * here and the relations in viewer-relations.ts must agree; test/authorization/agreement.test.ts compares them.
 */
import type { AuditEntry, Prisma } from '../../prisma/generated/client/client.ts';
import type { AuditPlace, SeenAddresses } from '../audit/filter.ts';
import type { ServiceCapability, ServiceViewer, UserViewer, Viewer } from '../identity/viewer.ts';
import { isOrganizationAdminOf } from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import { isRovoBackend, relationsToGuardedOrganization, seesAuditStream } from './viewer-relations.ts';
import {
  organizationsWithRole,
  seesTickets,
  ticketsSeen,
  waysToSeeTickets,
  withVisibleGrants,
} from './ways.ts';

/** Matches no row: for accounts that may see none. */
const nothing = { id: { in: [] } };

/** The vendor's own is shown to nobody. */
const ofCustomers = { id: { not: vendorOrganizationId } };

export function visibleOrganizations(viewer: Viewer): Prisma.OrganizationWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return ofCustomers;
    case 'SERVICE_ACCOUNT':
      return viewer.organizationId === null ? ofCustomers : { id: viewer.organizationId };
    case 'USER':
      return { id: { in: [...viewer.organizationIds] } };
    case 'SUPPORT_ENGINEER':
      return { sites: { some: visibleSites(viewer) } };
  }
}

export function visibleSites(viewer: Viewer): Prisma.SiteWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return {};
    case 'SERVICE_ACCOUNT':
      return boundTo(viewer);
    case 'USER':
      return { organizationId: { in: [...viewer.organizationIds] } };
    case 'SUPPORT_ENGINEER':
      return { tickets: { some: { assigneeId: viewer.id } } };
  }
}

export function visibleProducts(viewer: Viewer): Prisma.ProductWhereInput {
  return viewer.kind === 'OPERATOR' ? {} : { site: visibleSites(viewer) };
}

/** The change requests that a person has consented to or refused. */
export function ownConsents(viewer: Viewer): Prisma.ChangeRequestWhereInput[] {
  return viewer.kind === 'USER'
    ? [{ decidedById: viewer.id, organizationId: { in: [...viewer.organizationIds] } }]
    : [];
}

export function visibleTickets(viewer: Viewer): Prisma.TicketWhereInput {
  const ways = waysToSeeTickets(viewer);
  if (ways !== null) return { OR: ways.map(ticketsSeen) };
  const seesAll = viewer.kind === 'OPERATOR' || (viewer.kind === 'SERVICE_ACCOUNT' && seesTickets(viewer));
  return seesAll ? {} : nothing;
}

export function visibleGrants(viewer: Viewer): Prisma.GrantWhereInput {
  return viewer.kind === 'OPERATOR' ? {} : { ticket: visibleTimelines(viewer) };
}

/** The tickets whose grants the viewer may see, and with them what has happened on the ticket. */
export function visibleTimelines(viewer: Viewer): Prisma.TicketWhereInput {
  return viewer.kind === 'USER' ? { OR: withVisibleGrants(viewer).map(ticketsSeen) } : visibleTickets(viewer);
}

/** Customers see the sessions under the grants that they see; an engineer sees their own. */
export function visibleSupportSessions(viewer: Viewer): Prisma.SupportSessionWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'SERVICE_ACCOUNT':
      return viewer.capabilities.includes('GRANT_WATCHING') ? boundTo(viewer) : nothing;
    case 'SUPPORT_ENGINEER':
      return { engineerId: viewer.id, grant: visibleGrants(viewer) };
    case 'COMPLIANCE_ANALYST':
      return nothing;
    case 'USER':
      return { grant: visibleGrants(viewer) };
  }
}

/**
 * The entries of what happened in a session, for whoever sees the session: also for its engineer and for a customer's
 * people who may not read the audit log.
 */
export function actionsOfSession(session: { id: string }): Prisma.AuditEntryWhereInput {
  return { sessionId: session.id };
}

/** As the grants of their tickets. A person who consented to a change may also take that back without a role. */
export function visibleChangeRequests(viewer: Viewer): Prisma.ChangeRequestWhereInput {
  if (viewer.kind === 'OPERATOR') return {};
  if (viewer.kind !== 'USER') return { ticket: visibleTickets(viewer) };
  return { OR: [{ ticket: visibleTimelines(viewer) }, ...ownConsents(viewer)] };
}

/** Users see their own roles; role holders also see the other roles in the organization. */
export function visibleRoleAssignments(viewer: Viewer): Prisma.RoleAssignmentWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'USER':
      return { OR: [{ accountId: viewer.id }, { organizationId: { in: organizationsWithRole(viewer) } }] };
    case 'SERVICE_ACCOUNT':
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      return nothing;
  }
}

/**
 * Accounts see themselves; role holders also see the members of the organization; service accounts, whom they work with;
 * compliance analysts, whom the entries of customers' logs name. A visible ticket also shows the people on it.
 */
export function visibleAccounts(viewer: Viewer): Prisma.AccountWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'USER':
      return {
        OR: [
          { id: viewer.id },
          { memberships: { some: { organizationId: { in: organizationsWithRole(viewer) } } } },
        ],
      };
    case 'SERVICE_ACCOUNT':
      return { OR: [{ id: viewer.id }, ...viewer.capabilities.flatMap((one) => workedWith(one, viewer))] };
    case 'COMPLIANCE_ANALYST':
      return { OR: [{ id: viewer.id }, ...workedWith('AUDIT_READING', everywhere)] };
    case 'SUPPORT_ENGINEER':
      return { id: viewer.id };
  }
}

/** Which organizations somebody serves; null: all of them. */
type Serving = Pick<ServiceViewer, 'organizationId'>;
const everywhere: Serving = { organizationId: null };

/** Whom a service account has to know by name for what it does, in the organizations it serves. */
function workedWith(capability: ServiceCapability, viewer: Serving): Prisma.AccountWhereInput[] {
  const members = { kind: 'USER', memberships: { some: boundTo(viewer) } } as const;
  const engineers = {
    kind: 'SUPPORT_ENGINEER',
    engineerGrants: { some: { ticket: siteBoundTo(viewer) } },
  } as const;
  switch (capability) {
    // It files tickets for the members, and assigns them to any engineer.
    case 'TICKETING':
      return [members, { kind: 'SUPPORT_ENGINEER' }];
    case 'GRANT_WATCHING':
      return [engineers];
    // The entries of the log name them.
    case 'AUDIT_READING':
      return [members, engineers];
    case 'ACCESS_EVALUATION':
      return [];
  }
}

export function visibleAuditEntries(viewer: Viewer): Prisma.AuditEntryWhereInput {
  const places = placesOfAuditEntries(viewer);
  // Prisma drops an empty OR within an AND, where it would then match every row.
  if (places.length === 0) return nothing;
  const conditions = places.map(({ actor, ...place }) =>
    actor === undefined
      ? place
      : { actorId: actor.id, actorEmail: actor.email, organizationId: { not: null } },
  );
  return conditions.some((condition) => Object.values(condition).every((value) => value === undefined))
    ? {}
    : { OR: conditions };
}

/**
 * Where the viewer sees every entry. Organization admins, auditors and Guard admins see their organization's entries; a Guard admin
 * of one site sees that site's. Engineers see what they did themselves, in the logs of organizations: an entry of the
 * vendor's log would tell them that what they may not see exists. No entry is in two of the places.
 */
export function placesOfAuditEntries(viewer: Viewer): AuditPlace[] {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return [{}];
    case 'SERVICE_ACCOUNT':
      return viewer.capabilities.includes('AUDIT_READING') ? [boundTo(viewer)] : [];
    case 'USER': {
      const counting = viewer.assignments.filter(
        (held) => counts(held) && viewer.organizationIds.includes(held.organizationId),
      );
      const whole = counting.filter(
        ({ role, siteId }) =>
          role === 'ORGANIZATION_ADMIN' || role === 'AUDITOR' || (role === 'GUARD_ADMIN' && siteId === null),
      );
      const organizationIds = new Set(whole.map((held) => held.organizationId));
      const siteIds = counting.flatMap(({ role, organizationId, siteId }) =>
        role === 'GUARD_ADMIN' && siteId !== null && !organizationIds.has(organizationId) ? [siteId] : [],
      );
      return [
        ...[...organizationIds].map((organizationId) => ({ organizationId })),
        ...[...new Set(siteIds)].map((siteId) => ({ siteId })),
      ];
    }
    case 'SUPPORT_ENGINEER':
      return [{ actor: { id: viewer.id, email: viewer.email } }];
  }
}

/** Whether the viewer sees this entry: whether it is in one of those places. */
export function seesAuditEntry(
  viewer: Viewer,
  { organizationId, siteId, actorId }: Pick<AuditEntry, 'organizationId' | 'siteId' | 'actorId'>,
): boolean {
  return placesOfAuditEntries(viewer).some(
    (place) =>
      (place.organizationId === undefined || place.organizationId === organizationId) &&
      (place.siteId === undefined || place.siteId === siteId) &&
      (place.actor === undefined || (place.actor.id === actorId && organizationId !== null)),
  );
}

/**
 * Whoever reads the whole log of an entry sees its position there. To somebody who reads a part of it, positions would tell how
 * much there is besides.
 */
export function seesPosition(
  viewer: Viewer,
  { organizationId }: Pick<AuditEntry, 'organizationId'>,
): boolean {
  return placesOfAuditEntries(viewer).some(
    ({ organizationId: only = organizationId, siteId, actor }) =>
      siteId === undefined && actor === undefined && only === organizationId,
  );
}

/**
 * Whose client addresses the viewer sees on the entries that they see. Addresses say where people are, so each side sees those
 * of its own people alone: a customer's readers those of users, the vendor's those of everybody else. Everybody sees their own.
 */
export function addressesSeenBy(viewer: Viewer): SeenAddresses {
  return { ownId: viewer.id, others: addressesOfOthers(viewer) };
}

function addressesOfOthers(viewer: Viewer): SeenAddresses['others'] {
  switch (viewer.kind) {
    case 'USER':
      return 'USERS';
    case 'SERVICE_ACCOUNT':
      return viewer.organizationId === null ? 'VENDOR' : 'USERS';
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return 'VENDOR';
    case 'SUPPORT_ENGINEER':
      return 'NOBODY';
  }
}

/**
 * Whether somebody who sees this entry also sees the address from which its actor's request came. What is on the vendor's log
 * alone, such as the attempts of somebody at what they may not see, the vendor sees with its address.
 */
export function seesClientAddress(
  viewer: Viewer,
  { actorId, actorKind, organizationId }: Pick<AuditEntry, 'actorId' | 'actorKind' | 'organizationId'>,
): boolean {
  const { ownId, others } = addressesSeenBy(viewer);
  if (actorId === ownId) return true;
  const isUsers = actorKind === 'USER';
  switch (others) {
    case 'USERS':
      return isUsers;
    case 'VENDOR':
      return !isUsers || organizationId === null;
    case 'NOBODY':
      return false;
  }
}

/**
 * Organization admins and Guard admins see what is proposed in their organization; everybody sees what they proposed
 * themselves.
 */
export function visibleProposedChanges(viewer: Viewer): Prisma.ProposedChangeWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return { proposedById: viewer.id };
    case 'USER': {
      const deciding = viewer.assignments.filter(
        (held) => counts(held) && (held.role === 'ORGANIZATION_ADMIN' || held.role === 'GUARD_ADMIN'),
      );
      const own = { proposedById: viewer.id, organizationId: { in: [...viewer.organizationIds] } };
      const decided = viewer.organizationIds.filter((id) =>
        deciding.some((held) => held.organizationId === id),
      );
      return { OR: [own, { organizationId: { in: decided } }] };
    }
    case 'SERVICE_ACCOUNT':
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      return nothing;
  }
}

/** A service account sees the events that its ticketing system has sent. */
export function visibleInboundTicketEvents(viewer: Viewer): Prisma.InboundTicketEventWhereInput {
  if (viewer.kind === 'OPERATOR') return {};
  return viewer.kind === 'SERVICE_ACCOUNT' ? { integrationId: viewer.id } : nothing;
}

/**
 * Organization admins see the deletions of Rovo's data in their organization, and everybody those that they requested
 * themselves; the backend of Rovo sees those that it carries out.
 */
export function visibleDeletions(viewer: Viewer): Prisma.RovoDataDeletionWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'SERVICE_ACCOUNT':
      if (!isRovoBackend(viewer)) return nothing;
      return viewer.organizationId === null ? {} : { organizationId: viewer.organizationId };
    case 'USER': {
      const own = { requestedById: viewer.id, organizationId: { in: [...viewer.organizationIds] } };
      return { OR: [own, { organizationId: { in: administeredBy(viewer) } }] };
    }
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      return nothing;
  }
}

/** Organization admins see the invitations to their organization, and a user those of their own address. */
export function visibleInvitations(viewer: Viewer): Prisma.InvitationWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'USER':
      return { OR: [{ email: viewer.email }, { organizationId: { in: administeredBy(viewer) } }] };
    case 'SERVICE_ACCOUNT':
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      return nothing;
  }
}

/** Whoever reads the whole log of an organization sees where it is streamed to. */
export function visibleAuditStreams(viewer: Viewer): Prisma.AuditStreamWhereInput {
  if (viewer.kind !== 'USER') return nothing;
  const read = viewer.organizationIds.filter((id) =>
    seesAuditStream(relationsToGuardedOrganization(viewer, id)),
  );
  return { organizationId: { in: read } };
}

function administeredBy({ organizationIds, assignments }: UserViewer): string[] {
  return organizationIds.filter((id) => isOrganizationAdminOf(assignments, id));
}

function boundTo({ organizationId }: Serving): { organizationId?: string } {
  return organizationId === null ? {} : { organizationId };
}

function siteBoundTo(viewer: Serving): Prisma.TicketWhereInput {
  return viewer.organizationId === null ? {} : { site: boundTo(viewer) };
}
