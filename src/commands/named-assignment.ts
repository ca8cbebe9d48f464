import type { Transaction } from '../platform/database.ts';
import type { NamedPlace } from '../proposals/summary.ts';
import type { RoleAssignmentRow } from '../roles/store.ts';

/** A role assignment, its holder's email, and the names of what it is held over. */
export type NamedAssignment = { assignment: RoleAssignmentRow; email: string; place: NamedPlace };

const names = {
  account: { select: { email: true } },
  organization: { select: { name: true } },
  site: { select: { url: true } },
  product: { select: { name: true } },
} as const;

/** One statement. */
export async function findNamedAssignment(tx: Transaction, id: string): Promise<NamedAssignment | null> {
  const found = await tx.roleAssignment.findUnique({
    where: { id },
    include: names,
    relationLoadStrategy: 'join',
  });
  return found && named(found);
}

/** The assignments of the organization that wait for a sync. One statement. */
export async function listUnsynced(tx: Transaction, organizationId: string): Promise<NamedAssignment[]> {
  const found = await tx.roleAssignment.findMany({
    where: { organizationId, syncState: 'PENDING_SYNC' },
    include: names,
    orderBy: { id: 'asc' },
    relationLoadStrategy: 'join',
  });
  return found.map(named);
}

type Found = RoleAssignmentRow & {
  account: { email: string };
  organization: { name: string };
  site: { url: string } | null;
  product: { name: string } | null;
};

function named({ account, organization, site, product, ...assignment }: Found): NamedAssignment {
  return {
    assignment,
    email: account.email,
    place: { organization: organization.name, site: site?.url ?? null, product: product?.name ?? null },
  };
}
