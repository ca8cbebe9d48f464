import type { Account, RoleAssignment as RoleAssignmentRow } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import type { Place } from './eligibility.ts';
import { requiredRoles } from './eligibility.ts';

export type { RoleAssignmentRow };

/**
 * Who may grant for a product on a site now: active members whose synced role covers it, by name order
 * of their ids, after `after`, at most `limit`. One statement.
 */
export async function listEligibleGrantors(
  db: Transaction,
  { site, product }: Place,
  { after, limit }: { after: string | null; limit: number },
): Promise<Account[]> {
  if (site.status === 'DEACTIVATED' || !product.licensed) return [];
  const covering = requiredRoles(site.experience).map(({ role, over }) => ({
    role,
    siteId: over === 'ORGANIZATION' ? null : site.id,
    productId: over === 'PRODUCT' ? product.id : null,
  }));
  return await db.account.findMany({
    where: {
      active: true,
      kind: 'USER',
      ...(after === null ? {} : { id: { gt: after } }),
      memberships: { some: { organizationId: site.organizationId } },
      roleAssignments: { some: { organizationId: site.organizationId, syncState: 'SYNCED', OR: covering } },
    },
    orderBy: { id: 'asc' },
    take: limit,
  });
}
