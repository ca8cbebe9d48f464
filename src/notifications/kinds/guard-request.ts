/** The mail to Guard admins about a request that began to await the Guard. */
import { countsInSql } from '../../roles/role-counts.ts';
import { inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';

/** The facts about a request that awaits the Guard. */
export type GuardRequest = {
  grantId: string;
  ticketKey: string;
  summary: string;
  siteName: string;
  siteUrl: string;
  productName: string;
  /** The number of requested Rovo conversations; null: the data of the product is requested. */
  conversations: number | null;
  /** Null: nobody is assigned to the ticket yet. */
  engineerName: string | null;
  justification: string | null;
  approverName: string;
  approverEmail: string;
  approvedAt: Date;
  /** When access ends by itself; null: neither the customer nor the site's policy has set that yet. */
  expiresAt: Date | null;
  /** When the request expires without a decision. */
  decideBy: Date;
};

/** About a grant. */
export const guardRequestMail: MailKind<GuardRequest> = {
  name: 'guard-request',
  about: 'JOIN grants g ON g.id = m.about_id JOIN sites s ON s.id = g.site_id',
  // Whoever may decide as the Guard: a synced Guard admin role that reaches the site (as in roles/role.ts), and not the
  // person who approved unless the terms of the request and the site's present policy allow that (as in grants/terms.ts).
  recipient: `(g.same_person_may_approve_twice AND s.same_person_may_approve_twice OR a.id <> g.customer_approved_by_id)
   AND a.id IN (
    SELECT r.account_id FROM role_assignments r
     WHERE r.role = 'GUARD_ADMIN' AND ${countsInSql} AND r.organization_id = s.organization_id
       AND (r.site_id IS NULL OR r.site_id = s.id))`,
  wanted: `g.state = 'PENDING_GUARD_APPROVAL' AND LEAST(g.approval_due_at, g.expires_at) > clock.now`,
  joins: `
    JOIN tickets t ON t.id = g.ticket_id
    JOIN products p ON p.id = t.product_id
    JOIN accounts approver ON approver.id = g.customer_approved_by_id
    LEFT JOIN accounts engineer ON engineer.id = g.engineer_id`,
  concerns: {
    resourceType: 'Grant',
    resourceId: 'g.id',
    organizationId: 's.organization_id',
    siteId: 's.id',
    ticketId: 't.id',
    grantId: 'g.id',
  },
  facts: `
    g.id AS "grantId", t.key AS "ticketKey", t.summary, s.name AS "siteName", s.url AS "siteUrl",
    p.name AS "productName",
    CASE g.scope_kind WHEN 'ROVO_CONVERSATIONS' THEN cardinality(g.conversation_ids) END AS conversations,
    engineer.name AS "engineerName", g.justification,
    approver.name AS "approverName", approver.email AS "approverEmail", g.customer_approved_at AS "approvedAt",
    g.expires_at AS "expiresAt", LEAST(g.approval_due_at, g.expires_at) AS "decideBy"`,
  write: writeGuardRequest,
};

export function writeGuardRequest(request: GuardRequest & Recipient): MailText {
  const { conversations, engineerName, justification, expiresAt } = request;
  const site = quotedText(request.siteName, 100);
  const id = Buffer.from(`Grant:${request.grantId}`).toString('base64');
  return {
    subject: `${request.ticketKey}: support access to ${site} awaits your approval`,
    text: letter({
      recipientName: request.recipientName,
      opening: [
        'Support access to the data below was approved, and awaits your decision',
        'as a Guard admin.',
      ],
      facts: [
        ['Ticket', `${request.ticketKey}: ${quotedText(request.summary, 200)}`],
        ['Site', `${site}, ${request.siteUrl}`],
        ['Product', quotedText(request.productName, 100)],
        [
          'Asked for',
          conversations === null ? "the product's data" : `Rovo conversations (${conversations})`,
        ],
        [
          'Engineer',
          engineerName === null ? 'whoever is assigned to the ticket' : quotedText(engineerName, 100),
        ],
        ...(justification === null ? [] : [['Why', quotedText(justification, 500)] as const]),
        [
          'Approved by',
          `${quotedText(request.approverName, 100)}, ${request.approverEmail}, ${inUtc(request.approvedAt)}`,
        ],
        ...(expiresAt === null ? [] : [['Access until', inUtc(expiresAt)] as const]),
        ['Decide by', `${inUtc(request.decideBy)}; the request expires then`],
      ],
      closing: [
        "Decide in your organization's admin UI, or through the API as yourself:",
        '',
        'mutation {',
        '  approveGuardRequest(input: {',
        `    grantId: "${id}"`,
        '  }) { __typename ... on Error { code message } }',
        '}',
        '',
        'To deny it, the same with denyGuardRequest. The first decision of a Guard',
        'admin counts; until then the approval allows nothing.',
      ],
    }),
  };
}
