/** The mail to the customer when an engineer uses a grant for the first time. */
import { inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  conversationsColumn,
  grantConcerns,
  isMemberInSql,
  mutationLines,
  scopeFacts,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

export type GrantFirstUsed = TicketOfMail & {
  grantId: string;
  /** The ids of the Rovo conversations that it opens; null: the data of the product. */
  conversations: readonly string[] | null;
  engineerName: string;
  startedAt: Date;
  reason: keyof typeof reasons;
  note: string;
  /** An ISO 3166-1 alpha-2 code. */
  country: string;
};

/** About a support session, the first one under its grant. */
export const grantFirstUsedMail: MailKind<GrantFirstUsed> = {
  name: 'grant-first-used',
  about: `
    JOIN support_sessions session ON session.id = m.about_id
    JOIN grants g ON g.id = session.grant_id
    JOIN tickets t ON t.id = session.ticket_id
    JOIN sites s ON s.id = session.site_id`,
  // The reporter, and whoever approved for the customer.
  recipient: `a.id IN (t.reporter_id, g.customer_approved_by_id) AND ${isMemberInSql}`,
  // Support has seen the data, also if the grant is over by now.
  wanted: 'TRUE',
  joins: `
    JOIN products p ON p.id = t.product_id
    JOIN accounts engineer ON engineer.id = session.engineer_id`,
  concerns: grantConcerns,
  facts: `${ticketColumns}, g.id AS "grantId", ${conversationsColumn},
    engineer.name AS "engineerName", session.started_at AS "startedAt",
    session.reason, session.note, session.country`,
  write: writeGrantFirstUsed,
  line: ({ ticketKey, siteName, engineerName, startedAt }) =>
    `${ticketKey}: ${quotedText(engineerName, 100)} has used the access to ${quotedText(siteName, 100)} since ${inUtc(startedAt)}`,
};

const reasons = {
  INVESTIGATE_PROBLEM: 'to find out what causes the problem',
  REPRODUCE_PROBLEM: 'to see the problem happen',
  GATHER_LOGS: 'to read logs',
  CHECK_CONFIGURATION: 'to read settings and permissions',
  APPLY_CHANGE: 'to make a change that you have consented to',
  VERIFY_SOLUTION: 'to see whether the problem is solved',
};

export function writeGrantFirstUsed(use: GrantFirstUsed & Recipient): MailText {
  const site = quotedText(use.siteName, 100);
  return {
    subject: `${use.ticketKey}: support has started to use its access to ${site}`,
    text: letter({
      recipientName: use.recipientName,
      opening: [
        'An engineer has started the first support session under the access that',
        'your organization has granted on the ticket below.',
      ],
      facts: [
        ...ticketFacts(use),
        ...scopeFacts('Access to', use.conversations),
        ['Engineer', quotedText(use.engineerName, 100)],
        ['From', use.country],
        ['At', inUtc(use.startedAt)],
        ['Reason', reasons[use.reason]],
        ['Note', quotedText(use.note, 500)],
      ],
      closing: [
        'The sessions of the ticket show what the engineer does. To end the access,',
        'revoke it in the sidebar of the ticket, or through the API as yourself:',
        '',
        ...mutationLines('revokeDataAccess', use.grantId),
      ],
    }),
  };
}
