/** The mail to the reporter about a consent that the ticketing system relayed, and that waits for their confirmation. */
import { inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  grantConcerns,
  isInUseInSql,
  isMemberInSql,
  mutationLines,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

/** The facts about the request that waits. */
export type RelayedConsent = TicketOfMail & {
  grantId: string;
  relayName: string;
  relayedAt: Date;
  /** When the request expires without a decision. */
  decideBy: Date;
};

/** About a grant: the request that was filed with the ticket. */
export const relayedConsentMail: MailKind<RelayedConsent> = {
  name: 'relayed-consent',
  about: `
    JOIN grants g ON g.id = m.about_id
    JOIN tickets t ON t.id = g.ticket_id
    JOIN sites s ON s.id = g.site_id`,
  recipient: `a.id = t.reporter_id AND ${isMemberInSql}`,
  wanted: `g.state = 'PENDING_APPROVAL' AND g.approval_due_at > clock.now AND ${isInUseInSql}`,
  joins: `
    JOIN products p ON p.id = t.product_id
    JOIN accounts relay ON relay.id = t.consent_relayed_by_id`,
  concerns: grantConcerns,
  facts: `${ticketColumns}, g.id AS "grantId",
    relay.name AS "relayName", g.requested_at AS "relayedAt", g.approval_due_at AS "decideBy"`,
  write: writeRelayedConsent,
  line: ({ ticketKey, siteName }) =>
    `${ticketKey}: confirm or deny your consent to access to ${quotedText(siteName, 100)}`,
  decideBy: 'g.approval_due_at',
};

export function writeRelayedConsent(consent: RelayedConsent & Recipient): MailText {
  const site = quotedText(consent.siteName, 100);
  return {
    subject: `${consent.ticketKey}: please confirm your consent to support access to ${site}`,
    text: letter({
      recipientName: consent.recipientName,
      opening: [
        'A ticket was filed for you with the box ticked that lets support access',
        'the data below. Your organization wants you to confirm that yourself.',
        'Until somebody approves the request, nobody at support sees the data.',
      ],
      facts: [
        ...ticketFacts(consent),
        ['Filed by', `${quotedText(consent.relayName, 100)}, ${inUtc(consent.relayedAt)}`],
        ['Decide by', `${inUtc(consent.decideBy)}; the request expires then`],
      ],
      closing: [
        'Approve or deny it in the sidebar of the ticket, or through the API as',
        'yourself:',
        '',
        ...mutationLines('approveDataAccess', consent.grantId, 'path: SUPPORT_PORTAL'),
        '',
        'To deny it, use denyDataAccess with the grantId. Others who may grant on',
        'this ticket can decide as well.',
      ],
    }),
  };
}
