/** The mail to the customer when the active grants of a ticket pass to another engineer, or to nobody. */
import { letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  isInUseInSql,
  isMemberInSql,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

export type GrantReassigned = TicketOfMail & {
  /** Null: nobody is assigned to the ticket. */
  engineerName: string | null;
  formerEngineerName: string | null;
};

/**
 * About a ticket, whose grants pass together: one mail for all of them. Its details name the engineer who had them; the
 * present one is read when the mail is sent.
 */
export const grantReassignedMail: MailKind<GrantReassigned> = {
  name: 'grant-reassigned',
  about: `
    JOIN tickets t ON t.id = m.about_id
    JOIN sites s ON s.id = t.site_id`,
  // The reporter, and whoever approved one of the grants.
  recipient: `a.id IN (
    SELECT t.reporter_id UNION ALL
    SELECT g.customer_approved_by_id FROM grants g WHERE g.ticket_id = t.id AND g.state = 'ACTIVE') AND ${isMemberInSql}`,
  wanted: `${isInUseInSql} AND t.assignee_id IS DISTINCT FROM former.id AND EXISTS (
    SELECT FROM grants g WHERE g.ticket_id = t.id AND g.state = 'ACTIVE'
       AND (g.expires_at IS NULL OR g.expires_at > clock.now))`,
  joins: `
    JOIN products p ON p.id = t.product_id
    LEFT JOIN accounts engineer ON engineer.id = t.assignee_id
    LEFT JOIN accounts former ON former.id = (m.details ->> 'formerEngineerId')::uuid`,
  concerns: {
    resourceType: 'Ticket',
    resourceId: 't.id',
    organizationId: 's.organization_id',
    siteId: 's.id',
    ticketId: 't.id',
  },
  facts: `${ticketColumns}, engineer.name AS "engineerName", former.name AS "formerEngineerName"`,
  write: writeGrantReassigned,
  line: ({ ticketKey, siteName, engineerName }) =>
    `${ticketKey}: support access to ${quotedText(siteName, 100)} passed to ${nameOf(engineerName)}`,
};

export function writeGrantReassigned(grant: GrantReassigned & Recipient): MailText {
  const { ticketKey, engineerName, formerEngineerName } = grant;
  const site = quotedText(grant.siteName, 100);
  return {
    subject: `${ticketKey}: support access to ${site} passed to ${engineerName === null ? 'nobody' : 'another engineer'}`,
    text: letter({
      recipientName: grant.recipientName,
      opening: [
        'The ticket below was assigned anew, and with it the support access that',
        'your organization has granted on it.',
      ],
      facts: [
        ...ticketFacts(grant),
        ['Engineer', nameOf(engineerName)],
        ['Before', nameOf(formerEngineerName)],
      ],
      closing: [
        'To end the access, revoke it in the sidebar of the ticket, or with',
        'revokeDataAccess through the API as yourself.',
      ],
    }),
  };
}

function nameOf(engineer: string | null): string {
  return engineer === null ? 'nobody' : quotedText(engineer, 100);
}
