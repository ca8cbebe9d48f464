/**
 * The relations of an account to the platform, an organization, a site, a ticket or another account. Pure functions.
 */
import type { ServiceCapability, Viewer } from '../identity/viewer.ts';
import { eligibility, type ProductOnSite } from '../roles/eligibility.ts';
import { isGuardAdminOf, isOrganizationAdminOf } from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';
import type { Relation } from './operations.ts';

type SiteFacts = { id: string; organizationId: string };
type TicketFacts = { reporterId: string; assigneeId: string | null };

/** The relations that do not depend on a resource; for a user, those to any of their organizations. */
export function relationsToPlatform(viewer: Viewer): Set<Relation> {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'SUPPORT_ENGINEER':
      return new Set(['SIGNED_IN', viewer.kind]);
    case 'SERVICE_ACCOUNT':
      return new Set(['SIGNED_IN', ...viewer.capabilities]);
    case 'USER': {
      const own = viewer.organizationIds.flatMap((id) => [...relationsToOrganization(viewer, id)]);
      const guard = viewer.assignments.some((held) => held.role === 'GUARD_ADMIN' && counts(held));
      return new Set<Relation>(['SIGNED_IN', ...own, ...(guard ? (['GUARD_ADMIN'] as const) : [])]);
    }
  }
}

export function relationsToOrganization(viewer: Viewer, organizationId: string): Set<Relation> {
  const relations = new Set<Relation>(['SIGNED_IN']);
  switch (viewer.kind) {
    case 'OPERATOR':
      relations.add('OPERATOR');
      break;
    case 'SUPPORT_ENGINEER':
      relations.add('SUPPORT_ENGINEER');
      break;
    case 'SERVICE_ACCOUNT':
      for (const capability of capabilitiesIn(viewer, organizationId)) relations.add(capability);
      break;
    case 'USER':
      if (!viewer.organizationIds.includes(organizationId)) break;
      relations.add('MEMBER');
      if (holdsRoleIn(viewer, organizationId)) relations.add('ROLE_HOLDER');
      if (isOrganizationAdminOf(viewer.assignments, organizationId)) relations.add('ORGANIZATION_ADMIN');
      break;
  }
  return relations;
}

export function relationsToSite(viewer: Viewer, site: SiteFacts): Set<Relation> {
  const relations = relationsToOrganization(viewer, site.organizationId);
  if (viewer.kind !== 'USER' || !relations.has('MEMBER')) return relations;
  if (isGuardAdminOf(viewer.assignments, site)) relations.add('GUARD_ADMIN');
  return relations;
}

/** The relations to an account that belongs to these organizations, and to the roles it holds there. */
export function relationsToAccount(
  viewer: Viewer,
  account: { id: string; organizationIds: readonly string[] },
): Set<Relation> {
  const relations = new Set<Relation>(['SIGNED_IN']);
  if (viewer.kind === 'OPERATOR') relations.add('OPERATOR');
  for (const id of account.organizationIds) {
    for (const relation of relationsToOrganization(viewer, id)) relations.add(relation);
  }
  if (account.id === viewer.id) relations.add('SELF');
  return relations;
}

/** The relations to a ticket and, if an approver is given, to the grant that they approved. */
export function relationsToTicket(
  viewer: Viewer,
  ticket: TicketFacts,
  place: ProductOnSite,
  approverId: string | null = null,
): Set<Relation> {
  const relations = relationsToSite(viewer, place.site);
  if (viewer.kind === 'SUPPORT_ENGINEER' && ticket.assigneeId === viewer.id)
    relations.add('ASSIGNED_ENGINEER');
  if (viewer.kind !== 'USER' || !relations.has('MEMBER')) return relations;
  if (ticket.reporterId === viewer.id) relations.add('REPORTER');
  if (approverId === viewer.id) relations.add('APPROVER');
  if (eligibility({ isMember: true, assignments: viewer.assignments }, place).allowed)
    relations.add('GRANTOR');
  return relations;
}

/**
 * Whether somebody in these relations may know that the ticket exists: its reporter, its engineer, the people who
 * approved a grant on it, and every role holder of the organization, so that they can learn why their role does not
 * count.
 */
export function seesTicket(relations: ReadonlySet<Relation>): boolean {
  return ticketReaders.some((relation) => relations.has(relation));
}

const ticketReaders = [
  'OPERATOR',
  'TICKETING',
  'GRANT_WATCHING',
  'ASSIGNED_ENGINEER',
  'REPORTER',
  'APPROVER',
  'ROLE_HOLDER',
] as const satisfies Relation[];

export function seesOrganization(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'TICKETING', 'GRANT_WATCHING', 'AUDIT_READING', 'MEMBER'] as const).some((relation) =>
    relations.has(relation),
  );
}

/** Whether somebody in these relations may see the account and its roles: the account itself, and role holders. */
export function seesAccount(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'SELF', 'ROLE_HOLDER'] as const).some((relation) => relations.has(relation));
}

/**
 * An unsynced role counts here: its holder may see the ticket, and learn that the role is not synced, but may not
 * decide.
 */
function holdsRoleIn(viewer: Extract<Viewer, { kind: 'USER' }>, organizationId: string): boolean {
  return viewer.assignments.some((held) => held.organizationId === organizationId);
}

function capabilitiesIn(
  viewer: Extract<Viewer, { kind: 'SERVICE_ACCOUNT' }>,
  organizationId: string,
): readonly ServiceCapability[] {
  return viewer.organizationId === null || viewer.organizationId === organizationId
    ? viewer.capabilities
    : [];
}
