/** The mail to Guard admins about a request that began to await the Guard. */
import { countsInSql, countsSinceInSql } from '../../roles/role-counts.ts';
import { type Fact, inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  conversationsColumn,
  grantConcerns,
  isInUseInSql,
  mutationLines,
  scopeFacts,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

/** The facts about a request that awaits the Guard. */
export type GuardRequest = TicketOfMail & {
  grantId: string;
  /** The ids of the requested Rovo conversations; null: the data of the product is requested. */
  conversations: readonly string[] | null;
  /** Null: nobody is assigned to the ticket yet. */
  engineerName: string | null;
  justification: string | null;
  approverName: string;
  approverEmail: string;
  approvedAt: Date;
  /** What the approver wrote; null: nothing. */
  approvalReason: string | null;
  /** The service account that relayed the approval; null: the person approved in person. */
  relayName: string | null;
  /** When access ends by itself; null: neither the customer nor the site's policy has set that yet. */
  expiresAt: Date | null;
  /** When the request expires without a decision. */
  decideBy: Date;
};

/** About a grant. */
export const guardRequestMail: MailKind<GuardRequest> = {
  name: 'guard-request',
  about: 'JOIN grants g ON g.id = m.about_id JOIN sites s ON s.id = g.site_id',
  // Whoever may decide as the Guard: a synced Guard admin role that reaches the site (as in roles/role.ts) since before
  // the approval, and not the person who approved unless the terms of the request and the site's present policy allow
  // that (as in grants/lifecycle.ts and grants/terms.ts).
  recipient: `(g.same_person_may_approve_twice AND s.same_person_may_approve_twice OR a.id <> g.customer_approved_by_id)
   AND a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.role = 'GUARD_ADMIN' AND ${countsInSql} AND r.organization_id = s.organization_id
       AND (r.site_id IS NULL OR r.site_id = s.id) AND ${countsSinceInSql} <= g.customer_approved_at)`,
  wanted: `g.state = 'PENDING_GUARD_APPROVAL' AND LEAST(g.approval_due_at, g.expires_at) > clock.now
            AND ${isInUseInSql}`,
  joins: `
    JOIN tickets t ON t.id = g.ticket_id
    JOIN products p ON p.id = t.product_id
    JOIN accounts approver ON approver.id = g.customer_approved_by_id
    LEFT JOIN accounts engineer ON engineer.id = g.engineer_id
    LEFT JOIN decisions d ON d.grant_id = g.id AND d.stage = 'CUSTOMER' AND d.outcome = 'APPROVED'
          AND d.decided_at = g.customer_approved_at
    LEFT JOIN accounts relay ON relay.id = d.relayed_by_id`,
  concerns: grantConcerns,
  facts: `${ticketColumns}, g.id AS "grantId",
    ${conversationsColumn}, engineer.name AS "engineerName", g.justification,
    approver.name AS "approverName", approver.email AS "approverEmail", g.customer_approved_at AS "approvedAt",
    d.reason AS "approvalReason",
    relay.name AS "relayName", g.expires_at AS "expiresAt", LEAST(g.approval_due_at, g.expires_at) AS "decideBy"`,
  write: writeGuardRequest,
  line: ({ ticketKey, siteName }) =>
    `${ticketKey}: approve or deny access to ${quotedText(siteName, 100)} as a Guard admin`,
  decideBy: 'LEAST(g.approval_due_at, g.expires_at)',
};

export function writeGuardRequest(request: GuardRequest & Recipient): MailText {
  return {
    subject: `${request.ticketKey}: support access to ${quotedText(request.siteName, 100)} awaits your approval`,
    text: letter({
      recipientName: request.recipientName,
      opening: [
        'Support access to the data below was approved, and awaits your decision',
        'as a Guard admin.',
      ],
      facts: factsOf(request),
      closing: [
        "Decide in your organization's admin UI, or through the API as yourself:",
        '',
        ...mutationLines('approveGuardRequest', request.grantId),
        '',
        'To let access end earlier, add expiresAt. To deny it, the same with',
        'denyGuardRequest. The first decision of a Guard admin counts; until then',
        'the approval allows nothing.',
      ],
    }),
  };
}

function factsOf(request: GuardRequest): Fact[] {
  const { conversations, engineerName, justification, relayName, expiresAt, approverEmail } = request;
  const approver = quotedText(request.approverName, 100);
  return [
    ...ticketFacts(request),
    ...scopeFacts('Asked for', conversations),
    ['Engineer', engineerName === null ? 'whoever is assigned to the ticket' : quotedText(engineerName, 100)],
    ...whereKnown(justification, (why): Fact => ['Why', quotedText(why, 500)]),
    ['Approved by', `${approver}, ${approverEmail}, ${inUtc(request.approvedAt)}`],
    ...whereKnown(request.approvalReason, (reason): Fact => ['Reason', quotedText(reason, 500)]),
    ...whereKnown(
      relayName,
      (relay): Fact => ['Relayed by', `${quotedText(relay, 100)}, which says that this person consented`],
    ),
    ...whereKnown(expiresAt, (end): Fact => ['Access until', inUtc(end)]),
    ['Decide by', `${inUtc(request.decideBy)}; the request expires then`],
  ];
}

function whereKnown<Value>(value: Value | null, toFact: (value: Value) => Fact): Fact[] {
  return value === null ? [] : [toFact(value)];
}
