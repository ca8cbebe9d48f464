/**
 * Fields of inputs that name something by what the caller has: its id, or what people call it. A mutation resolves them
 * in its transaction, after its locks.
 */

import type { GrantRef } from '../commands/ticket-facts.ts';
import type { ProductRef } from '../organizations/store.ts';
import { asciiLowerCase } from '../platform/ascii.ts';
import type { EngineerRef } from '../tickets/locks.ts';
import type { TicketRef } from '../tickets/ticket.ts';
import { invalidField } from './errors.ts';
import { email, externalId, lookUpKey, optionalGlobalId, productKey, siteUrl, ticketKey } from './input.ts';
import type { InputFields } from './mutation.ts';

type Given<Fields extends object> = { [Name in keyof Fields]?: string | null | undefined };

/** A ticket: its id, its key, or its id in its ticketing system. */
export function ticketFields(t: InputFields) {
  return {
    ticketId: t
      .id({ description: 'The ticket. Exactly one of `ticketId`, `ticketKey` and `externalId`.' })
      .validate(optionalGlobalId('Ticket')),
    ...calledFields(t, 'The ticket'),
  };
}

/** What people and ticketing systems call a ticket. */
function calledFields(t: InputFields, what: string) {
  return {
    ticketKey: t
      .string({ description: `${what}, by the ticket's key in any case, for example \`SUP-1042\`.` })
      .validate(ticketKey.nullish()),
    externalId: t
      .string({
        description: `${what}, by the id of the ticket in the ticketing system that sent it as an event.`,
      })
      .validate(externalId.nullish()),
    integration: t
      .string({
        description:
          "The email address of that ticketing system's service account, in any case. Only with `externalId`. Default: the viewer's.",
      })
      .validate(lookUpKey(254).nullish()),
  };
}

export type GivenTicket = Given<{ ticketId: 1; ticketKey: 1; externalId: 1; integration: 1 }>;

export function ticketRef(given: GivenTicket, viewer: { email: string }): TicketRef {
  const { ticketId, ticketKey: key, externalId: id, integration } = given;
  const named = [ticketId, key, id].filter((name) => name != null);
  if (named.length !== 1)
    throw invalidField('input', 'must name exactly one of ticketId, ticketKey and externalId.');
  if (integration != null && id == null)
    throw invalidField('input', 'must have integration only with externalId.');
  if (ticketId != null) return { ticketId };
  if (key != null) return { ticketKey: key };
  return { externalId: String(id), integrationEmail: asciiLowerCase(integration ?? viewer.email) };
}

/** A grant: its id, or what its ticket is called. */
export function grantFields(t: InputFields) {
  return {
    grantId: t
      .id({ description: 'The grant. Exactly one of `grantId`, `ticketKey` and `externalId`.' })
      .validate(optionalGlobalId('Grant')),
    ...calledFields(t, 'The grant for product data that is open'),
  };
}

export function grantRef(
  { grantId, ...ticket }: Given<{ grantId: 1; ticketKey: 1; externalId: 1; integration: 1 }>,
  viewer: { email: string },
): GrantRef {
  const named = [grantId, ticket.ticketKey, ticket.externalId].filter((name) => name != null);
  if (named.length !== 1)
    throw invalidField('input', 'must name exactly one of grantId, ticketKey and externalId.');
  if (grantId == null) return { grantOf: ticketRef(ticket, viewer) };
  if (ticket.integration != null) throw invalidField('input', 'must have integration only with externalId.');
  return { grantId };
}

/** A product on its site: its id, or the URL of the site and the key of the product. */
export function productFields(t: InputFields) {
  return {
    productId: t
      .id({
        description: 'The product on its site. Exactly one of `productId`, and `siteUrl` with `productKey`.',
      })
      .validate(optionalGlobalId('Product')),
    siteUrl: t
      .string({ description: 'The URL of the site, in any spelling of it. With `productKey`.' })
      .validate(siteUrl.nullish()),
    productKey: t
      .string({ description: 'The key of the product, for example `jira`. With `siteUrl`.' })
      .validate(productKey.nullish()),
  };
}

export function productRef({
  productId,
  siteUrl: url,
  productKey: key,
}: Given<{ productId: 1; siteUrl: 1; productKey: 1 }>): ProductRef {
  if (productId != null && url == null && key == null) return { productId };
  if (productId == null && url != null && key != null) return { siteUrl: url, productKey: key };
  throw invalidField('input', 'must name exactly one of productId, and siteUrl with productKey.');
}

/** An engineer: their id or their address, or nobody. */
export function engineerFields(t: InputFields) {
  return {
    engineerId: t
      .id({ description: 'The engineer. At most one of `engineerId` and `engineerEmail`. Default: nobody.' })
      .validate(optionalGlobalId('SupportEngineer')),
    engineerEmail: t
      .string({ description: 'The engineer, by their email address in any case.' })
      .validate(email.nullish()),
  };
}

export function engineerRef({
  engineerId,
  engineerEmail,
}: Given<{ engineerId: 1; engineerEmail: 1 }>): EngineerRef | { engineerId: null } {
  if (engineerEmail == null) return engineerId == null ? { engineerId: null } : { engineerId };
  if (engineerId == null) return { engineerEmail };
  throw invalidField('input', 'must name at most one of engineerId and engineerEmail.');
}

/** A reporter: their id or their address, or the viewer. */
export function reporterFields(t: InputFields) {
  return {
    reporterId: t
      .id({
        description:
          'The reporter, for whom the ticketing system files the ticket. At most one of `reporterId` and `reporterEmail`. Default: the viewer.',
      })
      .validate(optionalGlobalId('User')),
    reporterEmail: t
      .string({ description: 'The reporter, by their email address in any case.' })
      .validate(email.nullish()),
  };
}

export function reporterRef({
  reporterId,
  reporterEmail,
}: Given<{ reporterId: 1; reporterEmail: 1 }>): { reporterId: string | null } | { reporterEmail: string } {
  if (reporterEmail == null) return { reporterId: reporterId ?? null };
  if (reporterId == null) return { reporterEmail };
  throw invalidField('input', 'must name at most one of reporterId and reporterEmail.');
}
