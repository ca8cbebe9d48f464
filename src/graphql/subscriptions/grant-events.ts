/**
 * The stream behind `grantEvents`: the current state first if asked for, then what happens, without a gap.
 *
 * The state is read after a position was taken, and the events continue from that position. What the state
 * already shows does not come again as an event: versions of grants tell.
 */
import { mayReceive, topicsFor } from '../../authorization/event-visibility.ts';
import { may } from '../../authorization/operations.ts';
import { relationsToPlatform } from '../../authorization/relations.ts';
import type { Cursors } from '../../events/cursor.ts';
import type { DeliverableEvent, EventAudience, GrantEventEnvelope } from '../../events/envelope.ts';
import { OtherFilterCursorError } from '../../events/errors.ts';
import type { Deliveries, Delivery, SubscribeOptions, Take } from '../../events/feed.ts';
import { currentPosition } from '../../events/outbox.ts';
import type { Position } from '../../events/position.ts';
import type { Topics } from '../../events/topics.ts';
import type { GrantRow } from '../../grants/row.ts';
import { findViewerById, type Viewer } from '../../identity/viewer.ts';
import { type Context, viewerOf } from '../context.ts';
import { currentGrants } from './current-grants.ts';
import type { Told, ToldStream } from './subscribe.ts';

export type GrantEventFacts = {
  id: string;
  type: GrantEventEnvelope['type'] | 'CURRENT';
  occurredAt: Date;
  /** As it was right after the event. */
  grant: GrantRow;
  /** Whom the event concerns. Not of the current state, of which every page is judged as it is told. */
  audience?: EventAudience;
};

export type GrantEvent = Told<GrantEventFacts>;

export type GrantEventFilter = {
  siteId?: string | null | undefined;
  ticketId?: string | null | undefined;
  types?: readonly GrantEventFacts['type'][] | null | undefined;
};

type Start = { after: string | null; withCurrentState: boolean };

/** Begins with this call, and ends at once when it is returned, even while an event is awaited. */
export function grantEvents(
  context: Context,
  filter: GrantEventFilter,
  start: Start,
): ToldStream<GrantEventFacts> {
  const cursors = new GrantEventCursors(context, filter);
  const resumed = start.after === null ? null : cursors.read(start.after);
  if (resumed === 'CURRENT_STATE' || (resumed === null && start.withCurrentState)) {
    return new CurrentStateThenEvents(context, filter, cursors);
  }
  return new Events(context, filter, cursors, resumed);
}

/** What happens from now on, or after a position, as far as the viewer may hear of it. */
class Events implements ToldStream<GrantEventFacts>, SubscribeOptions {
  readonly viewerId: string;
  readonly after?: Position;
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #cursors: GrantEventCursors;
  readonly #deliveries: Deliveries;
  /** By grant, the version that the viewer has been shown before the stream began. */
  readonly #shown: ReadonlyMap<string, number> | undefined;

  constructor(
    context: Context,
    filter: GrantEventFilter,
    cursors: GrantEventCursors,
    after: Position | null,
    shown?: ReadonlyMap<string, number>,
  ) {
    this.viewerId = viewerOf(context).id;
    if (after !== null) this.after = after;
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#shown = shown;
    this.#deliveries = context.services.feed.subscribe(this);
  }

  async recheck(): Promise<string | null> {
    const now = await findViewerById(this.#context.services.database.prisma, this.viewerId);
    if (now === null) return 'ACCOUNT_DEACTIVATED';
    // What an operation selects of an event is read with these rights, too.
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

  /** The viewer with the rights of the moment. Rejects where an error has ended the stream. */
  async viewerNow(): Promise<Viewer> {
    await this.#deliveries.rights();
    return viewerOf(this.#context);
  }

  handTo(take: Take<GrantEvent>): Promise<boolean> {
    return this.#deliveries.handTo((delivery) =>
      this.#wasShown(delivery) ? undefined : take(this.#told(delivery)),
    );
  }

  async mayStillTell({ of: { audience } }: GrantEvent): Promise<boolean> {
    await this.#deliveries.rights();
    return !this.#deliveries.hasEnded && (audience === undefined || this.mayReceive({ audience }));
  }

  async next(): Promise<IteratorResult<GrantEvent, undefined>> {
    for (;;) {
      const { value, done } = await this.#deliveries.next();
      if (done === true) return { value, done };
      if (!this.#wasShown(value)) return { value: this.#told(value), done: false };
    }
  }

  async return(): Promise<IteratorResult<GrantEvent, undefined>> {
    await this.#deliveries.return?.();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #wasShown({ event: { grantId, grantVersion } }: Delivery): boolean {
    const version = this.#shown?.get(grantId);
    return version !== undefined && grantVersion <= version;
  }

  #told({ event, position }: Delivery): GrantEvent {
    return { of: event, cursor: this.#cursors.at(position) };
  }
}

/** The open grants first. Events are listened to from the beginning, so that rights that end meanwhile end it. */
class CurrentStateThenEvents implements ToldStream<GrantEventFacts> {
  readonly #context: Context;
  readonly #filter: GrantEventFilter;
  readonly #cursors: GrantEventCursors;
  readonly #shown = new Map<string, number>();
  readonly #state: AsyncGenerator<GrantEvent, undefined, undefined>;
  #events: Events | undefined;
  #hasEnded = false;

  constructor(context: Context, filter: GrantEventFilter, cursors: GrantEventCursors) {
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#state = this.#currentState();
  }

  async handTo(take: Take<GrantEvent>): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#state.next();
      if (this.#hasEnded || this.#events === undefined) return true;
      if (done === true) return await this.#events.handTo(take);
      if ((await take(value)) === 'ENOUGH') return false;
    }
  }

  async next(): Promise<IteratorResult<GrantEvent, undefined>> {
    const { value, done } = await this.#state.next();
    if (this.#hasEnded || this.#events === undefined) return { value: undefined, done: true };
    return done === true ? await this.#events.next() : { value, done: false };
  }

  async mayStillTell(told: GrantEvent): Promise<boolean> {
    return (await this.#events?.mayStillTell(told)) === true;
  }

  async return(): Promise<IteratorResult<GrantEvent, undefined>> {
    this.#hasEnded = true;
    await this.#events?.return();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#currentState(): AsyncGenerator<GrantEvent, undefined, undefined> {
    const position = await currentPosition(this.#context.services.database.pool);
    if (this.#hasEnded) return;
    const events = new Events(this.#context, this.#filter, this.#cursors, position, this.#shown);
    this.#events = events;
    const { types } = this.#filter;
    if (types != null && !types.includes('CURRENT')) return;
    const grants = currentGrants(this.#context.services, () => events.viewerNow(), this.#filter);
    for await (const { grant, at, isLast } of grants) {
      this.#shown.set(grant.id, grant.version);
      const of = { id: `${grant.id}@${grant.version}`, type: 'CURRENT', occurredAt: at, grant } as const;
      // Until the last has come, a cursor leads to the whole state again.
      yield { of, cursor: isLast ? this.#cursors.at(position) : this.#cursors.toCurrentState(position) };
    }
  }
}

/** The cursors of one viewer's stream with one filter: to a position, or to the current state. */
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
