/** The names of the resources of audit entries. Whoever may read an entry may read the name of its resource. */
import type { Client } from '../platform/database.ts';

export type Resource = { type: string; id: string };

type Read = (prisma: Client, ids: string[]) => Promise<{ id: string; name: string }[]>;

const accounts: Read = async (prisma, ids) => {
  const found = await prisma.account.findMany({
    where: { id: { in: ids } },
    select: { id: true, email: true },
  });
  return found.map(({ id, email }) => ({ id, name: email }));
};

/** By type. Only the name of an organization can change. */
const reads: Readonly<Record<string, Read>> = {
  Organization: (prisma, ids) =>
    prisma.organization.findMany({ where: { id: { in: ids } }, select: { id: true, name: true } }),
  Site: async (prisma, ids) => {
    const found = await prisma.site.findMany({ where: { id: { in: ids } }, select: { id: true, url: true } });
    return found.map(({ id, url }) => ({ id, name: url }));
  },
  Product: async (prisma, ids) => {
    const found = await prisma.product.findMany({
      where: { id: { in: ids } },
      select: { id: true, key: true },
    });
    return found.map(({ id, key }) => ({ id, name: key }));
  },
  Ticket: async (prisma, ids) => {
    const found = await prisma.ticket.findMany({
      where: { id: { in: ids } },
      select: { id: true, key: true },
    });
    return found.map(({ id, key }) => ({ id, name: key }));
  },
  Grant: async (prisma, ids) => {
    const found = await prisma.grant.findMany({
      where: { id: { in: ids } },
      select: { id: true, ticket: { select: { key: true } } },
      relationLoadStrategy: 'join',
    });
    return found.map(({ id, ticket }) => ({ id, name: ticket.key }));
  },
  SupportSession: async (prisma, ids) => {
    const found = await prisma.supportSession.findMany({
      where: { id: { in: ids } },
      select: { id: true, ticket: { select: { key: true } } },
      relationLoadStrategy: 'join',
    });
    return found.map(({ id, ticket }) => ({ id, name: ticket.key }));
  },
  ChangeRequest: async (prisma, ids) => {
    const found = await prisma.changeRequest.findMany({
      where: { id: { in: ids } },
      select: { id: true, ticket: { select: { key: true } } },
      relationLoadStrategy: 'join',
    });
    return found.map(({ id, ticket }) => ({ id, name: ticket.key }));
  },
  RoleAssignment: async (prisma, ids) => {
    const found = await prisma.roleAssignment.findMany({
      where: { id: { in: ids } },
      select: { id: true, account: { select: { email: true } } },
      relationLoadStrategy: 'join',
    });
    return found.map(({ id, account }) => ({ id, name: account.email }));
  },
  ProposedChange: async (prisma, ids) => {
    const found = await prisma.proposedChange.findMany({
      where: { id: { in: ids } },
      select: { id: true, summary: true },
    });
    return found.map(({ id, summary }) => ({ id, name: summary }));
  },
  InboundTicketEvent: async (prisma, ids) => {
    const found = await prisma.inboundTicketEvent.findMany({
      where: { id: { in: ids } },
      select: { id: true, webhookId: true },
    });
    return found.map(({ id, webhookId }) => ({ id, name: webhookId }));
  },
  RovoDataDeletion: async (prisma, ids) => {
    const found = await prisma.rovoDataDeletion.findMany({
      where: { id: { in: ids } },
      select: { id: true, site: { select: { url: true } }, organization: { select: { name: true } } },
      relationLoadStrategy: 'join',
    });
    return found.map(({ id, site, organization }) => ({ id, name: site?.url ?? organization.name }));
  },
  Invitation: async (prisma, ids) => {
    const found = await prisma.invitation.findMany({
      where: { id: { in: ids } },
      select: { id: true, email: true },
    });
    return found.map(({ id, email }) => ({ id, name: email }));
  },
  AuditStream: (prisma, ids) =>
    prisma.auditStream.findMany({ where: { id: { in: ids } }, select: { id: true, name: true } }),
  User: accounts,
  SupportEngineer: accounts,
  Operator: accounts,
  ComplianceAnalyst: accounts,
  ServiceAccount: accounts,
};

/**
 * Returns the names in the order of the resources; null for a resource that does not exist. One statement for each
 * type.
 */
export async function listResourceNames(
  prisma: Client,
  resources: readonly Resource[],
): Promise<(string | null)[]> {
  const names = new Map<string, string>();
  const byType = Map.groupBy(resources, ({ type }) => type);
  const readAll = [...byType].map(async ([type, ofType]) => {
    const read = Object.hasOwn(reads, type) ? reads[type] : undefined;
    const ids = ofType.map(({ id }) => id);
    const found = (await read?.(prisma, ids)) ?? [];
    for (const { id, name } of found) names.set(`${type}:${id}`, name);
  });
  await Promise.all(readAll);
  return resources.map(({ type, id }) => names.get(`${type}:${id}`) ?? null);
}
