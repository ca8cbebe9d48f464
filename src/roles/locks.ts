/** Locks on the rights of accounts: their roles, their memberships, and whether they are active. */
import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/**
 * The account whose rights a command locks besides its caller's: by its id or address, as the holder of a role, or as the person who
 * approved a grant for the customer. `KEEP`: nobody takes any of them away until the transaction ends. `TAKE_AWAY`: no
 * command that relies on them runs until then.
 */
export type RightsLock = (
  | { accountId: string }
  | { accountEmail: string }
  | { roleAssignmentId: string }
  | { approverOfGrantId: string }
) & { purpose: 'KEEP' | 'TAKE_AWAY' };

/**
 * Locks the rights of the caller, to keep them, and those of the accounts that the command names. In the
 * order of the accounts' ids, so that no two commands wait for each other. One statement.
 */
export async function lockRights(
  tx: Transaction,
  callerId: string,
  named: readonly RightsLock[],
): Promise<void> {
  if (named.length === 0) {
    await tx.$executeRawUnsafe(`SELECT ${sharedLock('rights', '$1')}`, callerId);
    return;
  }
  const accounts = named.map((one, index) => ({ ...accountNamed(one, index + 2), purpose: one.purpose }));
  const asked = accounts.map(
    ({ sql, purpose }) => `UNION ALL SELECT (${sql})::text, ${purpose === 'TAKE_AWAY'}`,
  );
  await tx.$executeRawUnsafe(
    `SELECT CASE WHEN taken_away THEN ${exclusiveLock('rights', 'id')} ELSE ${sharedLock('rights', 'id')} END
       FROM (SELECT id, bool_or(taken_away) AS taken_away
               FROM (SELECT $1::text, false ${asked.join(' ')}) AS asked(id, taken_away)
              WHERE id IS NOT NULL GROUP BY id ORDER BY id) AS account`,
    callerId,
    ...accounts.map(({ name }) => name),
  );
}

/** SQL for the id of the account, and its parameter, which is the one with this number. */
function accountNamed(named: RightsLock, number: number): { sql: string; name: string } {
  const parameter = `$${number}::uuid`;
  if ('accountId' in named) return { sql: parameter, name: named.accountId };
  if ('accountEmail' in named)
    return { sql: `SELECT id FROM accounts WHERE email = $${number}`, name: named.accountEmail };
  return 'roleAssignmentId' in named
    ? {
        sql: `SELECT account_id FROM role_assignments WHERE id = ${parameter}`,
        name: named.roleAssignmentId,
      }
    : {
        sql: `SELECT customer_approved_by_id FROM grants WHERE id = ${parameter}`,
        name: named.approverOfGrantId,
      };
}
