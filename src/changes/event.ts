/** The event of each change of a change request. */
import {
  type ChangeRequestEventEnvelope,
  changeRequestEventTypes,
  changeRequestKind,
} from '../events/kinds/change-request.ts';
import { type TicketOfEvent, ticketAtEvent } from '../events/kinds/grant.ts';
import { newId } from '../platform/ids.ts';
import type { DecidedChange } from './audit-entry.ts';
import type { ChangeRequest } from './change-request.ts';
import { toRow } from './row.ts';

/** The ticket of a change request, with what its event says of the site and the product. */
export type TicketOfChange = TicketOfEvent & {
  assigneeId: string | null;
  closedAt: Date | null;
  site: { status: 'ACTIVE' | 'DEACTIVATED' };
  product: { licensed: boolean };
};

/** A change of a change request, with its ticket as it is afterwards. */
export type ChangeOnTicket = DecidedChange & { ticket: TicketOfChange };

export function changeRequestEvent({
  request,
  occurredAt,
  ticket,
}: Pick<ChangeOnTicket, 'request' | 'occurredAt' | 'ticket'>): ChangeRequestEventEnvelope {
  const { organizationId, siteId, ticketId } = request;
  const { reporterId, assigneeId, closedAt, site, product } = ticket;
  return {
    id: newId(occurredAt),
    kind: changeRequestKind,
    type: changeRequestEventTypes[request.state],
    occurredAt,
    audience: { organizationId, siteId, reporterId, engineerIds: [engineerOf(request)] },
    ticketId,
    changeRequest: toRow(request),
    ticket: {
      ...{ ...ticketAtEvent(ticket), assigneeId, closedAt },
      ...{ siteIsActive: site.status === 'ACTIVE', isLicensed: product.licensed },
    },
  };
}

/** A request is over when its ticket gets another engineer; only what was begun may be recorded by the next one. */
function engineerOf(request: ChangeRequest): string {
  return (request.state === 'COMPLETED' ? request.endedById : null) ?? request.requestedById;
}
