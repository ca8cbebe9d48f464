/**
 * The ways in which an account sees tickets, and what is on them, one beside the other: visible-pages.ts reads a list way by
 * way, and visibility.ts makes conditions of them.
 */
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { ServiceViewer, UserViewer, Viewer } from '../identity/viewer.ts';
import { type Experience, experiencesIn, isWellFormed, type RoleAssignment } from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';

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

/** The ways in which an account sees tickets. Null for those who see all of them, or none. */
export function waysToSeeTickets(viewer: Viewer): TicketWay[] | null {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
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

export function ticketsSeen(way: TicketWay): Prisma.TicketWhereInput {
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

export function seesTickets({ capabilities }: ServiceViewer): boolean {
  return capabilities.some((one) => one === 'TICKETING' || one === 'GRANT_WATCHING');
}

/** As a way to see tickets, to see the grants on them that also meet the condition. Nobody sees those of a single product. */
export type GrantWay = Omit<TicketWay, 'productId'> & { readonly where?: Prisma.GrantWhereInput };

/** The ways in which an account sees grants. Null as for tickets. */
export function waysToSeeGrants(viewer: Viewer): GrantWay[] | null {
  return viewer.kind === 'USER' ? withVisibleGrants(viewer) : waysToSeeTickets(viewer);
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
    case 'COMPLIANCE_ANALYST':
      return null;
  }
}

/**
 * To see tickets with their grants: all of an organization in which they hold a role, elsewhere their own. No ticket is seen in
 * two ways but one that its reporter approved, so nothing is read for what another way finds.
 */
export function withVisibleGrants(viewer: UserViewer): GrantWay[] {
  const withRole = organizationsWithRole(viewer);
  const organizationIds = viewer.organizationIds.filter((id) => !withRole.includes(id));
  const wholeOrganizations = { organizationIds: withRole };
  if (organizationIds.length === 0) return [wholeOrganizations];
  return [
    wholeOrganizations,
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

/** The organizations whose members a user sees. Null for those who see all accounts, or only their own or by their work. */
export function waysToSeeAccounts(viewer: Viewer): TicketWay[] | null {
  return viewer.kind === 'USER' ? [{ organizationIds: organizationsWithRole(viewer) }] : null;
}

/** The organizations whose roles a user sees besides their own. Null for those who see all roles, or none. */
export function waysToSeeRoleAssignments(viewer: Viewer): TicketWay[] | null {
  return waysToSeeAccounts(viewer);
}

/** The organizations in which the user holds any role that counts. */
export function organizationsWithRole(viewer: UserViewer): string[] {
  return viewer.organizationIds.filter((id) =>
    viewer.assignments.some((held) => counts(held) && held.organizationId === id),
  );
}
