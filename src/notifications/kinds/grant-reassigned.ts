/** The mail to the reporter and to the approver about an active grant that passed to another engineer, or to nobody. */
import { letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  grantConcerns,
  isMemberInSql,
  mutationLines,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

export type GrantReassigned = TicketOfMail & {
  grantId: string;
  /** Null: nobody is assigned to the ticket. */
  engineerName: string | null;
  formerEngineerName: string | null;
};

/** About a grant. Its details name the engineer who had it; the present one is read when the mail is sent. */
export const grantReassignedMail: MailKind<GrantReassigned> = {
  name: 'grant-reassigned',
  about: `
    JOIN grants g ON g.id = m.about_id
    JOIN tickets t ON t.id = g.ticket_id
    JOIN sites s ON s.id = g.site_id`,
  recipient: `a.id IN (t.reporter_id, g.customer_approved_by_id) AND ${isMemberInSql}`,
  wanted: `g.state = 'ACTIVE' AND (g.expires_at IS NULL OR g.expires_at > clock.now)
    AND g.engineer_id IS DISTINCT FROM former.id`,
  joins: `
    JOIN products p ON p.id = t.product_id
    LEFT JOIN accounts engineer ON engineer.id = g.engineer_id
    LEFT JOIN accounts former ON former.id = (m.details ->> 'formerEngineerId')::uuid`,
  concerns: grantConcerns,
  facts: `${ticketColumns}, g.id AS "grantId",
    engineer.name AS "engineerName", former.name AS "formerEngineerName"`,
  write: writeGrantReassigned,
};

export function writeGrantReassigned(grant: GrantReassigned & Recipient): MailText {
  const { ticketKey, grantId, engineerName, formerEngineerName } = grant;
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
        'To end the access, revoke it in the sidebar of the ticket, or through the',
        'API as yourself:',
        '',
        ...mutationLines('revokeDataAccess', grantId),
      ],
    }),
  };
}

function nameOf(engineer: string | null): string {
  return engineer === null ? 'nobody' : quotedText(engineer, 100);
}
