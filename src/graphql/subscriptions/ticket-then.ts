/** A ticket and its site as they were right after an event, for an engineer who has lost the ticket since. */
import type { Account, Product, Site, Ticket } from '../../../prisma/generated/client/client.ts';
import { policyBeforeSessions, type TicketAtEvent } from '../../events/kinds/grant.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Context } from '../context.ts';

export type SelectedSite = Site & { organization?: object };
export type SelectedTicket = Ticket & {
  assignee?: Account | null;
  site?: SelectedSite;
  product?: Product & { site?: SelectedSite };
};

/** Only an engineer may receive events of a ticket that they no longer see: others have their present rights to both. */
export function hasLost({ viewer }: Context, { assigneeId }: Pick<Ticket, 'assigneeId'>): boolean {
  return viewer?.kind === 'SUPPORT_ENGINEER' && assigneeId !== viewer.id;
}

/**
 * The ticket right after the event. As long as a grant is open, its ticket is open and has its engineer, its site is
 * active and its product licensed.
 */
export function ticketThen(
  { assignee, site, product, ...ticket }: SelectedTicket,
  grant: GrantRow,
  known: TicketAtEvent | undefined,
  engineer: Account | null,
): SelectedTicket {
  const { endReason, endedAt, engineerId } = grant;
  const { status, version } = known ?? { status: isClosed(grant) ? 'CLOSED' : 'OPEN', version: 1 };
  return {
    ...{ ...ticket, status, version, assigneeId: engineerId, closedAt: isClosed(grant) ? endedAt : null },
    ...(assignee === undefined ? {} : { assignee: ticket.assigneeId === engineerId ? assignee : engineer }),
    ...(site === undefined ? {} : { site: siteThen(site, grant, known) }),
    ...(product === undefined
      ? {}
      : {
          product: {
            ...{ ...product, licensed: endReason !== 'PRODUCT_UNLICENSED' },
            ...(product.site === undefined ? {} : { site: siteThen(product.site, grant, known) }),
          },
        }),
  };
}

/** The site right after the event. */
export function siteThen(
  row: SelectedSite,
  { endReason, approvalDueAt, requestedAt, state }: GrantRow,
  known: TicketAtEvent | undefined,
): SelectedSite {
  const {
    status: _status,
    version: _version,
    ...policy
  } = known ?? {
    ...{ status: null, version: null },
    supportAccessRestricted: state === 'PENDING_GUARD_APPROVAL',
    requestWaitSeconds: Math.round((approvalDueAt.getTime() - requestedAt.getTime()) / 1_000),
    ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: true },
    ...policyBeforeSessions,
  };
  return { ...row, ...policy, status: endReason === 'SITE_DEACTIVATED' ? 'DEACTIVATED' : 'ACTIVE' };
}

function isClosed({ endReason }: GrantRow): boolean {
  return endReason === 'TICKET_CLOSED';
}
