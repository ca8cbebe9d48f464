import type { Transaction } from '../platform/database.ts';
import { exclusiveLock } from '../platform/locks.ts';

/** Takes an exclusive lock on the deletions of an organization: nobody requests or changes one meanwhile. */
export async function lockDeletionsOf(tx: Transaction, organizationId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('deletion', '$1')}`, organizationId);
}

/** As `lockDeletionsOf`, for the organization of this deletion. Does nothing if there is no such deletion. */
export async function lockDeletion(tx: Transaction, id: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('deletion', 'organization_id::text')} FROM rovo_data_deletions WHERE id = $1::uuid`,
    id,
  );
}
