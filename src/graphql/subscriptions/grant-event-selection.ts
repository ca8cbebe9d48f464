/** Which events of grants one subscription delivers: by the viewer's rights, its filter, and its current state. */
import { mayReceive, topicsFor } from '../../authorization/event-visibility.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToPlatform } from '../../authorization/viewer-relations.ts';
import type { EventAudience } from '../../events/audience.ts';
import type { EventEnvelope } from '../../events/envelope.ts';
import type { SubscribeOptions } from '../../events/feed.ts';
import { type GrantEventEnvelope, isGrantEvent } from '../../events/kinds/grant.ts';
import type { Position } from '../../events/position.ts';
import type { Topics } from '../../events/topics.ts';
import { findViewerById } from '../../identity/viewer-store.ts';
import { type Context, viewerOf } from '../context.ts';
import type { GrantEventFilter } from './grant-event.ts';
import type { GrantEventCursors } from './grant-event-cursors.ts';

export class GrantEventSelection implements SubscribeOptions<GrantEventEnvelope> {
  readonly viewerId: string;
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #cursors: GrantEventCursors;
  /** By grant, the version that was delivered as current state. */
  #stateVersions: ReadonlyMap<string, number> | undefined;

  constructor(context: Context, filter: GrantEventFilter, cursors: GrantEventCursors) {
    this.viewerId = viewerOf(context).id;
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
  }

  /** Leaves out the events that the current state includes: by grant, the version in the state. */
  leaveOut(versions: ReadonlyMap<string, number>): void {
    this.#stateVersions = versions;
  }

  async recheck(): Promise<string | null> {
    const now = await findViewerById(this.#context.services.database.prisma, this.viewerId);
    if (now === null) return 'ACCOUNT_DEACTIVATED';
    // The fields that the operation selects of an event are resolved with these rights, too.
    this.#context.viewer = now;
    return may('grantEvents', relationsToPlatform(now)) ? null : 'NO_LONGER_ALLOWED';
  }

  topics(): Topics {
    return topicsFor(viewerOf(this.#context));
  }

  matches(event: EventEnvelope): event is GrantEventEnvelope {
    if (!isGrantEvent(event)) return false;
    const { siteId, ticketId, types } = this.#filter;
    return (
      (siteId == null || event.audience.siteId === siteId) &&
      (ticketId == null || event.ticketId === ticketId) &&
      (types == null || types.includes(event.type))
    );
  }

  mayReceive({ audience, grantId, grantVersion }: GrantEventEnvelope): boolean {
    return grantVersion > (this.#stateVersions?.get(grantId) ?? 0) && this.isFor(audience);
  }

  /** Whether the viewer may receive events with this audience, by the rights loaded last. */
  isFor(audience: EventAudience): boolean {
    return mayReceive(viewerOf(this.#context), audience);
  }

  cursorAt(position: Position): string {
    return this.#cursors.at(position);
  }
}
