/** The queue of mail to Guard admins. A mail is queued with the customer's approval, and claimed to be sent. */
import type { Pool } from 'pg';
import type { Prisma } from '../../prisma/generated/client/client.ts';
import type { Transaction } from '../platform/database.ts';
import { countsInSql } from '../roles/role-counts.ts';
import type { GuardRequest } from './guard-mail.ts';

/** The maximum number of Guard admins who get mail about one request. */
const recipientsPerRequest = 50;

/**
 * Retry delays in seconds, from one attempt to the next: eight attempts within about a day. Even the shortest
 * is longer than the deadline of an attempt, so that no mail is claimed while it is being sent.
 */
const pauses = [60, 300, 900, 3_600, 10_800, 21_600, 43_200] as const;
export const maxAttempts = pauses.length + 1;

export type GuardMailKey = { grantId: string; recipientId: string };

/** A mail claimed for one attempt. */
export type DueGuardMail = GuardMailKey &
  GuardRequest & {
    recipientEmail: string;
    createdAt: Date;
    /** This attempt included. */
    attempts: number;
    /** Whether the request still awaits the Guard, and the recipient may still decide on it. */
    isWanted: boolean;
    organizationId: string;
    siteId: string;
    ticketId: string;
  };

/**
 * Which accounts `a` may decide as the Guard on the grant `g` on the site `s`: active, with a synced Guard
 * admin role that reaches the site (as in roles/role.ts), and not the person who approved unless the site's
 * policy allows that (as in grants/lifecycle.ts).
 */
const mayDecide = `
  a.active AND (s.same_person_may_approve_twice OR a.id <> g.customer_approved_by_id) AND a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.role = 'GUARD_ADMIN' AND ${countsInSql} AND r.organization_id = s.organization_id
       AND (r.site_id IS NULL OR r.site_id = s.id))`;

/**
 * Queues a mail to everybody who may decide as the Guard on these grants, which began to await the
 * Guard in this transaction. One statement; none when there are no grants.
 */
export async function queueGuardMails(
  tx: Transaction,
  grantIds: readonly string[],
  now: Date,
): Promise<void> {
  if (grantIds.length === 0) return;
  await tx.$executeRawUnsafe(
    `INSERT INTO guard_mails (grant_id, recipient_id, due_at, created_at)
     SELECT g.id, admin.id, $2::timestamptz, $2::timestamptz
       FROM grants g JOIN sites s ON s.id = g.site_id
      CROSS JOIN LATERAL (SELECT a.id FROM accounts a WHERE ${mayDecide} ORDER BY a.id LIMIT $3::int) AS admin
      WHERE g.id = ANY ($1::uuid[])
     ON CONFLICT DO NOTHING`,
    grantIds,
    now,
    recipientsPerRequest,
  );
}

/**
 * Claims at most `limit` due mails, the longest due first. Each counts as attempted and is due again after its
 * retry delay, whatever the result of this attempt. No two callers claim the same mail. One statement.
 */
export async function takeUpGuardMails(pool: Pool, now: Date, limit: number): Promise<DueGuardMail[]> {
  const { rows } = await pool.query<DueGuardMail>(
    `WITH due AS (
       SELECT grant_id, recipient_id FROM guard_mails WHERE state = 'WAITING' AND due_at <= $1::timestamptz
        ORDER BY due_at LIMIT $2::int FOR UPDATE SKIP LOCKED
     ), mail AS (
       UPDATE guard_mails AS m
          SET attempts = m.attempts + 1,
              due_at = $1::timestamptz + make_interval(secs => ($3::int[])[LEAST(m.attempts + 1, cardinality($3::int[]))])
         FROM due WHERE m.grant_id = due.grant_id AND m.recipient_id = due.recipient_id
       RETURNING m.*
     )
     SELECT mail.grant_id AS "grantId", mail.recipient_id AS "recipientId", mail.attempts, mail.created_at AS "createdAt",
            g.state = 'PENDING_GUARD_APPROVAL' AND LEAST(g.approval_due_at, g.expires_at) > $1::timestamptz
              AND ${mayDecide} AS "isWanted",
            a.name AS "recipientName", a.email AS "recipientEmail",
            s.organization_id AS "organizationId", s.id AS "siteId", s.name AS "siteName", s.url AS "siteUrl",
            t.id AS "ticketId", t.key AS "ticketKey", t.summary, p.name AS "productName",
            CASE g.scope_kind WHEN 'ROVO_CONVERSATIONS' THEN cardinality(g.conversation_ids) END AS conversations,
            engineer.name AS "engineerName", g.justification,
            approver.name AS "approverName", approver.email AS "approverEmail",
            g.customer_approved_at AS "approvedAt", g.expires_at AS "expiresAt",
            LEAST(g.approval_due_at, g.expires_at) AS "decideBy"
       FROM mail
       JOIN grants g ON g.id = mail.grant_id
       JOIN accounts a ON a.id = mail.recipient_id
       JOIN sites s ON s.id = g.site_id
       JOIN tickets t ON t.id = g.ticket_id
       JOIN products p ON p.id = t.product_id
       JOIN accounts approver ON approver.id = g.customer_approved_by_id
       LEFT JOIN accounts engineer ON engineer.id = g.engineer_id`,
    [now, limit, pauses],
  );
  return rows;
}

/** Saves the result for a claimed mail. */
export async function recordGuardMail(
  db: Transaction,
  { grantId, recipientId }: GuardMailKey,
  outcome: Pick<Prisma.GuardMailUpdateManyMutationInput, 'state' | 'settledAt' | 'lastError'>,
): Promise<void> {
  await db.guardMail.updateMany({ where: { grantId, recipientId, state: 'WAITING' }, data: outcome });
}

/** Deletes at most `limit` mails that were queued before the moment, whatever their result. */
export async function deleteGuardMailsBefore(db: Transaction, moment: Date, limit: number): Promise<void> {
  await db.guardMail.deleteMany({ where: { createdAt: { lt: moment } }, limit });
}
