/**
 * One mail for many: beyond a number of mails that ask one person for decisions within an hour, the rest wait for the hour's
 * end and become one. So do mails of any kind beyond the quotas, which `claimMails` holds back.
 */
import type { Pool } from 'pg';
import { letter } from './letter.ts';
import type { MailKind, MailText, Recipient } from './mail-kind.ts';
import { askingKinds, type ClaimedMail, nextDueInSql } from './queue.ts';

/**
 * Mails that ask for a decision, to one person within an hour. Somebody who decides as mails arrive keeps up with one every
 * six minutes; with more, people stop reading them, and mail servers take them for a flood.
 */
export const singleMailsAnHour = 10;

/** A request that has to be decided within so many hours is told at once: the digest could come too late. */
const soonHours = 2;

/** The mails that one digest stands for. What is beyond it gets the next one, at once. */
const mostMembers = 500;

/** The lines of one digest. */
const mostLines = 50;

/** At most so many mails of a kind are held back at once; the others at the next turn. */
const heldAtOnce = 1_000;

/**
 * Holds back the due mails that are beyond what one person gets in an hour, until the end of that hour or with what
 * waits for it already. A mail that was tried before is not held back. One statement for each kind.
 */
export async function holdBackMails(pool: Pool, kinds: readonly MailKind[], now: Date): Promise<void> {
  for (const { name, about, decideBy } of kinds) {
    if (decideBy === undefined) continue;
    await pool.query(
      `WITH due AS (
         SELECT m.about_id, m.recipient_id FROM mails m CROSS JOIN (SELECT $1::timestamptz AS now) AS clock ${about}
          WHERE m.kind = $2::text AND m.state = 'WAITING' AND m.due_at <= clock.now AND m.attempts = 0
            AND NOT m.in_digest AND (${decideBy}) > clock.now + interval '${soonHours} hours'
            AND (SELECT count(*) FROM (
                  SELECT FROM mails single
                   WHERE single.recipient_id = m.recipient_id AND NOT single.in_digest
                     AND single.kind = ANY ($3::text[]) AND single.state <> 'DROPPED'
                     AND single.created_at > clock.now - interval '1 hour'
                     AND (single.created_at, single.about_id, single.kind) < (m.created_at, m.about_id, m.kind)
                   LIMIT ${singleMailsAnHour}) AS before) = ${singleMailsAnHour}
          ORDER BY m.due_at LIMIT ${heldAtOnce} FOR UPDATE OF m SKIP LOCKED
       )
       UPDATE mails AS m SET in_digest = true, due_at = COALESCE(
           (SELECT min(other.due_at) FROM mails other
             WHERE other.recipient_id = m.recipient_id AND other.in_digest AND other.state = 'WAITING'
               AND other.attempts = 0 AND other.due_at > $1::timestamptz),
           (SELECT min(single.created_at) + interval '1 hour' FROM mails single
             WHERE single.recipient_id = m.recipient_id AND NOT single.in_digest
               AND single.kind = ANY ($3::text[]) AND single.state <> 'DROPPED'
               AND single.created_at > $1::timestamptz - interval '1 hour'))
         FROM due WHERE (m.about_id, m.recipient_id, m.kind) = (due.about_id, due.recipient_id, $2::text)`,
      [now, name, askingKinds(kinds)],
    );
  }
}

/**
 * Claims what one person's next digest stands for; nothing if none is due, or if another gateway claims it. What is
 * claimed together is due again together, and with nothing else, so a digest that is repeated stands for the same.
 */
export async function claimDigest(pool: Pool, kinds: readonly MailKind[], now: Date): Promise<ClaimedMail[]> {
  const { rows } = await pool.query<ClaimedMail>(
    `WITH first AS MATERIALIZED (
       SELECT recipient_id, due_at FROM mails
        WHERE state = 'WAITING' AND due_at <= $1::timestamptz AND kind = ANY ($2::text[]) AND in_digest
        ORDER BY due_at LIMIT 1
     ), own AS MATERIALIZED (
       SELECT * FROM first WHERE pg_try_advisory_xact_lock(hashtextextended('digest ' || recipient_id, 0))
     ), member AS (
       SELECT m.kind, m.about_id, m.recipient_id FROM mails m JOIN own USING (recipient_id, due_at)
        WHERE m.state = 'WAITING' AND m.in_digest AND m.kind = ANY ($2::text[]) AND m.due_at <= $1::timestamptz
        ORDER BY m.created_at, m.about_id LIMIT ${mostMembers} FOR UPDATE OF m SKIP LOCKED
     )
     UPDATE mails AS m
        SET attempts = m.attempts + 1, due_at = ${nextDueInSql('$1::timestamptz', 'm.attempts')}
       FROM member WHERE (m.about_id, m.recipient_id, m.kind) = (member.about_id, member.recipient_id, member.kind)
     RETURNING m.kind, m.about_id AS "aboutId", m.recipient_id AS "recipientId", m.attempts, m.created_at AS "createdAt"`,
    [now, kinds.map(({ name }) => name)],
  );
  return rows.sort(
    (a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.aboutId < b.aboutId ? -1 : 1),
  );
}

/**
 * @param requests a line for each mail that asks for a decision
 * @param news a line for each of the others
 */
export function writeDigest({
  recipientName,
  requests,
  news,
}: Recipient & { requests: readonly string[]; news: readonly string[] }): MailText {
  const number = requests.length + news.length;
  const asked =
    requests.length === 1 ? '1 more request waits for you' : `${requests.length} more requests wait for you`;
  const told = news.length === 1 ? '1 more message' : `${news.length} more messages`;
  return {
    subject: requests.length === 0 ? `${told} for you` : news.length === 0 ? asked : `${asked}, and ${told}`,
    text: letter({
      recipientName,
      opening: [
        `These ${number} come in one mail, because you, or your organization, got many`,
        'others within an hour.',
      ],
      facts: [],
      closing: [
        ...paragraph('Requests that wait for your decision:', requests),
        ...(requests.length === 0
          ? []
          : [
              "Decide in your organization's admin UI, in the sidebar of each ticket, or",
              'through the API as yourself.',
            ]),
        ...(requests.length === 0 || news.length === 0 ? [] : ['']),
        ...paragraph('What has happened:', news),
        ...(news.length === 0 ? [] : ["Your organization's audit log has all of it."]),
      ],
    }),
  };
}

function paragraph(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const left = lines.length - mostLines;
  return [title, ...lines.slice(0, mostLines), ...(left > 0 ? [`… and ${left} more.`] : []), ''];
}
