/** The queue of mail. A mail is queued in the transaction of what it reports, and claimed to be sent afterwards. */
import type { Pool } from 'pg';
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { AuditContext, AuditResource } from '../audit/entry.ts';
import type { Transaction } from '../platform/database.ts';
import type { Quotas } from '../platform/quotas.ts';
import { isVendorsInSql } from '../roles/vendor-domains.ts';
import type { MailKind, MailRequest, Recipient } from './mail-kind.ts';

/** The maximum number of people who get the mail of one request. */
const maxRecipients = 1_000;

/**
 * Retry delays in seconds, from one attempt to the next: eight attempts within about a day. Even the shortest
 * is longer than the deadline of an attempt, so that no mail is claimed while it is being sent.
 */
const pauses = [60, 300, 900, 3_600, 10_800, 21_600, 43_200] as const;
export const maxAttempts = pauses.length + 1;

/** So many attempts follow one after which the recipient may have the mail. */
export const repeatedAttempts = 2;

/** Names one mail: what is asked for once more, later, is another one. */
export type MailKey = { kind: string; aboutId: string; recipientId: string; createdAt: Date };

/** A mail claimed for one attempt. */
export type ClaimedMail = MailKey & {
  /** This attempt included. */
  attempts: number;
};

/** What a claimed mail says, and to whom. */
export type MailContents = Recipient & {
  recipientEmail: string;
  /** Whether it is still wanted, and its recipient is still one. */
  isWanted: boolean;
  resource: AuditResource;
  context: AuditContext;
};

/** Only an active user of a customer gets mail. */
const isCustomersUser = `a.active AND a.kind = 'USER' AND NOT ${isVendorsInSql('a.email')}`;

/**
 * Queues the mails that were asked for in this transaction. A recipient who was told of the same thing before is told
 * once more; a mail to them that still waits is replaced, and stays in the digest that it waits for. One statement for each
 * kind.
 */
export async function queueMails(
  tx: Transaction,
  requests: readonly MailRequest[],
  now: Date,
): Promise<void> {
  for (const [kind, ofKind] of Map.groupBy(requests, (request) => request.kind)) {
    const latest = new Map(ofKind.map(({ aboutId, details = {} }) => [aboutId, details]));
    const mails = [...latest].map(([about_id, details]) => ({ about_id, details }));
    await tx.$executeRawUnsafe(
      `INSERT INTO mails AS known (kind, about_id, details, recipient_id, organization_id, due_at, created_at)
       SELECT $1::text, m.about_id, m.details, recipient.id, ${kind.concerns.organizationId}, $3::timestamptz, $3::timestamptz
         FROM jsonb_to_recordset($2::jsonb) AS m (about_id uuid, details jsonb)
              ${kind.about}
        CROSS JOIN LATERAL (SELECT a.id FROM accounts a WHERE ${isCustomersUser} AND (${kind.recipient})
                             ORDER BY a.id LIMIT $4::int) AS recipient
       ON CONFLICT (about_id, recipient_id, kind) DO UPDATE
          SET details = excluded.details, state = 'WAITING', attempts = 0, last_error = NULL, settled_at = NULL,
              created_at = excluded.created_at, organization_id = excluded.organization_id,
              due_at = CASE WHEN ${waitsForDigest} THEN known.due_at ELSE excluded.due_at END,
              in_digest = ${waitsForDigest}`,
      kind.name,
      JSON.stringify(mails),
      now,
      maxRecipients,
    );
  }
}

/** Whether the mail is a member of a digest that nobody has tried to send yet. */
const waitsForDigest = `(known.in_digest AND known.state = 'WAITING' AND known.attempts = 0)`;

/** The names of the kinds that ask for a decision. */
export function askingKinds(kinds: readonly MailKind[]): string[] {
  return kinds.flatMap(({ name, decideBy }) => (decideBy === undefined ? [] : [name]));
}

/** In SQL, when a mail is due again after the attempt that begins; `attempts` counts those before. */
export const nextDueInSql = (now: string, attempts: string) => {
  const seconds = `ARRAY[${pauses.join(', ')}]`;
  return `${now} + make_interval(secs => (${seconds})[LEAST(${attempts} + 1, ${pauses.length})])`;
};

/** How many single mails went to one person or organization within the hour, in SQL, with those before this one in `due`. */
const sentInSql = (scope: string) => `(
  (SELECT COALESCE(sum(c.mails), 0) FROM mail_counts c
    WHERE c.scope_id = due.${scope} AND c.kind = due.kind AND c.minute > $1::timestamptz - interval '1 hour')
  + row_number() OVER (PARTITION BY due.attempts = 0, due.kind, due.${scope} ORDER BY due.due_at, due.about_id) - 1)`;

/**
 * Claims due mails of these kinds, the longest due first, except those that wait for a digest: looks at `limit` of them. Each
 * counts as attempted and is due again after its retry delay, whatever the result of this attempt. No two callers claim the
 * same mail.
 *
 * What is beyond a quota is held back instead, and becomes a member of its recipient's next digest: within ten minutes if it
 * asks for a decision, and within an hour if not. A mail that was tried before is not held back. One statement.
 */
export async function claimMails(
  pool: Pool,
  kinds: readonly MailKind[],
  now: Date,
  { limit, quotas }: { limit: number; quotas: Quotas },
): Promise<{
  claimed: ClaimedMail[];
  /** Whether no further mail was due. */
  isAll: boolean;
}> {
  const { rows } = await pool.query<ClaimedMail & { isHeld: boolean }>(
    `WITH due AS MATERIALIZED (
       SELECT kind, about_id, recipient_id, organization_id, attempts, due_at FROM mails
        WHERE state = 'WAITING' AND due_at <= $1::timestamptz AND kind = ANY ($3::text[])
           AND NOT in_digest
        ORDER BY due_at LIMIT $2::int FOR UPDATE SKIP LOCKED
     ), judged AS MATERIALIZED (
       SELECT due.*, due.attempts = 0
                     AND (${sentInSql('recipient_id')} >= $4::int
                          OR ${sentInSql('organization_id')} >= $5::int) AS held,
              $1::timestamptz + CASE WHEN kind = ANY ($6::text[]) THEN interval '10 minutes' ELSE interval '1 hour' END AS digest_by
         FROM due
     ), changed AS (
       UPDATE mails AS m
          SET in_digest = judged.held,
              attempts = m.attempts + CASE WHEN judged.held THEN 0 ELSE 1 END,
              due_at = CASE WHEN judged.held
                THEN COALESCE((SELECT min(other.due_at) FROM mails other
                                WHERE other.recipient_id = m.recipient_id AND other.in_digest AND other.state = 'WAITING'
                                  AND other.attempts = 0 AND other.due_at > $1::timestamptz
                                  AND other.due_at <= judged.digest_by), judged.digest_by)
                ELSE ${nextDueInSql('$1::timestamptz', 'm.attempts')} END
         FROM judged
        WHERE (m.about_id, m.recipient_id, m.kind) = (judged.about_id, judged.recipient_id, judged.kind)
       RETURNING m.kind, m.about_id, m.recipient_id, m.organization_id, m.attempts, m.created_at, judged.held
     ), counted AS (
       INSERT INTO mail_counts AS known (scope_id, kind, minute, mails)
       SELECT scope_id, kind, date_trunc('minute', $1::timestamptz), count(*)
         FROM changed CROSS JOIN LATERAL (VALUES (recipient_id), (organization_id)) AS of (scope_id)
        WHERE NOT held AND attempts = 1
        GROUP BY scope_id, kind ORDER BY scope_id, kind
       ON CONFLICT (scope_id, kind, minute) DO UPDATE SET mails = known.mails + excluded.mails
     )
     SELECT kind, about_id AS "aboutId", recipient_id AS "recipientId", attempts, created_at AS "createdAt", held AS "isHeld"
       FROM changed`,
    [
      ...[now, limit, kinds.map(({ name }) => name)],
      ...[quotas.mailsOfKindToPersonPerHour, quotas.mailsOfKindToOrganizationPerHour, askingKinds(kinds)],
    ],
  );
  const claimed = rows.flatMap(({ isHeld, ...mail }) => (isHeld ? [] : [mail]));
  return { claimed, isAll: rows.length < limit };
}

/** Deletes at most `limit` counts that no quota looks at any more. Returns how many. */
export async function deleteMailCounts(db: Transaction, now: Date, limit: number): Promise<number> {
  const anHourAgo = new Date(now.getTime() - 3_600_000);
  return await db.$executeRawUnsafe(
    `DELETE FROM mail_counts WHERE (scope_id, kind, minute) IN (
       SELECT scope_id, kind, minute FROM mail_counts WHERE minute <= $1::timestamptz LIMIT $2::int)`,
    ...[anHourAgo, limit],
  );
}

/**
 * What these claimed mails of one kind say now, in their order; null where what a mail is about does not exist any
 * more. One statement.
 */
export async function readMails<Facts>(
  pool: Pool,
  { name, about, recipient, joins, wanted, concerns, facts }: MailKind<Facts>,
  mails: readonly MailKey[],
  now: Date,
): Promise<((MailContents & Facts) | null)[]> {
  const { resourceType, resourceId, organizationId, siteId, ticketId, grantId } = concerns;
  const { rows } = await pool.query<{ position: number } & MailContents & Facts>(
    `SELECT claimed.position::int, a.name AS "recipientName", a.email AS "recipientEmail",
            ${isCustomersUser} AND (${recipient}) AND (${wanted}) AS "isWanted",
            jsonb_build_object('type', '${resourceType}', 'id', ${resourceId}) AS resource,
            jsonb_build_object('organizationId', ${organizationId}, 'siteId', ${siteId ?? 'NULL'},
                               'ticketId', ${ticketId ?? 'NULL'}, 'grantId', ${grantId ?? 'NULL'}) AS context,
            ${facts}
       FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS claimed (about_id, recipient_id, position)
       JOIN mails m ON m.about_id = claimed.about_id AND m.recipient_id = claimed.recipient_id AND m.kind = $3::text
       JOIN accounts a ON a.id = m.recipient_id
      CROSS JOIN (SELECT $4::timestamptz AS now) AS clock
            ${about} ${joins}`,
    [mails.map(({ aboutId }) => aboutId), mails.map(({ recipientId }) => recipientId), name, now],
  );
  const byPosition = new Map(rows.map((row) => [row.position, row]));
  return mails.map((_, index) => byPosition.get(index + 1) ?? null);
}

/** Saves the result for claimed mails, except those that were replaced meanwhile. */
export async function recordMails(
  db: Transaction,
  mails: readonly MailKey[],
  outcome: Pick<Prisma.MailUpdateManyMutationInput, 'state' | 'settledAt' | 'lastError' | 'attempts'>,
): Promise<void> {
  await db.mail.updateMany({
    where: {
      state: 'WAITING',
      OR: mails.map(({ kind, aboutId, recipientId, createdAt }) => ({
        ...{ kind, aboutId, recipientId, createdAt },
      })),
    },
    data: outcome,
  });
}

/** Deletes at most `limit` mails that were queued before the moment, whatever their result. Returns how many. */
export async function deleteMailsBefore(db: Transaction, moment: Date, limit: number): Promise<number> {
  return await db.$executeRawUnsafe(
    `DELETE FROM mails WHERE (about_id, recipient_id, kind) IN (
       SELECT about_id, recipient_id, kind FROM mails WHERE created_at < $1::timestamptz LIMIT $2::int)`,
    ...[moment, limit],
  );
}
