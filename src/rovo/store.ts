/** Deletions of Rovo's data in the database. */
import type { RovoDataDeletion } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import type { Deletion } from './deletion.ts';

export type { RovoDataDeletion };

export async function findDeletion(tx: Transaction, id: string): Promise<RovoDataDeletion | null> {
  return await tx.rovoDataDeletion.findUnique({ where: { id } });
}

/** Whether a deletion of the whole organization is open, or of the site if one is given. */
export async function hasOpenDeletion(
  tx: Transaction,
  organizationId: string,
  siteId: string | null,
): Promise<boolean> {
  return (await tx.rovoDataDeletion.count({ where: { organizationId, siteId, endedAt: null } })) > 0;
}

export async function insertDeletion(tx: Transaction, deletion: RovoDataDeletion): Promise<void> {
  await tx.rovoDataDeletion.create({ data: deletion });
}

/** Saves a step of a deletion. Throws WriteConflictError if somebody else has changed it since it was read. */
export async function saveDeletion(
  tx: Transaction,
  { id, version, state, startedAt, failureReason, endedAt }: Deletion & { id: string },
): Promise<void> {
  const { count } = await tx.rovoDataDeletion.updateMany({
    where: { id, version: version - 1 },
    data: { state, startedAt, failureReason, endedAt, version },
  });
  if (count === 0) throw new WriteConflictError();
}
