/** A ticket and its site as they were right after an event, for an engineer who has lost the ticket since. */
import type { Account, Product, Site, Ticket } from '../../../prisma/generated/client/client.ts';
import type { TicketAtChange } from '../../events/kinds/change-request.ts';
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
 * The ticket of a grant, its site and its product right after the event. As long as a grant is open, its ticket is open
 * and has its engineer, its site is active and its product licensed.
 */
export function atGrantEvent(grant: GrantRow, known: TicketAtEvent | undefined): TicketAtChange {
  const { endReason, endedAt, engineerId: assigneeId } = grant;
  const isClosed = endReason === 'TICKET_CLOSED';
  return {
    ...(known ?? asFarAsKnown(grant, isClosed)),
    ...{ assigneeId, closedAt: isClosed ? endedAt : null },
    siteIsActive: endReason !== 'SITE_DEACTIVATED',
    isLicensed: endReason !== 'PRODUCT_UNLICENSED',
  };
}

/** For an event of a version that did not write it. */
function asFarAsKnown({ approvalDueAt, requestedAt, state }: GrantRow, isClosed: boolean): TicketAtEvent {
  return {
    ...{ status: isClosed ? 'CLOSED' : 'OPEN', version: 1 },
    supportAccessRestricted: state === 'PENDING_GUARD_APPROVAL',
    requestWaitSeconds: Math.round((approvalDueAt.getTime() - requestedAt.getTime()) / 1_000),
    ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: true },
    ...policyBeforeSessions,
  };
}

/** The ticket as it was. `engineer` was assigned to it then. */
export function ticketThen(
  { assignee, site, product, ...ticket }: SelectedTicket,
  then: TicketAtChange,
  engineer: Account | null,
): SelectedTicket {
  const { status, version, assigneeId, closedAt, isLicensed: licensed } = then;
  return {
    ...{ ...ticket, status, version, assigneeId, closedAt },
    ...(assignee === undefined ? {} : { assignee: ticket.assigneeId === assigneeId ? assignee : engineer }),
    ...(site === undefined ? {} : { site: siteThen(site, then) }),
    ...(product === undefined
      ? {}
      : {
          product: {
            ...{ ...product, licensed },
            ...(product.site === undefined ? {} : { site: siteThen(product.site, then) }),
          },
        }),
  };
}

/** The site as it was. */
export function siteThen(row: SelectedSite, then: TicketAtChange): SelectedSite {
  const {
    status: _status,
    version: _version,
    assigneeId,
    closedAt,
    siteIsActive,
    isLicensed,
    ...policy
  } = then;
  return { ...row, ...policy, status: siteIsActive ? 'ACTIVE' : 'DEACTIVATED' };
}
