/** Keeps the first answer to a command under its idempotency key, so that a repetition gets it and does nothing. */
import { createHash } from 'node:crypto';
import type { MutationName } from '../authorization/operations.ts';
import type { Transaction } from '../platform/database.ts';
import { snakeCase } from '../platform/snake-case.ts';
import { idempotencyKeyReused, type Refusal } from './refusal.ts';

export type Answer<Row extends object> = { answer: Row } | { refused: Refusal };

export type Repetition = { accountId: string; key: string; command: MutationName; inputHash: string };

/** What identifies a repetition: the same account, key and mutation, with the same whole input. */
export function repetitionOf(
  accountId: string,
  key: string,
  command: MutationName,
  input: unknown,
): Repetition {
  const inputHash = createHash('sha256').update(JSON.stringify(input)).digest('hex');
  return { accountId, key, command, inputHash };
}

/** How long an answer is kept at least, in milliseconds: one day. */
export const answersKeptFor = 24 * 60 * 60 * 1000;

/** Claims the key for this transaction. Returns true when a committed transaction has claimed it before. */
export async function keyHasAnswer(tx: Transaction, of: Repetition): Promise<boolean> {
  const claimed = await tx.$executeRawUnsafe(
    `INSERT INTO idempotency_keys (account_id, key, command, input_hash, created_at)
     VALUES ($1::uuid, $2, $3, $4, now()) ON CONFLICT DO NOTHING`,
    of.accountId,
    of.key,
    of.command,
    of.inputHash,
  );
  return claimed === 0;
}

/**
 * Claims the key for a mutation that runs many commands, each of which keeps its own answer. Returns false when the
 * account has used the key for something else. One statement.
 */
export async function claimKey(db: Transaction, of: Repetition): Promise<boolean> {
  const [claimed] = await db.$queryRawUnsafe<{ command: string; inputHash: string }[]>(
    `INSERT INTO idempotency_keys AS known (account_id, key, command, input_hash, created_at)
     VALUES ($1::uuid, $2, $3, $4, now())
     ON CONFLICT (account_id, key) DO UPDATE SET created_at = known.created_at
     RETURNING command, input_hash AS "inputHash"`,
    of.accountId,
    of.key,
    of.command,
    of.inputHash,
  );
  return claimed?.command === of.command && claimed.inputHash === of.inputHash;
}

export async function findAnswer<Row extends object>(tx: Transaction, of: Repetition): Promise<Answer<Row>> {
  const { accountId, key } = of;
  return answerIn(
    await tx.idempotencyKey.findUniqueOrThrow({ where: { accountId_key: { accountId, key } } }),
    of,
  );
}

function answerIn<Row extends object>(
  kept: { command: string; inputHash: string; answer: unknown },
  of: Repetition | undefined,
): Answer<Row> {
  if (kept.command !== of?.command || kept.inputHash !== of.inputHash)
    return { refused: idempotencyKeyReused };
  return revive<Answer<Row>>(kept.answer);
}

/** An answer, and whose it is; null: it says nothing of an organization, so it stays the vendor's. */
export type OwnedAnswer<Row extends object> = { answer: Answer<Row>; organizationId: string | null };

export async function keepAnswer<Row extends object>(
  tx: Transaction,
  of: Repetition,
  { answer, organizationId }: OwnedAnswer<Row>,
): Promise<void> {
  await tx.$executeRawUnsafe(
    `UPDATE idempotency_keys SET answer = $3::jsonb, organization_id = COALESCE($4::uuid, organization_id)
      WHERE account_id = $1::uuid AND key = $2`,
    ...[of.accountId, of.key, JSON.stringify(answer), organizationId],
  );
}

/** Gives up the key that this transaction has claimed: whoever uses it again runs the command anew. */
export async function releaseKey(tx: Transaction, { accountId, key }: Repetition): Promise<void> {
  await tx.$executeRawUnsafe(
    'DELETE FROM idempotency_keys WHERE account_id = $1::uuid AND key = $2',
    accountId,
    key,
  );
}

/**
 * Claims many keys of one account for this transaction, and returns the first answers of those that a committed
 * transaction has claimed before, by key. At most two statements.
 */
export async function claimKeys<Row extends object>(
  tx: Transaction,
  accountId: string,
  repetitions: readonly Repetition[],
): Promise<ReadonlyMap<string, Answer<Row>>> {
  if (repetitions.length === 0) return new Map();
  const claimed = await tx.$queryRawUnsafe<{ key: string }[]>(
    `INSERT INTO idempotency_keys (account_id, key, command, input_hash, created_at)
     SELECT $1::uuid, key, command, input_hash, now()
       FROM jsonb_to_recordset($2::jsonb) AS asked(key text, command text, input_hash text)
     ON CONFLICT DO NOTHING RETURNING key`,
    accountId,
    JSON.stringify(
      repetitions.map(({ key, command, inputHash }) => ({ key, command, input_hash: inputHash })),
    ),
  );
  const own = new Set(claimed.map(({ key }) => key));
  const repeated = new Map(repetitions.flatMap((one) => (own.has(one.key) ? [] : [[one.key, one]])));
  if (repeated.size === 0) return new Map();
  const kept = await tx.idempotencyKey.findMany({ where: { accountId, key: { in: [...repeated.keys()] } } });
  return new Map(kept.map((one) => [one.key, answerIn<Row>(one, repeated.get(one.key))]));
}

/** Keeps the answers to commands whose keys this transaction has claimed. One statement. */
export async function keepAnswers<Row extends object>(
  tx: Transaction,
  accountId: string,
  answers: readonly ({ key: string } & OwnedAnswer<Row>)[],
): Promise<void> {
  if (answers.length === 0) return;
  await tx.$executeRawUnsafe(
    `UPDATE idempotency_keys AS known
        SET answer = given.answer, organization_id = COALESCE(given.organization_id, known.organization_id)
       FROM jsonb_to_recordset($2::jsonb) AS given(key text, answer jsonb, organization_id uuid)
      WHERE known.account_id = $1::uuid AND known.key = given.key`,
    accountId,
    JSON.stringify(answers.map(snakeCase)),
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

/** Restores a row from JSON: every column named `…At` or `…Until` is a date. */
function revive<T>(json: unknown): T {
  return JSON.parse(JSON.stringify(json), (name, value: unknown) =>
    /(At|Until)$/.test(name) && typeof value === 'string' ? new Date(value) : value,
  );
}
