import { appendAuditEntries } from '../audit/store.ts';
import { isUniqueViolation } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Dependencies } from './execute.ts';

/**
 * Adds the first operator of a deployment, so that everything else can be done through the API. Does nothing
 * where there is an operator, or an account with this email.
 */
export async function addFirstOperator({ database, clock }: Dependencies, email: string): Promise<void> {
  const now = clock();
  const id = newId();
  try {
    await database.transaction(async (tx) => {
      if (
        (await tx.account.count({ where: { OR: [{ kind: 'OPERATOR' }, { email: email.toLowerCase() }] } })) >
        0
      )
        return;
      await tx.account.create({
        data: { id, kind: 'OPERATOR', email: email.toLowerCase(), name: email, createdAt: now },
      });
      await appendAuditEntries(tx, [
        {
          action: 'account.add_operator',
          actor: { kind: 'SYSTEM' },
          resource: { type: 'Operator', id },
          refusalCode: null,
          occurredAt: now,
          organizationId: null,
          details: { email: email.toLowerCase(), name: email },
        },
      ]);
    });
  } catch (error) {
    // Another gateway of this deployment was faster.
    if (!isUniqueViolation(error)) throw error;
  }
}
