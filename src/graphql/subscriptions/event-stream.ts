/**
 * The events of one subscription, for one subscriber: `STARTED`; the current state if the client asked for it; then what
 * happens, without a gap.
 *
 * The state is read after a position was taken, and the events continue from that position. Events that the state
 * already includes are left out, by the items' versions.
 */
import { FeedClosedError } from '../../events/errors.ts';
import type { EventSubscription } from '../../events/feed.ts';
import type { Position } from '../../events/position.ts';
import type { Delivery, Subscriber } from '../../events/subscriber.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { newId } from '../../platform/ids.ts';
import { type Context, viewerOf } from '../context.ts';
import { currentState } from './current-state.ts';
import { EventCursors } from './event-cursors.ts';
import { EventSelection } from './event-selection.ts';
import type { EventFilter, StreamEvent, StreamKind, TicketEvent } from './stream-kind.ts';
import type { SourceStream } from './subscribe.ts';

type Start = { after: string | null; withCurrentState: boolean };

/** Where a subscription starts: after a position, now, or now with the current state first. */
type StartPosition = Position | 'NOW' | 'CURRENT_STATE';

/** @throws FeedError if `after` is not a cursor of this subscription */
export function streamEvents<Envelope extends TicketEvent, Content extends object>(
  kind: StreamKind<Envelope, Content>,
  context: Context,
  filter: EventFilter,
  { after, withCurrentState }: Start,
): SourceStream<StreamEvent<Envelope, Content>> {
  const cursors = new EventCursors(context, kind.name, filter);
  const fresh = withCurrentState ? 'CURRENT_STATE' : 'NOW';
  return new EventStream(kind, context, filter, cursors, after === null ? fresh : cursors.read(after));
}

class EventStream<Envelope extends TicketEvent, Content extends object>
  implements SourceStream<StreamEvent<Envelope, Content>>
{
  readonly #kind: StreamKind<Envelope, Content>;
  readonly #context: Context;
  readonly #filter: EventFilter;
  readonly #cursors: EventCursors;
  readonly #selection: EventSelection<Envelope>;
  readonly #from: StartPosition;
  #subscription: EventSubscription | undefined;
  #hasEnded = false;

  constructor(
    kind: StreamKind<Envelope, Content>,
    context: Context,
    filter: EventFilter,
    cursors: EventCursors,
    from: StartPosition,
  ) {
    this.#kind = kind;
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#selection = new EventSelection(kind, context, filter, cursors);
    this.#from = from;
  }

  start(subscriber: Subscriber<Delivery<StreamEvent<Envelope, Content>>>): void {
    this.#begin(subscriber).catch((error: Error) => {
      if (this.#subscription !== undefined) this.#subscription.end(error);
      else if (!this.#hasEnded) subscriber.onEnd(error);
    });
  }

  end(): void {
    this.#hasEnded = true;
    this.#subscription?.end();
  }

  async mayStillReceive({ audience }: StreamEvent<Envelope, Content>): Promise<boolean> {
    await this.#subscription?.rightsLoaded();
    if (this.#subscription?.hasEnded !== false) return false;
    return audience === undefined || this.#selection.isFor(audience);
  }

  rights(): Viewer | null {
    return this.#context.viewer;
  }

  [Symbol.asyncIterator](): never {
    throw new TypeError('These events are pushed, from a call of `start` on.');
  }

  async #begin(subscriber: Subscriber<Delivery<StreamEvent<Envelope, Content>>>): Promise<void> {
    const { feed } = this.#context.services;
    const after = typeof this.#from === 'string' ? await feed.now() : this.#from;
    if (this.#hasEnded) return;
    // Subscribed before the state is read, so that a loss of rights meanwhile ends it.
    const subscription = feed.subscribe(after, this.#selection, subscriber);
    this.#subscription = subscription;
    await subscription.rightsLoaded();
    const hasState = this.#from === 'CURRENT_STATE' && (this.#filter.types?.includes('CURRENT') ?? true);
    // Up to the end of the state, a cursor leads to the whole state again.
    const cursor = hasState ? this.#cursors.toCurrentState(after) : this.#cursors.at(after);
    await subscriber.onEvent({ event: this.#mark('STARTED'), cursor });
    if (hasState) await this.#deliverState(subscription, subscriber, { after, cursor });
    subscription.start();
  }

  async #deliverState(
    subscription: EventSubscription,
    subscriber: Subscriber<Delivery<StreamEvent<Envelope, Content>>>,
    { after, cursor }: { after: Position; cursor: string },
  ): Promise<void> {
    const currentViewer = async (): Promise<Viewer> => {
      await subscription.rightsLoaded();
      if (subscription.hasEnded) throw new FeedClosedError();
      return viewerOf(this.#context);
    };
    const versions = new Map<string, number>();
    const { services } = this.#context;
    for await (const { item, at } of currentState(this.#kind, services, currentViewer, this.#filter)) {
      const { id, version, content } = item;
      versions.set(id, version);
      const event = { id: `${id}@${version}`, type: 'CURRENT', occurredAt: at, content } as const;
      await subscriber.onEvent({ event, cursor });
    }
    this.#selection.leaveOut(versions);
    const event = { ...this.#mark('CURRENT_COMPLETE'), stateSize: versions.size };
    await subscriber.onEvent({ event, cursor: this.#cursors.at(after) });
  }

  #mark<Type extends 'STARTED' | 'CURRENT_COMPLETE'>(type: Type) {
    const now = this.#context.services.clock();
    return { id: newId(now), type, occurredAt: now };
  }
}
