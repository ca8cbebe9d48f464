import type { EventAudience } from '../../events/audience.ts';
import type { GrantEventType, TicketAtEvent } from '../../events/kinds/grant.ts';
import type { GrantRow } from '../../grants/row.ts';

/** An event of `grantEvents`. */
export type GrantEvent = {
  id: string;
  type: GrantEventType | 'STARTED' | 'CURRENT' | 'CURRENT_COMPLETE';
  occurredAt: Date;
  /** The grant right after the event. Null in `STARTED` and `CURRENT_COMPLETE`. */
  grant: GrantRow | null;
  /** The grant's ticket right after the event, for an engineer who has lost it since. */
  ticket?: TicketAtEvent;
  /** How many grants the current state had. Only in `CURRENT_COMPLETE`. */
  openGrants?: number;
  /** Whom the event concerns. Absent at the beginning, where the right to each grant is checked as it is read. */
  audience?: EventAudience;
};

export type GrantEventFilter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  types?: readonly GrantEvent['type'][] | null | undefined;
};
