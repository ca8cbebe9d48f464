import type { Transaction } from '../platform/database.ts';
import { exclusiveLock } from '../platform/locks.ts';

/** Takes an exclusive lock on a proposed change: nobody else settles it until this transaction ends. */
export async function lockProposedChange(tx: Transaction, id: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('proposal', '$1')}`, id);
}
