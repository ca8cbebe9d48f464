/** Things by their global id, each under the same visibility as its list. One statement for each type asked. */
import { brandWithType } from '@pothos/core';
import { GraphQLError } from 'graphql';
import type { PrismaClient } from '../../prisma/generated/client/client.ts';
import {
  visibleAccounts,
  visibleAuditEntries,
  visibleGrants,
  visibleOrganizations,
  visibleProducts,
  visibleRoleAssignments,
  visibleSites,
  visibleTickets,
} from '../authorization/visibility.ts';
import type { Viewer } from '../identity/viewer.ts';
import { isId } from '../platform/ids.ts';
import { type Context, viewerOf } from './context.ts';

type Row = { id: string };
type Load = (prisma: PrismaClient, viewer: Viewer, ids: string[]) => Promise<Row[]>;

const accounts =
  (kind: Viewer['kind']): Load =>
  (prisma, viewer, ids) =>
    prisma.account.findMany({ where: { AND: [{ id: { in: ids }, kind }, visibleAccounts(viewer)] } });

const loads: Record<string, Load> = {
  Organization: (prisma, viewer, ids) =>
    prisma.organization.findMany({ where: { AND: [{ id: { in: ids } }, visibleOrganizations(viewer)] } }),
  Site: (prisma, viewer, ids) =>
    prisma.site.findMany({ where: { AND: [{ id: { in: ids } }, visibleSites(viewer)] } }),
  Product: (prisma, viewer, ids) =>
    prisma.product.findMany({ where: { AND: [{ id: { in: ids } }, visibleProducts(viewer)] } }),
  Ticket: (prisma, viewer, ids) =>
    prisma.ticket.findMany({ where: { AND: [{ id: { in: ids } }, visibleTickets(viewer)] } }),
  Grant: (prisma, viewer, ids) =>
    prisma.grant.findMany({ where: { AND: [{ id: { in: ids } }, visibleGrants(viewer)] } }),
  RoleAssignment: (prisma, viewer, ids) =>
    prisma.roleAssignment.findMany({ where: { AND: [{ id: { in: ids } }, visibleRoleAssignments(viewer)] } }),
  AuditEntry: (prisma, viewer, ids) =>
    prisma.auditEntry.findMany({ where: { AND: [{ id: { in: ids } }, visibleAuditEntries(viewer)] } }),
  User: accounts('USER'),
  SupportEngineer: accounts('SUPPORT_ENGINEER'),
  Operator: accounts('OPERATOR'),
  ServiceAccount: accounts('SERVICE_ACCOUNT'),
};

const maxNodes = 100;

export async function loadNodes(
  context: Context,
  ids: readonly { typename: string; id: string }[],
): Promise<(object | null)[]> {
  if (ids.length > maxNodes) {
    throw new GraphQLError(`nodes takes at most ${maxNodes} ids.`, {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  const wanted = Map.groupBy(
    ids.filter(({ id }) => isId(id)),
    ({ typename }) => typename,
  );
  const found = new Map<string, object>();
  for (const [typename, ofType] of wanted) {
    const rows = await loads[typename]?.(
      context.services.database.prisma,
      viewerOf(context),
      ofType.map(({ id }) => id),
    );
    for (const row of rows ?? []) {
      brandWithType(row, typename as never);
      found.set(`${typename}:${row.id}`, row);
    }
  }
  return ids.map(({ typename, id }) => found.get(`${typename}:${id}`) ?? null);
}
