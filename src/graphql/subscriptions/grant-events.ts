/**
 * The source stream of `grantEvents`: `STARTED`; the current state if the client asked for it; then events, without a
 * gap.
 *
 * The state is read after a position was taken, and the events continue from that position. Events that the state
 * already includes are left out, by the grants' versions.
 */
import { mayReceive, topicsFor } from '../../authorization/event-visibility.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToPlatform } from '../../authorization/viewer-relations.ts';
import type { DeliverableEvent, EventAudience } from '../../events/envelope.ts';
import { OtherFilterCursorError } from '../../events/errors.ts';
import type { Cursors } from '../../events/event-cursor.ts';
import type { Consumer, Delivery, EventSubscription, SubscribeOptions } from '../../events/feed.ts';
import type { GrantEventType } from '../../events/grant-event-type.ts';
import type { Position } from '../../events/position.ts';
import type { Topics } from '../../events/topics.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { findViewerById } from '../../identity/viewer-store.ts';
import { newId } from '../../platform/ids.ts';
import { type Context, viewerOf } from '../context.ts';
import { currentGrants } from './current-grants.ts';
import type { SourceEvent, SourceStream } from './subscribe.ts';

export type GrantEventPayload = {
  id: string;
  type: GrantEventType | 'STARTED' | 'CURRENT' | 'CURRENT_COMPLETE';
  occurredAt: Date;
  /** The grant right after the event. Null in `STARTED` and `CURRENT_COMPLETE`. */
  grant: GrantRow | null;
  /** How many grants the current state had. Only in `CURRENT_COMPLETE`. */
  openGrants?: number;
  /** Whom the event concerns. Absent at the beginning, where the right to each grant is checked as it is read. */
  audience?: EventAudience;
};

export type GrantEvent = SourceEvent<GrantEventPayload>;

export type GrantEventFilter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  types?: readonly GrantEventPayload['type'][] | null | undefined;
};

type Start = { after: string | null; withCurrentState: boolean };

/** Where a subscription starts: after a position, now, or now with the current state first. */
type StartPosition = Position | 'NOW' | 'CURRENT_STATE';

/** The stream begins with this call. Its `return` ends it at once, even while an event is awaited. */
export function grantEvents(
  context: Context,
  filter: GrantEventFilter,
  start: Start,
): SourceStream<GrantEventPayload> {
  const cursors = new GrantEventCursors(context, filter);
  const fresh = start.withCurrentState ? 'CURRENT_STATE' : 'NOW';
  return new StartedStream(
    context,
    filter,
    cursors,
    start.after === null ? fresh : cursors.read(start.after),
  );
}

/** The events after a position that the viewer may receive. */
class Events implements SourceStream<GrantEventPayload>, SubscribeOptions {
  readonly viewerId: string;
  readonly after: Position;
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #cursors: GrantEventCursors;
  readonly #subscription: EventSubscription;
  /** By grant, the version that was delivered as current state. */
  readonly #deliveredVersions: ReadonlyMap<string, number> | undefined;

  constructor(
    context: Context,
    filter: GrantEventFilter,
    cursors: GrantEventCursors,
    after: Position,
    deliveredVersions: ReadonlyMap<string, number> | undefined,
  ) {
    this.viewerId = viewerOf(context).id;
    this.after = after;
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#deliveredVersions = deliveredVersions;
    this.#subscription = context.services.feed.subscribe(this);
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

  mayReceive({ audience }: Pick<DeliverableEvent, 'audience'>): boolean {
    return mayReceive(viewerOf(this.#context), audience);
  }

  matches({ audience, ticketId, type }: DeliverableEvent): boolean {
    const wanted = this.#filter;
    return (
      (wanted.siteId == null || audience.siteId === wanted.siteId) &&
      (wanted.ticketId == null || ticketId === wanted.ticketId) &&
      (wanted.types == null || wanted.types.includes(type))
    );
  }

  /** Resolves with the viewer and their present rights. Rejects if an error has ended the stream. */
  async currentViewer(): Promise<Viewer> {
    await this.#subscription.rightsLoaded();
    return viewerOf(this.#context);
  }

  consume(consumer: Consumer<GrantEvent>): Promise<boolean> {
    return this.#subscription.consume((delivery) =>
      this.#wasDelivered(delivery) ? undefined : consumer(this.#toSourceEvent(delivery)),
    );
  }

  async mayStillReceive({ payload: { audience } }: GrantEvent): Promise<boolean> {
    await this.#subscription.rightsLoaded();
    return !this.#subscription.hasEnded && (audience === undefined || this.mayReceive({ audience }));
  }

  async next(): Promise<IteratorResult<GrantEvent, undefined>> {
    for (;;) {
      const { value, done } = await this.#subscription.next();
      if (done === true) return { value, done };
      if (!this.#wasDelivered(value)) return { value: this.#toSourceEvent(value), done: false };
    }
  }

  async return(): Promise<IteratorResult<GrantEvent, undefined>> {
    await this.#subscription.return?.();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wasDelivered({ event: { grantId, grantVersion } }: Delivery): boolean {
    const version = this.#deliveredVersions?.get(grantId);
    return version !== undefined && grantVersion <= version;
  }

  #toSourceEvent({ event, position }: Delivery): GrantEvent {
    return { payload: event, cursor: this.#cursors.at(position) };
  }
}

/**
 * The beginning of every subscription, then its events. It subscribes to events before it reads the state, so that a loss
 * of rights meanwhile ends it.
 */
class StartedStream implements SourceStream<GrantEventPayload> {
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #cursors: GrantEventCursors;
  #beginning: AsyncGenerator<GrantEvent, undefined, undefined> | undefined;
  #events: Events | undefined;
  #hasEnded = false;

  constructor(context: Context, filter: GrantEventFilter, cursors: GrantEventCursors, start: StartPosition) {
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#beginning = this.#begin(start);
  }

  async consume(consumer: Consumer<GrantEvent>): Promise<boolean> {
    for (;;) {
      const event = await this.#nextOfBeginning();
      if (this.#hasEnded || this.#events === undefined) return true;
      if (event === undefined) return await this.#events.consume(consumer);
      if ((await consumer(event)) === 'STOP') return false;
    }
  }

  async next(): Promise<IteratorResult<GrantEvent, undefined>> {
    const event = await this.#nextOfBeginning();
    if (this.#hasEnded || this.#events === undefined) return { value: undefined, done: true };
    return event === undefined ? await this.#events.next() : { value: event, done: false };
  }

  async mayStillReceive(event: GrantEvent): Promise<boolean> {
    return (await this.#events?.mayStillReceive(event)) === true;
  }

  async return(): Promise<IteratorResult<GrantEvent, undefined>> {
    this.#hasEnded = true;
    await this.#events?.return();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Undefined when only events follow. */
  async #nextOfBeginning(): Promise<GrantEvent | undefined> {
    if (this.#beginning === undefined) return undefined;
    const { value, done } = await this.#beginning.next();
    if (done === true) this.#beginning = undefined;
    return value;
  }

  async *#begin(start: StartPosition): AsyncGenerator<GrantEvent, undefined, undefined> {
    const position = typeof start === 'string' ? await this.#context.services.feed.now() : start;
    if (this.#hasEnded) return;
    const { types } = this.#filter;
    const hasState = start === 'CURRENT_STATE' && (types?.includes('CURRENT') ?? true);
    const deliveredVersions = hasState ? new Map<string, number>() : undefined;
    const events = new Events(this.#context, this.#filter, this.#cursors, position, deliveredVersions);
    this.#events = events;
    await events.currentViewer();
    // During the state, a cursor leads to the whole state again.
    const cursor = hasState ? this.#cursors.toCurrentState(position) : this.#cursors.at(position);
    yield { payload: this.#mark('STARTED'), cursor };
    if (deliveredVersions === undefined) return;
    const grants = currentGrants(this.#context.services, () => events.currentViewer(), this.#filter);
    for await (const { grant, at } of grants) {
      deliveredVersions.set(grant.id, grant.version);
      yield {
        payload: { id: `${grant.id}@${grant.version}`, type: 'CURRENT', occurredAt: at, grant },
        cursor,
      };
    }
    yield {
      payload: { ...this.#mark('CURRENT_COMPLETE'), openGrants: deliveredVersions.size },
      cursor: this.#cursors.at(position),
    };
  }

  #mark(type: 'STARTED' | 'CURRENT_COMPLETE'): GrantEventPayload {
    return { id: newId(), type, occurredAt: this.#context.services.clock(), grant: null };
  }
}

/** Encodes and decodes the cursors of one subscription. A cursor leads to a position, or to the current state. */
class GrantEventCursors {
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #events: Cursors;
  #state: Cursors | undefined;

  constructor(context: Context, filter: GrantEventFilter) {
    this.#context = context;
    this.#filter = filter;
    this.#events = this.#cursorsOf('grantEvents');
  }

  at(position: Position): string {
    return this.#events.encode(position);
  }

  toCurrentState(position: Position): string {
    return this.#ofState.encode(position);
  }

  read(cursor: string): Position | 'CURRENT_STATE' {
    try {
      return this.#events.decode(cursor);
    } catch (error) {
      if (!(error instanceof OtherFilterCursorError)) throw error;
      this.#ofState.decode(cursor);
      return 'CURRENT_STATE';
    }
  }

  get #ofState(): Cursors {
    this.#state ??= this.#cursorsOf('grantEvents from the current state');
    return this.#state;
  }

  #cursorsOf(stream: string): Cursors {
    const { services } = this.#context;
    return services.cursors({ viewerId: viewerOf(this.#context).id, stream, filter: this.#filter });
  }
}
