/**
 * What an account may see, as conditions on every read: lists, look-ups by id, `node`, subscriptions. The conditions
 * here and the relations in viewer-relations.ts must agree; test/authorization/agreement.test.ts compares them.
 */
import type { AuditEntry, Prisma } from '../../prisma/generated/client/client.ts';
import type { AuditPlace } from '../audit/search.ts';
import type { ServiceCapability, ServiceViewer, UserViewer, Viewer } from '../identity/viewer.ts';
import {
  type Experience,
  experiencesIn,
  isOrganizationAdminOf,
  isWellFormed,
  type RoleAssignment,
} from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';
import { isRovoBackend } from './viewer-relations.ts';

/** Matches no row: for accounts that may see none. */
const nothing = { id: { in: [] } };

export function visibleOrganizations(viewer: Viewer): Prisma.OrganizationWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
      return {};
    case 'SERVICE_ACCOUNT':
      return viewer.organizationId === null ? {} : { id: viewer.organizationId };
    case 'USER':
      return { id: { in: [...viewer.organizationIds] } };
    case 'SUPPORT_ENGINEER':
      return { sites: { some: visibleSites(viewer) } };
  }
}

export function visibleSites(viewer: Viewer): Prisma.SiteWhereInput {
  switch (viewer.kind) {
    case 'OPERATOR':
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

/** One way in which an account sees tickets: it sees those that meet all of these conditions. */
export type TicketWay = {
  /** On a site of one of these organizations, with one of these experiences. */
  readonly organizationIds?: readonly string[];
  readonly experiences?: readonly Experience[];
  readonly siteIds?: readonly string[];
  readonly productId?: string;
  readonly reporterId?: string;
  readonly assigneeId?: string;
  /** With a grant that this person approved. */
  readonly approvedById?: string;
};

export function visibleTickets(viewer: Viewer): Prisma.TicketWhereInput {
  const ways = waysToSeeTickets(viewer);
  if (ways !== null) return { OR: ways.map(ticketsSeen) };
  return viewer.kind === 'SERVICE_ACCOUNT' && !seesTickets(viewer) ? nothing : {};
}

/** The ways in which an account sees tickets. Null for those who see all of them, or none. */
export function waysToSeeTickets(viewer: Viewer): TicketWay[] | null {
  switch (viewer.kind) {
    case 'OPERATOR':
      return null;
    case 'SERVICE_ACCOUNT':
      return viewer.organizationId !== null && seesTickets(viewer)
        ? [{ organizationIds: [viewer.organizationId] }]
        : null;
    case 'SUPPORT_ENGINEER':
      return [{ assigneeId: viewer.id }];
    case 'USER':
      return [...withVisibleGrants(viewer), ...reachedOnceSynced(viewer)];
  }
}

function ticketsSeen(way: TicketWay): Prisma.TicketWhereInput {
  const { organizationIds, experiences, siteIds, productId, reporterId, assigneeId, approvedById } = way;
  const site = {
    ...(organizationIds === undefined ? {} : { organizationId: { in: [...organizationIds] } }),
    ...(experiences === undefined ? {} : { experience: { in: [...experiences] } }),
  };
  return {
    ...(Object.keys(site).length === 0 ? {} : { site }),
    ...(siteIds === undefined ? {} : { siteId: { in: [...siteIds] } }),
    ...(productId === undefined ? {} : { productId }),
    ...(reporterId === undefined ? {} : { reporterId }),
    ...(assigneeId === undefined ? {} : { assigneeId }),
    ...(approvedById === undefined ? {} : { grants: { some: { customerApprovedById: approvedById } } }),
  };
}

function seesTickets({ capabilities }: ServiceViewer): boolean {
  return capabilities.some((one) => one === 'TICKETING' || one === 'GRANT_WATCHING');
}

/** As a way to see tickets, to see the grants on them that also meet the condition. Nobody sees those of a single product. */
export type GrantWay = Omit<TicketWay, 'productId'> & { readonly where?: Prisma.GrantWhereInput };

/** The ways in which an account sees grants. Null as for tickets. */
export function waysToSeeGrants(viewer: Viewer): GrantWay[] | null {
  return viewer.kind === 'USER' ? withVisibleGrants(viewer) : waysToSeeTickets(viewer);
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

/** The ways in which an account sees support sessions: with their grants. Null for those whose sessions are their own. */
export function waysToSeeSessions(viewer: Viewer): GrantWay[] | null {
  switch (viewer.kind) {
    case 'USER':
      return withVisibleGrants(viewer);
    case 'SERVICE_ACCOUNT':
      return viewer.capabilities.includes('GRANT_WATCHING') ? waysToSeeTickets(viewer) : null;
    case 'OPERATOR':
    case 'SUPPORT_ENGINEER':
      return null;
  }
}

/** To see tickets with their grants. */
function withVisibleGrants(viewer: UserViewer): GrantWay[] {
  const organizationIds = viewer.organizationIds;
  return [
    { organizationIds: organizationsWithRole(viewer) },
    { organizationIds, reporterId: viewer.id },
    // A person who approved may revoke, even if they no longer hold a role.
    { organizationIds, approvedById: viewer.id },
  ];
}

/** To see the tickets on which the user could grant if their roles were synced. */
function reachedOnceSynced(viewer: UserViewer): TicketWay[] {
  return heldIn(viewer)
    .filter((held) => !counts(held))
    .flatMap(ticketsCovered);
}

/** The tickets for whose products the assignment allows granting, if it counts. */
function ticketsCovered(held: RoleAssignment): TicketWay[] {
  const { organizationId, siteId, productId } = held;
  const experiences = experiencesIn(held);
  if (experiences.length === 0) return [];
  const way = {
    ...{ organizationIds: [organizationId], experiences },
    ...(siteId === null ? {} : { siteIds: [siteId] }),
    ...(productId === null ? {} : { productId }),
  };
  return [way];
}

/** The roles that a user holds in the organizations they are a member of. */
function heldIn({ assignments, organizationIds }: UserViewer): RoleAssignment[] {
  return assignments.filter((held) => organizationIds.includes(held.organizationId));
}

/**
 * The grants that the viewer may approve or deny now, if they wait for a decision: for the customer, those for whose
 * product they may grant; as a Guard admin, those that were approved when they already were one. All of them are among the
 * grants that they see.
 */
export function waysToDecide(viewer: Viewer): GrantWay[] {
  if (viewer.kind !== 'USER') return [];
  const counting = heldIn(viewer).filter(counts);
  const inUse = { site: { status: 'ACTIVE' }, product: { licensed: true } } as const;
  const forTheCustomer = counting.flatMap(ticketsCovered).map(({ productId, ...way }) => ({
    ...way,
    where: {
      state: 'PENDING_APPROVAL' as const,
      ticket: { ...inUse, ...(productId === undefined ? {} : { productId }) },
    },
  }));
  const asGuardAdmin = counting
    .filter((held) => held.role === 'GUARD_ADMIN' && isWellFormed(held))
    .map(({ organizationId, siteId, since }) => ({
      organizationIds: [organizationId],
      ...(siteId === null ? {} : { siteIds: [siteId] }),
      where: { state: 'PENDING_GUARD_APPROVAL' as const, customerApprovedAt: { gte: new Date(since) } },
    }));
  return [...forTheCustomer, ...asGuardAdmin];
}

/** The same as one condition. Null: the viewer decides on nothing. */
export function decidableGrants(viewer: Viewer): Prisma.GrantWhereInput | null {
  const ways = waysToDecide(viewer);
  return ways.length === 0
    ? null
    : { OR: ways.map(({ where = {}, ...way }) => ({ AND: [where, { ticket: ticketsSeen(way) }] })) };
}

/** The part of a way that is in one of these organizations and on one of these sites, as far as they are given. */
export function narrowed<Way extends TicketWay>(
  way: Way,
  { organizationIds, siteIds }: Pick<TicketWay, 'organizationIds' | 'siteIds'>,
): Way {
  const organizations = inBoth(way.organizationIds, organizationIds);
  const sites = inBoth(way.siteIds, siteIds);
  return {
    ...way,
    ...(organizations === undefined ? {} : { organizationIds: organizations }),
    ...(sites === undefined ? {} : { siteIds: sites }),
  };
}

function inBoth(
  some: readonly string[] | undefined,
  others: readonly string[] | undefined,
): readonly string[] | undefined {
  return some === undefined || others === undefined
    ? (some ?? others)
    : some.filter((id) => others.includes(id));
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
      return nothing;
  }
}

/**
 * Accounts see themselves; role holders also see the members of the organization; service accounts, whom they work with. A
 * visible ticket also shows the people on it.
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
    case 'SUPPORT_ENGINEER':
      return { id: viewer.id };
  }
}

/** The organizations whose members a user sees. Null for those who see all accounts, or only their own or by their work. */
export function waysToSeeAccounts(viewer: Viewer): TicketWay[] | null {
  return viewer.kind === 'USER' ? [{ organizationIds: organizationsWithRole(viewer) }] : null;
}

/** Whom a service account has to know by name for what it does, in the organizations it serves. */
function workedWith(capability: ServiceCapability, viewer: ServiceViewer): Prisma.AccountWhereInput[] {
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

/**
 * Whether somebody who sees this entry also sees the address from which its actor's request came. Addresses say where people
 * are, so each side sees those of its own people alone: a customer's readers those of users, the vendor's those of engineers,
 * operators and service accounts. Everybody sees their own. What is on the vendor's log alone, such as the attempts of somebody
 * at what they may not see, the vendor sees with its address.
 */
export function seesClientAddress(
  viewer: Viewer,
  { actorId, actorKind, organizationId }: Pick<AuditEntry, 'actorId' | 'actorKind' | 'organizationId'>,
): boolean {
  if (actorId === viewer.id) return true;
  const isUsers = actorKind === 'USER';
  switch (viewer.kind) {
    case 'USER':
      return isUsers;
    case 'SERVICE_ACCOUNT':
    case 'OPERATOR': {
      const isOfCustomer = viewer.kind === 'SERVICE_ACCOUNT' && viewer.organizationId !== null;
      return isOfCustomer ? isUsers : !isUsers || organizationId === null;
    }
    case 'SUPPORT_ENGINEER':
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
      return nothing;
  }
}

function administeredBy({ organizationIds, assignments }: UserViewer): string[] {
  return organizationIds.filter((id) => isOrganizationAdminOf(assignments, id));
}

/** The organizations in which the user holds any role that counts. */
function organizationsWithRole(viewer: UserViewer): string[] {
  return viewer.organizationIds.filter((id) =>
    viewer.assignments.some((held) => counts(held) && held.organizationId === id),
  );
}

function boundTo({ organizationId }: ServiceViewer): { organizationId?: string } {
  return organizationId === null ? {} : { organizationId };
}

function siteBoundTo(viewer: ServiceViewer): Prisma.TicketWhereInput {
  return viewer.organizationId === null ? {} : { site: boundTo(viewer) };
}
