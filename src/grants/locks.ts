import type { Transaction } from '../platform/database.ts';
import { sharedLock } from '../platform/locks.ts';

/**
 * Takes shared locks on the rights of the caller, and of the person who approved the grant for the customer: nobody
 * takes any of them away until this transaction ends. The caller holds the lock on the grant's ticket. One statement.
 */
export async function shareRightsWithApprover(
  tx: Transaction,
  callerId: string,
  grantId: string,
): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('rights', '$1')},
            (SELECT ${sharedLock('rights', 'customer_approved_by_id::text')} FROM grants WHERE id = $2::uuid)`,
    callerId,
    grantId,
  );
}
