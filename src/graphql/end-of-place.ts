/** Finds out whether what is open in a row is over since its site was deactivated or its licence ended. */
import { type EndOfPlace, endOfPlace } from '../organizations/unsettled.ts';
import type { Context } from './context.ts';

type Row = { siteId: string; ticketId: string; endedAt: Date | null };

/**
 * Returns the row that `settle` makes, with the end of its site or licence if what was open there is not settled. Only what
 * is open on such a site costs a statement: one for all the rows of an operation.
 */
export function withEndOfPlace<Settled>(
  { siteId, ticketId, endedAt }: Row,
  { services, loaders }: Pick<Context, 'services' | 'loaders'>,
  settle: (end: EndOfPlace | null) => Settled,
): Settled | Promise<Settled> {
  if (endedAt !== null || !services.unsettledSites.has(siteId)) return settle(null);
  return loaders.tickets.load(ticketId).then((ticket) => settle(ticket === null ? null : endOfPlace(ticket)));
}
