/** Keeps the first answer to a command under its idempotency key, so that a repetition gets it and does nothing. */
import type { Transaction } from '../platform/database.ts';
import { idempotencyKeyReused, type Refusal } from './refusal.ts';

export type Answer<Row extends object> = { answer: Row } | { refused: Refusal };

export type Repetition = { accountId: string; key: string; command: string; inputHash: string };

/** How long an answer is kept at least, in milliseconds: one day. */
export const answersKeptFor = 24 * 60 * 60 * 1000;

/** Claims the key for this transaction. Returns true when a committed transaction has claimed it before. */
export async function keyHasAnswer(tx: Transaction, of: Repetition, now: Date): Promise<boolean> {
  const claimed = await tx.$executeRawUnsafe(
    `INSERT INTO idempotency_keys (account_id, key, command, input_hash, created_at)
     VALUES ($1::uuid, $2, $3, $4, $5::timestamptz) ON CONFLICT DO NOTHING`,
    of.accountId,
    of.key,
    of.command,
    of.inputHash,
    now,
  );
  return claimed === 0;
}

export async function findAnswer<Row extends object>(tx: Transaction, of: Repetition): Promise<Answer<Row>> {
  const { accountId, key } = of;
  const kept = await tx.idempotencyKey.findUniqueOrThrow({ where: { accountId_key: { accountId, key } } });
  if (kept.command !== of.command || kept.inputHash !== of.inputHash)
    return { refused: idempotencyKeyReused };
  return revive<Answer<Row>>(kept.answer);
}

export async function keepAnswer<Row extends object>(
  tx: Transaction,
  of: Repetition,
  answer: Answer<Row>,
): Promise<void> {
  await tx.$executeRawUnsafe(
    `UPDATE idempotency_keys SET answer = $3::jsonb WHERE account_id = $1::uuid AND key = $2`,
    of.accountId,
    of.key,
    JSON.stringify(answer),
  );
}

/** Deletes at most `limit` answers that are old enough, and returns how many. */
export async function forgetAnswers(db: Transaction, now: Date, limit: number): Promise<number> {
  return await db.$executeRawUnsafe(
    `DELETE FROM idempotency_keys WHERE (account_id, key) IN (
       SELECT account_id, key FROM idempotency_keys WHERE created_at < $1::timestamptz LIMIT $2::int)`,
    new Date(now.getTime() - answersKeptFor),
    limit,
  );
}

/** Restores a row from JSON: every column named `…At` is a date. */
function revive<T>(json: unknown): T {
  return JSON.parse(JSON.stringify(json), (name, value: unknown) =>
    /At$/.test(name) && typeof value === 'string' ? new Date(value) : value,
  );
}
