/** The mail to the customer about a change that a support engineer asks their consent to. */
import { type Fact, inUtc, letter } from '../letter.ts';
import type { MailKind, MailText, Recipient } from '../mail-kind.ts';
import { quotedText } from '../quoted-text.ts';
import {
  isInUseInSql,
  isMemberInSql,
  mutationLinesFor,
  type TicketOfMail,
  ticketColumns,
  ticketFacts,
} from '../ticket-mail.ts';

/** The facts about a change request that awaits the consent. */
export type ChangeRequested = TicketOfMail & {
  changeRequestId: string;
  changeKind: 'PERMISSIONS' | 'USERS_AND_GROUPS' | 'SETTINGS' | 'CONTENT';
  resourceType: string;
  resourceId: string;
  description: string;
  justification: string;
  engineerName: string;
  /** When it expires without a decision, and the consent with it. */
  validUntil: Date;
};

/** About a change request. To the reporter, and to whoever approved an active grant of its ticket: they may consent. */
export const changeRequestedMail: MailKind<ChangeRequested> = {
  name: 'change-requested',
  about: `
    JOIN change_requests c ON c.id = m.about_id
    JOIN tickets t ON t.id = c.ticket_id
    JOIN sites s ON s.id = t.site_id`,
  recipient: `a.id IN (
    SELECT t.reporter_id UNION ALL
    SELECT g.customer_approved_by_id FROM grants g WHERE g.ticket_id = t.id AND g.state = 'ACTIVE') AND ${isMemberInSql}`,
  wanted: `c.state = 'PENDING_CONSENT' AND c.valid_until > clock.now AND ${isInUseInSql}`,
  joins: `
    JOIN products p ON p.id = t.product_id
    JOIN accounts engineer ON engineer.id = c.requested_by_id`,
  concerns: {
    resourceType: 'ChangeRequest',
    resourceId: 'c.id',
    organizationId: 's.organization_id',
    siteId: 's.id',
    ticketId: 't.id',
  },
  facts: `${ticketColumns}, c.id AS "changeRequestId", c.kind AS "changeKind",
    c.resource_type AS "resourceType", c.resource_id AS "resourceId", c.description, c.justification,
    engineer.name AS "engineerName", c.valid_until AS "validUntil"`,
  write: writeChangeRequested,
  line: ({ ticketKey, siteName }) =>
    `${ticketKey}: consent to a change of ${quotedText(siteName, 100)}, or refuse it`,
  decideBy: 'c.valid_until',
};

export function writeChangeRequested(change: ChangeRequested & Recipient): MailText {
  const site = quotedText(change.siteName, 100);
  return {
    subject: `${change.ticketKey}: support asks for your consent to a change of ${site}`,
    text: letter({
      recipientName: change.recipientName,
      opening: [
        'A support engineer asks to make the change below. Nothing is changed unless',
        'your organization consents.',
      ],
      facts: [...ticketFacts(change), ...factsOf(change)],
      closing: [
        'Decide in the sidebar of the ticket, or through the API as yourself:',
        '',
        ...mutationLinesFor('consentToChange', 'changeRequestId', `ChangeRequest:${change.changeRequestId}`),
        '',
        'To refuse it, the same with refuseChange. Whoever may grant support access',
        'on this ticket can decide. A consent allows this change once, and can be',
        'taken back with revokeChangeConsent until the change is begun.',
      ],
    }),
  };
}

const kinds: Record<ChangeRequested['changeKind'], string> = {
  PERMISSIONS: 'permissions',
  USERS_AND_GROUPS: 'users and groups',
  SETTINGS: 'settings',
  CONTENT: 'content',
};

function factsOf(change: ChangeRequested): Fact[] {
  const { resourceType, resourceId, validUntil } = change;
  return [
    ['Changes', `${kinds[change.changeKind]}: ${quotedText(`${resourceType} ${resourceId}`, 200)}`],
    ['What', quotedText(change.description, 500)],
    ['Why', quotedText(change.justification, 500)],
    ['Engineer', quotedText(change.engineerName, 100)],
    ['Until', `${inUtc(validUntil)}; the request and a consent to it expire then`],
  ];
}
