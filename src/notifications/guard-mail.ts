/**
 * The text of the mail to a Guard admin when a request awaits the Guard. Plain text without links, in short
 * lines, so that every mail program shows it as it was sent.
 */

import { quotedText } from './quoted-text.ts';

/** The facts about a request that awaits the Guard, for the mail to one Guard admin. */
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
  recipientName: string;
};

export function writeGuardMail(request: GuardRequest): { subject: string; text: string } {
  const { conversations, engineerName, justification, expiresAt } = request;
  const site = quotedText(request.siteName, 100);
  const facts: [string, string][] = [
    ['Ticket', `${request.ticketKey}: ${quotedText(request.summary, 200)}`],
    ['Site', `${site}, ${request.siteUrl}`],
    ['Product', quotedText(request.productName, 100)],
    ['Asked for', conversations === null ? "the product's data" : `Rovo conversations (${conversations})`],
    ['Engineer', engineerName === null ? 'whoever is assigned to the ticket' : quotedText(engineerName, 100)],
    ...(justification === null ? [] : [['Why', quotedText(justification, 500)] satisfies [string, string]]),
    [
      'Approved by',
      `${quotedText(request.approverName, 100)}, ${request.approverEmail}, ${inUtc(request.approvedAt)}`,
    ],
    ...(expiresAt === null ? [] : [['Access until', inUtc(expiresAt)] satisfies [string, string]]),
    ['Decide by', `${inUtc(request.decideBy)}; the request expires then`],
  ];
  const id = Buffer.from(`Grant:${request.grantId}`).toString('base64');
  return {
    subject: `${request.ticketKey}: support access to ${site} awaits your approval`,
    text: [
      `Hello ${quotedText(request.recipientName, 100)},`,
      '',
      'Support access to the data below was approved, and awaits your decision',
      'as a Guard admin.',
      '',
      ...facts.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}`),
      '',
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
      '',
    ].join('\n'),
  };
}

/** `2026-11-23 10:16 UTC` */
function inUtc(moment: Date): string {
  return `${moment.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
