import { appendAuditEntries } from '../audit/store.ts';
import { asciiLowerCase } from '../platform/ascii.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { exclusiveLock } from '../platform/locks.ts';
import { StartupError } from '../platform/startup-error.ts';
import { accountTypename } from './account-typename.ts';
import type { Dependencies } from './execute.ts';

/**
 * Adds the first operator of a deployment, so that everything else can be done through the API. Does nothing where
 * there is an operator: then a warning says so if the address is somebody else's. Of several gateways that start
 * at once, one adds its operator.
 *
 * @throws StartupError if there is no operator and the address belongs to another account
 */
export async function addFirstOperator(
  { database, clock, logger }: Pick<Dependencies, 'database' | 'clock' | 'logger'>,
  address: string,
): Promise<void> {
  const email = asciiLowerCase(address);
  const problem = await database.transaction(async (tx) => {
    await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('deployment', `'first operator'`)}`);
    const [holder] = await tx.$queryRawUnsafe<{ kind: keyof typeof accountTypename }[]>(
      'SELECT kind FROM accounts WHERE email = $1',
      email,
    );
    if (holder?.kind === 'OPERATOR') return null;
    if (holder !== undefined) {
      return `BOOTSTRAP_OPERATOR_EMAIL, ${email}, belongs to an account of another kind (${accountTypename[holder.kind]}), so it cannot be an operator's: set it to another address, or leave it out.`;
    }
    if (!(await hasOperator((text) => tx.$queryRawUnsafe(text)))) await addOperator(tx, email, clock());
    return null;
  });
  if (problem === null) return;
  if (!(await hasOperator(async (text) => (await database.pool.query(text)).rows)))
    throw new StartupError(problem);
  logger.warn(problem);
}

async function hasOperator(query: (text: string) => Promise<unknown[]>): Promise<boolean> {
  const found = await query("SELECT FROM accounts WHERE kind = 'OPERATOR' LIMIT 1");
  return found.length > 0;
}

async function addOperator(tx: Transaction, email: string, now: Date): Promise<void> {
  const id = newId(now);
  await tx.account.create({ data: { id, kind: 'OPERATOR', email, name: email, createdAt: now } });
  await appendAuditEntries(tx, [
    {
      action: 'account.add_operator',
      actor: { kind: 'SYSTEM' },
      resource: { type: 'Operator', id },
      refusalCode: null,
      occurredAt: now,
      organizationId: null,
      details: { email, name: email },
    },
  ]);
}
