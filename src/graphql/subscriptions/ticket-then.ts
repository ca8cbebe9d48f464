/** A ticket and its site as they were right after an event, for an engineer who has lost the ticket since. */
import type { Account, Product, Site, Ticket } from '../../../prisma/generated/client/client.ts';
import { policyBeforeSessions, type TicketAtEvent } from '../../events/kinds/grant.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';

type SelectedSite = Site & { organization?: object };
export type SelectedTicket = Ticket & {
  assignee?: Account | null;
  site?: SelectedSite;
  product?: Product & { site?: SelectedSite };
};

/** Only an engineer may receive events of a ticket that they no longer see: others have their present rights to both. */
export function hasLost({ viewer }: Context, { assigneeId }: Ticket): boolean {
  return viewer?.kind === 'SUPPORT_ENGINEER' && assigneeId !== viewer.id;
}

/**
 * The ticket right after the event. As long as a grant is open, its ticket is open and has its engineer, its site is
 * active and its product licensed.
 */
export function ticketThen(
  { assignee, site, product, ...ticket }: SelectedTicket,
  { endReason, endedAt, engineerId, approvalDueAt, requestedAt, state }: GrantRow,
  known: TicketAtEvent | undefined,
  engineer: Account | null,
): SelectedTicket {
  const isClosed = endReason === 'TICKET_CLOSED';
  const { status, version, ...policy } = known ?? {
    ...{ status: isClosed ? ('CLOSED' as const) : ('OPEN' as const), version: 1 },
    supportAccessRestricted: state === 'PENDING_GUARD_APPROVAL',
    requestWaitSeconds: Math.round((approvalDueAt.getTime() - requestedAt.getTime()) / 1_000),
    ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: true },
    ...policyBeforeSessions,
  };
  const siteThen = (row: SelectedSite): SelectedSite => ({
    ...{ ...row, ...policy },
    status: endReason === 'SITE_DEACTIVATED' ? 'DEACTIVATED' : 'ACTIVE',
  });
  return {
    ...{ ...ticket, status, version, assigneeId: engineerId, closedAt: isClosed ? endedAt : null },
    ...(assignee === undefined ? {} : { assignee: ticket.assigneeId === engineerId ? assignee : engineer }),
    ...(site === undefined ? {} : { site: siteThen(site) }),
    ...(product === undefined
      ? {}
      : {
          product: {
            ...{ ...product, licensed: endReason !== 'PRODUCT_UNLICENSED' },
            ...(product.site === undefined ? {} : { site: siteThen(product.site) }),
          },
        }),
  };
}
