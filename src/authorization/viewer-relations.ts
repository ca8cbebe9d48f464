/**
 * The relations of an account to the platform, an organization, a site, a ticket, a proposed change or another account.
 * Pure functions.
 */
import type { ServiceCapability, ServiceViewer, UserViewer, Viewer } from '../identity/viewer.ts';
import { eligibility, type ProductOnSite } from '../roles/eligibility.ts';
import { isGuardAdminOf, isOrganizationAdminOf } from '../roles/role.ts';
import { counts } from '../roles/role-counts.ts';
import { vendorOrganizationId } from '../roles/vendor-organization.ts';
import type { Relation } from './operations.ts';

type SiteFacts = { id: string; organizationId: string };
type TicketFacts = { reporterId: string; assigneeId: string | null };

/** The relations that do not depend on a resource; for a user, those to any of their organizations. */
export function relationsToPlatform(viewer: Viewer): Set<Relation> {
  switch (viewer.kind) {
    case 'OPERATOR':
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
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
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      relations.add(viewer.kind);
      break;
    case 'SERVICE_ACCOUNT':
      for (const capability of capabilitiesIn(viewer, organizationId)) relations.add(capability);
      break;
    case 'USER':
      if (!viewer.organizationIds.includes(organizationId)) break;
      relations.add('MEMBER');
      for (const held of viewer.assignments) {
        if (held.organizationId !== organizationId) continue;
        if (held.role !== 'AUDITOR') relations.add(counts(held) ? 'ROLE_HOLDER' : 'UNSYNCED_ROLE_HOLDER');
        else if (counts(held)) relations.add('AUDITOR');
      }
      if (isOrganizationAdminOf(viewer.assignments, organizationId)) relations.add('ORGANIZATION_ADMIN');
      break;
  }
  return relations;
}

/** As `relationsToOrganization`, and whether the user is a Guard admin of all of it. */
export function relationsToGuardedOrganization(viewer: Viewer, organizationId: string): Set<Relation> {
  const relations = relationsToOrganization(viewer, organizationId);
  if (viewer.kind === 'USER' && relations.has('MEMBER') && guardPlaces(viewer, organizationId).includes(null))
    relations.add('GUARD_ADMIN');
  return relations;
}

/**
 * The relations to the whole log of an organization as its side reads it, which is not the vendor's to read; or to the vendor's
 * own log, which is nobody else's.
 */
export function relationsToLog(viewer: Viewer, logId: string): Set<Relation> {
  const isVendors =
    viewer.kind === 'OPERATOR' ||
    viewer.kind === 'COMPLIANCE_ANALYST' ||
    (viewer.kind === 'SERVICE_ACCOUNT' && viewer.organizationId === null);
  if (logId !== vendorOrganizationId && !isVendors) return relationsToGuardedOrganization(viewer, logId);
  return logId === vendorOrganizationId && isVendors ? relationsToPlatform(viewer) : new Set(['SIGNED_IN']);
}

export function relationsToSite(viewer: Viewer, site: SiteFacts): Set<Relation> {
  const relations = relationsToOrganization(viewer, site.organizationId);
  if (viewer.kind !== 'USER' || !relations.has('MEMBER')) return relations;
  if (isGuardAdminOf(viewer.assignments, site)) relations.add('GUARD_ADMIN');
  return relations;
}

/** The relations to an event that this service account's ticketing system has sent. */
export function relationsToInboundTicketEvent(
  viewer: Viewer,
  { integrationId }: { integrationId: string },
): Set<Relation> {
  const relations = new Set<Relation>(['SIGNED_IN']);
  if (viewer.kind === 'OPERATOR') relations.add('OPERATOR');
  if (viewer.kind === 'SERVICE_ACCOUNT' && viewer.id === integrationId) {
    relations.add('SELF');
    for (const capability of viewer.capabilities) relations.add(capability);
  }
  return relations;
}

/** What the relations to a proposed change depend on. */
type ProposedChangeFacts = {
  organizationId: string;
  /** Null: it is about the whole organization. */
  siteId: string | null;
  proposedById: string;
  needs: 'GUARD_ADMIN' | 'ORGANIZATION_ADMIN';
  /** Whose role or membership it changes. */
  subjectId: string | null;
  /** Null: it takes effect by a confirmation only. */
  effectiveAt: Date | null;
};

export function relationsToProposedChange(viewer: Viewer, change: ProposedChangeFacts): Set<Relation> {
  const { organizationId, siteId, needs, subjectId, effectiveAt } = change;
  const relations = relationsToOrganization(viewer, organizationId);
  if (!relations.has('MEMBER') && !relations.has('OPERATOR')) return relations;
  if (viewer.id === change.proposedById) relations.add('PROPOSER');
  if (viewer.kind !== 'USER') return relations;
  const places = guardPlaces(viewer, organizationId);
  if (places.length > 0) relations.add('GUARD_ADMIN');
  // What an operator does where there is no organization admin is also for the Guard admins to stop.
  const guards = effectiveAt !== null && places.length > 0 && viewer.id !== subjectId;
  const confirms =
    needs === 'GUARD_ADMIN'
      ? places.some((place) => siteId === null || place === null || place === siteId)
      : relations.has('ORGANIZATION_ADMIN') || guards;
  if (confirms) relations.add('CONFIRMER');
  return relations;
}

/** The relations to an invitation of this address to an organization. */
export function relationsToInvitation(
  viewer: Viewer,
  { organizationId, email }: { organizationId: string; email: string },
): Set<Relation> {
  const relations = relationsToOrganization(viewer, organizationId);
  if (viewer.kind === 'USER' && viewer.email === email) relations.add('INVITEE');
  return relations;
}

/** What the relations to a deletion of Rovo's data depend on. */
type DeletionFacts = { organizationId: string; requestedById: string };

export function relationsToDeletion(viewer: Viewer, deletion: DeletionFacts): Set<Relation> {
  const { organizationId, requestedById } = deletion;
  const relations = relationsToOrganization(viewer, organizationId);
  if (relations.has('MEMBER') && viewer.id === requestedById) relations.add('DELETION_REQUESTER');
  if (relations.has('ACCESS_EVALUATION') && viewer.kind === 'SERVICE_ACCOUNT' && isRovoBackend(viewer))
    relations.add('ROVO_BACKEND');
  return relations;
}

/** Whether it asks about support actions in Rovo: then it is the backend that holds Rovo's data. */
export function isRovoBackend({ capabilities, evaluatedProducts }: ServiceViewer): boolean {
  return capabilities.includes('ACCESS_EVALUATION') && evaluatedProducts.includes('rovo');
}

/** The sites whose Guard admin the user is in the organization; null among them: all of its sites. */
function guardPlaces({ assignments }: UserViewer, organizationId: string): (string | null)[] {
  return assignments
    .filter((held) => held.role === 'GUARD_ADMIN' && counts(held) && held.organizationId === organizationId)
    .map(({ siteId }) => siteId);
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

/** The relations to a ticket and, if an approver is given, to the grant that they approved or the change they consented to. */
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
  const verdict = eligibility({ isMember: true, assignments: viewer.assignments }, place);
  if (verdict.allowed) relations.add('GRANTOR');
  else if (verdict.obstacles.includes('ROLE_NOT_SYNCED')) relations.add('UNSYNCED_GRANTOR');
  return relations;
}

/** The relations to a support session under a grant of the ticket. */
export function relationsToSession(
  viewer: Viewer,
  session: { engineerId: string },
  ticket: TicketFacts,
  place: ProductOnSite,
  approverId: string | null,
): Set<Relation> {
  const relations = relationsToTicket(viewer, ticket, place, approverId);
  if (relations.has('ASSIGNED_ENGINEER') && session.engineerId === viewer.id)
    relations.add('SESSION_ENGINEER');
  return relations;
}

/**
 * Whether somebody in these relations to a support session may see it: the customer who sees its grant, and its engineer;
 * not an engineer who received the grant later.
 */
export function seesSession(relations: ReadonlySet<Relation>): boolean {
  return sessionReaders.some((relation) => relations.has(relation));
}

/**
 * Whether somebody in these relations may know that the ticket exists: whoever sees its grants, and whoever could grant
 * if their role was synced, so that they can learn that.
 */
export function seesTicket(relations: ReadonlySet<Relation>): boolean {
  return seesGrants(relations) || relations.has('UNSYNCED_GRANTOR');
}

/**
 * Whether somebody in these relations to a ticket may see its grants: its reporter, its engineer, the people who approved
 * a grant on it, and every role holder of the organization, so that they can learn why their role does not count there.
 */
export function seesGrants(relations: ReadonlySet<Relation>): boolean {
  return grantReaders.some((relation) => relations.has(relation));
}

/**
 * Whether somebody who sees a ticket, in these relations to it, may see who may grant on it: operators, and members who
 * do not see it only because of a role that is not synced.
 */
export function seesGrantors(relations: ReadonlySet<Relation>): boolean {
  if (relations.has('OPERATOR')) return true;
  return relations.has('MEMBER') && (seesGrants(relations) || !relations.has('UNSYNCED_GRANTOR'));
}

/** Whether somebody in these relations to a site may see all the grants on it, and so who has access. */
export function seesActiveAccess(relations: ReadonlySet<Relation>): boolean {
  return allGrantsReaders.some((relation) => relations.has(relation));
}

const allGrantsReaders = [
  'OPERATOR',
  'TICKETING',
  'GRANT_WATCHING',
  'ROLE_HOLDER',
  'AUDITOR',
] as const satisfies Relation[];

const grantReaders = [
  ...allGrantsReaders,
  'ASSIGNED_ENGINEER',
  'REPORTER',
  'APPROVER',
] as const satisfies Relation[];

const sessionReaders = [
  'OPERATOR',
  'GRANT_WATCHING',
  'SESSION_ENGINEER',
  'REPORTER',
  'APPROVER',
  'ROLE_HOLDER',
  'AUDITOR',
] as const satisfies Relation[];

/** Whether somebody in these relations may see a proposed change. */
export function seesProposedChange(relations: ReadonlySet<Relation>): boolean {
  return (['PROPOSER', 'ORGANIZATION_ADMIN', 'GUARD_ADMIN'] as const).some((relation) =>
    relations.has(relation),
  );
}

/** Whether somebody in these relations may see an event of a ticketing system. */
export function seesInboundTicketEvent(relations: ReadonlySet<Relation>): boolean {
  return relations.has('OPERATOR') || relations.has('SELF');
}

/** Whether somebody in these relations may see an invitation. */
export function seesInvitation(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'ORGANIZATION_ADMIN', 'INVITEE'] as const).some((relation) => relations.has(relation));
}

/** Whether somebody in these relations may see a deletion of Rovo's data. */
export function seesDeletion(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'ORGANIZATION_ADMIN', 'DELETION_REQUESTER', 'ROVO_BACKEND'] as const).some(
    (relation) => relations.has(relation),
  );
}

/** Whether somebody in these relations to an organization may see the streams of its audit log. */
export function seesAuditStream(relations: ReadonlySet<Relation>): boolean {
  return (['ORGANIZATION_ADMIN', 'GUARD_ADMIN', 'AUDITOR'] as const).some((relation) =>
    relations.has(relation),
  );
}

const organizationReaders = [
  'OPERATOR',
  'TICKETING',
  'GRANT_WATCHING',
  'AUDIT_READING',
  'COMPLIANCE_ANALYST',
  'MEMBER',
] as const satisfies Relation[];

export function seesOrganization(relations: ReadonlySet<Relation>): boolean {
  return organizationReaders.some((relation) => relations.has(relation));
}

/** Whether somebody in these relations may see the account and its roles: the account itself, role holders and auditors. */
export function seesAccount(relations: ReadonlySet<Relation>): boolean {
  return (['OPERATOR', 'SELF', 'ROLE_HOLDER', 'AUDITOR'] as const).some((relation) =>
    relations.has(relation),
  );
}

function capabilitiesIn(
  viewer: Extract<Viewer, { kind: 'SERVICE_ACCOUNT' }>,
  organizationId: string,
): readonly ServiceCapability[] {
  return viewer.organizationId === null || viewer.organizationId === organizationId
    ? viewer.capabilities
    : [];
}
