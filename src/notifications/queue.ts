/** The queue of mail. A mail is queued in the transaction of what it reports, and claimed to be sent afterwards. */
import type { Pool } from 'pg';
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { AuditContext, AuditResource } from '../audit/entry.ts';
import type { Transaction } from '../platform/database.ts';
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
 * once more; a mail to them that still waits is replaced. One statement for each kind.
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
      `INSERT INTO mails (kind, about_id, details, recipient_id, due_at, created_at)
       SELECT $1::text, m.about_id, m.details, recipient.id, $3::timestamptz, $3::timestamptz
         FROM jsonb_to_recordset($2::jsonb) AS m (about_id uuid, details jsonb)
              ${kind.about}
        CROSS JOIN LATERAL (SELECT a.id FROM accounts a WHERE ${isCustomersUser} AND (${kind.recipient})
                             ORDER BY a.id LIMIT $4::int) AS recipient
       ON CONFLICT (about_id, recipient_id, kind) DO UPDATE
          SET details = excluded.details, state = 'WAITING', attempts = 0, due_at = excluded.due_at, last_error = NULL,
              created_at = excluded.created_at, settled_at = NULL, in_digest = false`,
      kind.name,
      JSON.stringify(mails),
      now,
      maxRecipients,
    );
  }
}

/** In SQL, when a mail is due again after the attempt that begins; `attempts` counts those before. */
export const nextDueInSql = (now: string, attempts: string) => {
  const seconds = `ARRAY[${pauses.join(', ')}]`;
  return `${now} + make_interval(secs => (${seconds})[LEAST(${attempts} + 1, ${pauses.length})])`;
};

/**
 * Claims at most `limit` due mails of these kinds, the longest due first, except those that wait for a digest. Each counts as attempted and is due again
 * after its retry delay, whatever the result of this attempt. No two callers claim the same mail. One statement.
 */
export async function claimMails(
  pool: Pool,
  kinds: readonly MailKind[],
  now: Date,
  limit: number,
): Promise<ClaimedMail[]> {
  const { rows } = await pool.query<ClaimedMail>(
    `WITH due AS (
       SELECT kind, about_id, recipient_id FROM mails
        WHERE state = 'WAITING' AND due_at <= $1::timestamptz AND kind = ANY ($3::text[])
           AND NOT in_digest
        ORDER BY due_at LIMIT $2::int FOR UPDATE SKIP LOCKED
     )
     UPDATE mails AS m
        SET attempts = m.attempts + 1,
            due_at = ${nextDueInSql('$1::timestamptz', 'm.attempts')}
       FROM due WHERE (m.about_id, m.recipient_id, m.kind) = (due.about_id, due.recipient_id, due.kind)
     RETURNING m.kind, m.about_id AS "aboutId", m.recipient_id AS "recipientId", m.attempts, m.created_at AS "createdAt"`,
    [now, limit, kinds.map(({ name }) => name)],
  );
  return rows;
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
  return (await db.mail.deleteMany({ where: { createdAt: { lt: moment } }, limit })).count;
}
