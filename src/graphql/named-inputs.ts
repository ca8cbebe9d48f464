/**
 * Fields of inputs that name something by what the caller has: its id, or what people call it. A mutation resolves them
 * in its transaction, after its locks.
 */

import type { ProductRef } from '../organizations/store.ts';
import type { EngineerRef } from '../tickets/locks.ts';
import type { TicketRef } from '../tickets/ticket.ts';
import { invalidField } from './errors.ts';
import { email, optionalGlobalId, productKey, siteUrl, ticketKey } from './input.ts';
import type { InputFields } from './mutation.ts';

type Given<Fields extends object> = { [Name in keyof Fields]?: string | null | undefined };

/** A ticket: its id or its key. */
export function ticketFields(t: InputFields) {
  return {
    ticketId: t
      .id({ description: 'The ticket. Exactly one of `ticketId` and `ticketKey`.' })
      .validate(optionalGlobalId('Ticket')),
    ticketKey: t
      .string({ description: 'The ticket, by its key in any case, for example `SUP-1042`.' })
      .validate(ticketKey.nullish()),
  };
}

export function ticketRef({ ticketId, ticketKey: key }: Given<{ ticketId: 1; ticketKey: 1 }>): TicketRef {
  if (ticketId != null && key == null) return { ticketId };
  if (ticketId == null && key != null) return { ticketKey: key };
  throw invalidField('input', 'must name exactly one of ticketId and ticketKey.');
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
