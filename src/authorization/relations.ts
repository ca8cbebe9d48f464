/** In which relations an account stands to the platform, an organization, a site, a ticket. Pure. */
import type { ServiceCapability, Viewer } from '../identity/viewer.ts';
import { eligibility, type ProductOnSite } from '../roles/eligibility.ts';
import { isGuardAdminOf, isOrganizationAdminOf } from '../roles/role.ts';
import type { Relation } from './operations.ts';

type SiteFacts = { id: string; organizationId: string };
type TicketFacts = { reporterId: string; assigneeId: string | null };

/** What the account is, wherever it looks; for a user, what it is in any organization. */
export function relationsToPlatform(viewer: Viewer): Set<Relation> {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'SUPPORT_ENGINEER':
      return new Set(['SIGNED_IN', viewer.kind]);
    case 'SERVICE_ACCOUNT':
      return new Set(['SIGNED_IN', ...viewer.capabilities]);
    case 'USER': {
      const own = viewer.organizationIds.flatMap((id) => [...relationsToOrganization(viewer, id)]);
      const guard = viewer.assignments.some(
        ({ role, syncState }) => role === 'GUARD_ADMIN' && syncState === 'SYNCED',
      );
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

/** The relations to a ticket and, where one is meant, to the grant whose approver is given. */
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
 * Whether somebody in these relations knows that the ticket exists: who filed it, who works on it, who
 * approved on it, and every role holder of the organization, who may then be told why a role does not do.
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

/** Whether somebody in these relations knows of the account and of its roles: themselves, and who holds a role. */
export function seesAccount(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'SELF', 'ROLE_HOLDER'] as const).some((relation) => relations.has(relation));
}

/** A role that is not synced yet is still a reason to be told so: it lets its holder see, never decide. */
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
