/** Locks on the rights of an account: its roles, its memberships, and whether it is active. */
import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/** Locks the rights of an account shared, because a command relies on them: nobody takes any of them away meanwhile. */
export async function shareRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${sharedLock('rights', '$1')}`, accountId);
}

/** Locks the rights of an account exclusively: no command that relies on them runs meanwhile. */
export async function lockRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('rights', '$1')}`, accountId);
}

/** Locks the rights of the role's holder exclusively. Does nothing where there is no such role assignment. */
export async function lockRightsOfHolder(tx: Transaction, roleAssignmentId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('rights', 'account_id::text')} FROM role_assignments WHERE id = $1::uuid`,
    roleAssignmentId,
  );
}
