/** Locks on the rights of an account: its roles, its memberships, and whether it is active. */
import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/** Takes a shared lock on the rights of an account: nobody takes any of them away until this transaction ends. */
export async function shareRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${sharedLock('rights', '$1')}`, accountId);
}

/**
 * Takes an exclusive lock on the rights of an account: no command that relies on them runs until this transaction
 * ends.
 */
export async function lockRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('rights', '$1')}`, accountId);
}

/** Takes an exclusive lock on the rights of the role's holder. Does nothing if there is no such role assignment. */
export async function lockRightsOfHolder(tx: Transaction, roleAssignmentId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('rights', 'account_id::text')} FROM role_assignments WHERE id = $1::uuid`,
    roleAssignmentId,
  );
}
