/** Hand-written SQL for each kind of question: the viewer, what they may see, and the answer in one statement. */
import { pageSizes, type Question } from './questions.ts';

/** Every statement takes the viewer's email first. Each row is an answer's item, or its only one. */
const viewer = `viewer AS (SELECT id, kind FROM accounts WHERE email = $1 AND active)`;
const places = `places AS (SELECT r.organization_id FROM role_assignments r JOIN viewer v ON r.account_id = v.id
                            WHERE r.role = 'ORGANIZATION_ADMIN')`;

/** Who asks, and which organizations they administer, for a statement of one's own. */
export const placesSql = `WITH ${viewer}, ${places}`;

const outstanding = `
  WITH ${viewer}, ${places}
  SELECT g.requested_at, g.approval_due_at, e.name AS engineer, t.key, t.summary, r.name AS reporter, s.name AS site, p.name AS product
    FROM grants g JOIN tickets t ON t.id = g.ticket_id JOIN accounts e ON e.id = g.engineer_id JOIN accounts r ON r.id = t.reporter_id
    JOIN sites s ON s.id = g.site_id JOIN products p ON p.id = t.product_id
   WHERE g.site_id = $2 AND g.state = 'PENDING_APPROVAL' AND s.organization_id IN (SELECT organization_id FROM places)
   ORDER BY g.id DESC LIMIT ${pageSizes.outstanding}`;

const ticket = `
  WITH ${viewer}, ${places}
  SELECT t.key, t.summary, t.status, r.name AS reporter, a.name AS assignee, s.name AS site, p.name AS product,
         (SELECT coalesce(json_agg(page ORDER BY page.id DESC), '[]') FROM (
            SELECT g.id, g.state, g.requested_at, g.ended_at, e.name AS engineer,
                   (SELECT coalesce(json_agg(json_build_object('stage', d.stage, 'outcome', d.outcome, 'decidedAt', d.decided_at,
                                                               'decidedBy', by.name) ORDER BY d.decided_at, d.id), '[]')
                      FROM decisions d JOIN accounts by ON by.id = d.decided_by_id WHERE d.grant_id = g.id) AS decisions
              FROM grants g JOIN accounts e ON e.id = g.engineer_id WHERE g.ticket_id = t.id
             ORDER BY g.id DESC LIMIT ${pageSizes.grants}) AS page) AS grants
    FROM tickets t JOIN accounts r ON r.id = t.reporter_id LEFT JOIN accounts a ON a.id = t.assignee_id
    JOIN sites s ON s.id = t.site_id JOIN products p ON p.id = t.product_id
   WHERE t.key = $2 AND s.organization_id IN (SELECT organization_id FROM places)`;

const entry = `SELECT a.occurred_at, a.action, a.outcome, a.actor_name FROM audit_entries a`;
const newest = `ORDER BY a.txid DESC, a.seq DESC LIMIT ${pageSizes.audit}`;

const auditActor = `
  WITH ${viewer}, ${places}
  ${entry} WHERE a.organization_id = (SELECT organization_id FROM places) AND a.actor_email = $2
     AND a.occurred_at >= $3 AND a.occurred_at < $4 ${newest}`;

/** Bounds of the order from the index on time, as Latchkey derives them. */
const auditPeriod = `
  WITH ${viewer}, ${places},
       bounds AS (SELECT (SELECT txid FROM audit_entries WHERE occurred_at >= $2::timestamptz - interval '30 s' ORDER BY occurred_at LIMIT 1) AS low,
                         (SELECT txid FROM audit_entries WHERE occurred_at < $3::timestamptz + interval '30 s' ORDER BY occurred_at DESC LIMIT 1) AS high)
  ${entry} WHERE a.organization_id = (SELECT organization_id FROM places)
     AND a.txid >= (SELECT low FROM bounds) AND a.txid <= (SELECT high FROM bounds)
     AND a.occurred_at >= $2 AND a.occurred_at < $3 ${newest}`;

const auditDeep = `
  WITH ${viewer}
  ${entry} WHERE EXISTS (SELECT FROM viewer WHERE kind = 'OPERATOR') AND (a.txid, a.seq) < ($2, $3) ${newest}`;

/** The place that a page after this many entries begins below. */
export const seekPlace = 'SELECT txid, seq FROM audit_entries ORDER BY txid DESC, seq DESC OFFSET $1 LIMIT 1';

export type Place = { txid: string; seq: string };

/** @param place of `auditDeep` */
export function statementOf(
  question: Question,
  place: Place | null,
): { name: string; text: string; values: unknown[] } {
  const { kind: name, viewer: email } = question;
  switch (question.kind) {
    case 'outstanding':
      return { name, text: outstanding, values: [email, question.siteId] };
    case 'ticket':
      return { name, text: ticket, values: [email, question.key] };
    case 'auditActor':
      return {
        ...{ name, text: auditActor },
        values: [email, question.actorEmail, question.from, question.until],
      };
    case 'auditPeriod':
      return { name, text: auditPeriod, values: [email, question.from, question.until] };
    case 'auditDeep':
      return { name, text: auditDeep, values: [email, place?.txid, place?.seq] };
  }
}
