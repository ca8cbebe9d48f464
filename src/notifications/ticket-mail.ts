/**
 * What the mails about a ticket, or about a grant on one, share. In their SQL, the ticket is `t`, its site `s`, its
 * product `p`, and the grant `g`.
 */
import type { Fact } from './letter.ts';
import type { MailKind } from './mail-kind.ts';
import { quotedText } from './quoted-text.ts';

export type TicketOfMail = {
  ticketKey: string;
  summary: string;
  siteName: string;
  siteUrl: string;
  productName: string;
};

export const ticketColumns = `
  t.key AS "ticketKey", t.summary, s.name AS "siteName", s.url AS "siteUrl", p.name AS "productName"`;

export const grantConcerns: MailKind['concerns'] = {
  resourceType: 'Grant',
  resourceId: 'g.id',
  organizationId: 's.organization_id',
  siteId: 's.id',
  ticketId: 't.id',
  grantId: 'g.id',
};

/** The condition for a site that is active and a product that is licensed: what was open elsewhere is over. */
export const isInUseInSql = "s.status = 'ACTIVE' AND p.licensed";

/** The condition for a member of the ticket's organization. */
export const isMemberInSql = `EXISTS (
  SELECT FROM memberships WHERE account_id = a.id AND organization_id = s.organization_id)`;

export function ticketFacts({ ticketKey, summary, siteName, siteUrl, productName }: TicketOfMail): Fact[] {
  return [
    ['Ticket', `${ticketKey}: ${quotedText(summary, 200)}`],
    ['Site', `${quotedText(siteName, 100)}, ${siteUrl}`],
    ['Product', quotedText(productName, 100)],
  ];
}

/** The ids of the Rovo conversations that the grant opens; null: it opens the data of the product. */
export const conversationsColumn = `
  CASE g.scope_kind WHEN 'ROVO_CONVERSATIONS' THEN g.conversation_ids END AS conversations`;

/** What a grant opens. Conversations each by its id: people decide on these and no others. */
export function scopeFacts(name: string, conversations: readonly string[] | null): Fact[] {
  if (conversations === null) return [[name, "the product's data"]];
  return [
    [name, `Rovo conversations: these ${conversations.length}, and no others`],
    ...conversations.map((id): Fact => ['Conversation', quotedText(id, 200)]),
  ];
}

/** The lines of a mutation on a grant, for the recipient to run. */
export function mutationLines(name: string, grantId: string, ...more: string[]): string[] {
  return mutationLinesFor(name, 'grantId', `Grant:${grantId}`, ...more);
}

/** The lines of a mutation on a thing, which the input names in `field`: `name` is its type and id, as in `Grant:…`. */
export function mutationLinesFor(mutation: string, field: string, name: string, ...more: string[]): string[] {
  const id = Buffer.from(name).toString('base64');
  return [
    'mutation {',
    `  ${mutation}(input: {`,
    ...[`${field}: "${id}"`, ...more].map((line) => `    ${line}`),
    '  }) { __typename ... on Error { code message } }',
    '}',
  ];
}
