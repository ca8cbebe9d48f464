/** Things by their global id, each under the same visibility as its list. One statement for each type asked. */
import { brandWithType } from '@pothos/core';
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
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
import { badUserInput } from './errors.ts';

type Row = { id: string };
/** Which rows, and with them the relations that the operation selects. */
type Wanted = { ids: string[]; query: { include?: object } };
type Load = (prisma: PrismaClient, viewer: Viewer, wanted: Wanted) => Promise<Row[]>;

const accounts =
  (kind: Viewer['kind']): Load =>
  (prisma, viewer, { ids, query }) =>
    prisma.account.findMany({
      ...query,
      where: { AND: [{ id: { in: ids }, kind }, visibleAccounts(viewer)] },
    });

const loads: Record<string, Load> = {
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
  RoleAssignment: (prisma, viewer, { ids, query }) =>
    prisma.roleAssignment.findMany({
      ...query,
      where: { AND: [{ id: { in: ids } }, visibleRoleAssignments(viewer)] },
    }),
  AuditEntry: (prisma, viewer, { ids }) =>
    prisma.auditEntry.findMany({ where: { AND: [{ id: { in: ids } }, visibleAuditEntries(viewer)] } }),
  User: accounts('USER'),
  SupportEngineer: accounts('SUPPORT_ENGINEER'),
  Operator: accounts('OPERATOR'),
  ServiceAccount: accounts('SERVICE_ACCOUNT'),
};

const maxNodes = 100;

export async function loadNodes(
  context: Context,
  info: GraphQLResolveInfo,
  ids: readonly { typename: string; id: string }[],
): Promise<(object | null)[]> {
  if (ids.length > maxNodes) throw badUserInput(`nodes takes at most ${maxNodes} ids.`);
  const wanted = Map.groupBy(
    ids.filter(({ id }) => isId(id)),
    ({ typename }) => typename,
  );
  const found = new Map<string, object>();
  for (const [typename, ofType] of wanted) {
    const load = Object.hasOwn(loads, typename) ? loads[typename] : undefined;
    if (load === undefined) continue;
    const query = queryFromInfo({ context, info, typeName: typename, include: {} });
    const wantedIds = ofType.map(({ id }) => id);
    const rows = await load(context.services.database.prisma, viewerOf(context), { ids: wantedIds, query });
    for (const row of rows) {
      brandWithType(row, typename as never);
      found.set(`${typename}:${row.id}`, row);
    }
  }
  return ids.map(({ typename, id }) => found.get(`${typename}:${id}`) ?? null);
}
