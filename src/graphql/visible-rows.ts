/** Reads rows by type name and ids. Rows that the viewer may not see are left out. */
import type { AuditEntry } from '../../prisma/generated/client/client.ts';
import { timelineActions } from '../audit/timeline.ts';
import {
  visibleAccounts,
  visibleAuditEntries,
  visibleAuditStreams,
  visibleChangeRequests,
  visibleDeletions,
  visibleGrants,
  visibleInboundTicketEvents,
  visibleInvitations,
  visibleOrganizations,
  visibleProducts,
  visibleProposedChanges,
  visibleRoleAssignments,
  visibleSites,
  visibleSupportSessions,
  visibleTickets,
  visibleTimelines,
} from '../authorization/visibility.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Client } from '../platform/database.ts';

type Row = { id: string };
/** The ids of the rows, and the relations to read with them. */
type Wanted = { ids: string[]; query: { include?: object } };
type Load = (prisma: Client, viewer: Viewer, wanted: Wanted) => Promise<Row[]>;

const accounts =
  (kind: Viewer['kind']): Load =>
  (prisma, viewer, { ids, query }) =>
    prisma.account.findMany({
      ...query,
      where: { AND: [{ id: { in: ids }, kind }, visibleAccounts(viewer)] },
    });

/** The entries with these ids that are on a timeline that the viewer may see. Two statements. */
async function listVisibleItems(prisma: Client, viewer: Viewer, ids: string[]): Promise<AuditEntry[]> {
  const entries = await prisma.auditEntry.findMany({
    where: { id: { in: ids }, outcome: 'SUCCEEDED', action: { in: timelineActions } },
  });
  const ticketIds = entries.flatMap(({ ticketId }) => ticketId ?? []);
  const tickets = await prisma.ticket.findMany({
    where: { AND: [{ id: { in: ticketIds } }, visibleTimelines(viewer)] },
    select: { id: true },
  });
  const visible = new Set<string | null>(tickets.map(({ id }) => id));
  return entries.filter(({ ticketId }) => visible.has(ticketId));
}

const loads: Readonly<Record<string, Load>> = {
  Organization: (prisma, viewer, { ids, query }) =>
    prisma.organization.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleOrganizations(viewer)] },
    }),
  Site: (prisma, viewer, { ids, query }) =>
    prisma.site.findMany({ ...query, where: { AND: [{ id: { in: ids } }, visibleSites(viewer)] } }),
  Product: (prisma, viewer, { ids, query }) =>
    prisma.product.findMany({ ...query, where: { AND: [{ id: { in: ids } }, visibleProducts(viewer)] } }),
  Ticket: (prisma, viewer, { ids, query }) =>
    prisma.ticket.findMany({ ...query, where: { AND: [{ id: { in: ids } }, visibleTickets(viewer)] } }),
  Grant: (prisma, viewer, { ids, query }) =>
    prisma.grant.findMany({ ...query, where: { AND: [{ id: { in: ids } }, visibleGrants(viewer)] } }),
  SupportSession: (prisma, viewer, { ids, query }) =>
    prisma.supportSession.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleSupportSessions(viewer)] },
    }),
  ChangeRequest: (prisma, viewer, { ids, query }) =>
    prisma.changeRequest.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleChangeRequests(viewer)] },
    }),
  RoleAssignment: (prisma, viewer, { ids, query }) =>
    prisma.roleAssignment.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleRoleAssignments(viewer)] },
    }),
  ProposedChange: (prisma, viewer, { ids, query }) =>
    prisma.proposedChange.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleProposedChanges(viewer)] },
    }),
  InboundTicketEvent: (prisma, viewer, { ids, query }) =>
    prisma.inboundTicketEvent.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleInboundTicketEvents(viewer)] },
    }),
  RovoDataDeletion: (prisma, viewer, { ids, query }) =>
    prisma.rovoDataDeletion.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleDeletions(viewer)] },
    }),
  Invitation: (prisma, viewer, { ids, query }) =>
    prisma.invitation.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleInvitations(viewer)] },
    }),
  AuditStream: (prisma, viewer, { ids, query }) =>
    prisma.auditStream.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleAuditStreams(viewer)] },
    }),
  AuditEntry: (prisma, viewer, { ids }) =>
    prisma.auditEntry.findMany({ where: { AND: [{ id: { in: ids } }, visibleAuditEntries(viewer)] } }),
  TimelineItem: (prisma, viewer, { ids }) => listVisibleItems(prisma, viewer, ids),
  User: accounts('USER'),
  SupportEngineer: accounts('SUPPORT_ENGINEER'),
  Operator: accounts('OPERATOR'),
  ComplianceAnalyst: accounts('COMPLIANCE_ANALYST'),
  ServiceAccount: accounts('SERVICE_ACCOUNT'),
};

/** Returns the rows that exist and that the viewer may see, in any order; none for an unknown type. One statement. */
export async function listVisibleRows(
  prisma: Client,
  viewer: Viewer,
  typeName: string,
  wanted: Wanted,
): Promise<Row[]> {
  const load = Object.hasOwn(loads, typeName) ? loads[typeName] : undefined;
  return load === undefined || wanted.ids.length === 0 ? [] : await load(prisma, viewer, wanted);
}
