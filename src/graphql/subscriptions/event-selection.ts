/** Which events one subscription delivers: by its kind, the viewer's rights, its filter, and its current state. */
import { mayReceive, topicsFor } from '../../authorization/event-visibility.ts';
import type { EventAudience } from '../../events/audience.ts';
import type { EventEnvelope } from '../../events/envelope.ts';
import type { SubscribeOptions } from '../../events/feed.ts';
import type { Position } from '../../events/position.ts';
import type { Topics } from '../../events/topics.ts';
import { type Context, viewerOf } from '../context.ts';
import type { EventCursors } from './event-cursors.ts';
import { reloadViewer } from './reload-viewer.ts';
import type { EventFilter, StreamKind, TicketEvent } from './stream-kind.ts';

export class EventSelection<Envelope extends TicketEvent> implements SubscribeOptions<Envelope> {
  readonly viewerId: string;
  readonly #kind: Pick<StreamKind<Envelope, object>, 'name' | 'kind' | 'subjectOf'>;
  readonly #context: Context;
  readonly #filter: EventFilter;
  readonly #cursors: EventCursors;
  /** By id, the version that was delivered as current state. */
  #stateVersions: ReadonlyMap<string, number> | undefined;

  constructor(
    kind: Pick<StreamKind<Envelope, object>, 'name' | 'kind' | 'subjectOf'>,
    context: Context,
    filter: EventFilter,
    cursors: EventCursors,
  ) {
    this.viewerId = viewerOf(context).id;
    this.#kind = kind;
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
  }

  /** Leaves out the events that the current state includes: by id, the version in the state. */
  leaveOut(versions: ReadonlyMap<string, number>): void {
    this.#stateVersions = versions;
  }

  async recheck(): Promise<string | null> {
    const { viewerId } = this;
    return await reloadViewer(this.#context, { viewerId, operation: this.#kind.name }, (viewer) => {
      // The fields that the operation selects of an event are resolved with these rights, too.
      this.#context.viewer = viewer;
    });
  }

  topics(): Topics {
    return topicsFor(viewerOf(this.#context));
  }

  matches(event: EventEnvelope): event is Envelope {
    if (!this.#isOfKind(event)) return false;
    const { siteId, ticketId, grantId, types } = this.#filter;
    return (
      (siteId == null || event.audience.siteId === siteId) &&
      (ticketId == null || event.ticketId === ticketId) &&
      (grantId == null || event.grantId === grantId) &&
      (types == null || types.includes(event.type))
    );
  }

  mayReceive(event: Envelope): boolean {
    const { id, version } = this.#kind.subjectOf(event);
    return version > (this.#stateVersions?.get(id) ?? 0) && this.isFor(event.audience);
  }

  /** Whether the viewer may receive events with this audience, by the rights loaded last. */
  isFor(audience: EventAudience): boolean {
    return mayReceive(viewerOf(this.#context), audience);
  }

  cursorAt(position: Position): string {
    return this.#cursors.at(position);
  }

  #isOfKind(event: EventEnvelope): event is Envelope {
    return event.kind === (this.#kind.kind as EventEnvelope['kind']);
  }
}
