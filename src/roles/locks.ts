/** Locks on the rights of accounts: their roles, their memberships, and whether they are active. */
import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/**
 * The account whose rights a command locks besides its caller's: by its id, as the holder of a role, or as the person who
 * approved a grant for the customer. `KEEP`: nobody takes any of them away until the transaction ends. `TAKE_AWAY`: no
 * command that relies on them runs until then.
 */
export type RightsLock = (
  | { accountId: string }
  | { roleAssignmentId: string }
  | { approverOfGrantId: string }
) & { purpose: 'KEEP' | 'TAKE_AWAY' };

/**
 * Locks the rights of the caller, to keep them, and those of the account that the command names, if there is one. In the
 * order of the accounts' ids, so that no two commands wait for each other. One statement.
 */
export async function lockRights(tx: Transaction, callerId: string, named: RightsLock | null): Promise<void> {
  if (named === null) {
    await tx.$executeRawUnsafe(`SELECT ${sharedLock('rights', '$1')}`, callerId);
    return;
  }
  const [account, id] = accountNamed(named);
  await tx.$executeRawUnsafe(
    `SELECT CASE WHEN taken_away THEN ${exclusiveLock('rights', 'id')} ELSE ${sharedLock('rights', 'id')} END
       FROM (SELECT id, bool_or(taken_away) AS taken_away
               FROM (SELECT $1::text, false UNION ALL SELECT (${account})::text, $3::boolean) AS asked(id, taken_away)
              WHERE id IS NOT NULL GROUP BY id ORDER BY id) AS account`,
    callerId,
    id,
    named.purpose === 'TAKE_AWAY',
  );
}

/** SQL for the id of the account, and its parameter $2. */
function accountNamed(named: RightsLock): [sql: string, id: string] {
  if ('accountId' in named) return ['$2::uuid', named.accountId];
  return 'roleAssignmentId' in named
    ? ['SELECT account_id FROM role_assignments WHERE id = $2::uuid', named.roleAssignmentId]
    : ['SELECT customer_approved_by_id FROM grants WHERE id = $2::uuid', named.approverOfGrantId];
}
