/** What a subscriber received, in order, and how its connections fared. */
import type { EventAudience } from '../../src/events/audience.ts';
import { withDeadline } from '../../src/platform/deadline.ts';
import type { Stream, Subject } from './streams.ts';

export type ReceivedEvent = {
  id: string;
  cursor: string;
  type: string;
  occurredAt: string;
  /** What it is about. */
  subject: Subject;
};

export type Subscriber = {
  readonly name: string;
  readonly stream: Stream;
  /** Whether it may receive an event with this audience. */
  readonly mayReceive: (audience: EventAudience) => boolean;
  /** The events that the application has received, in order, with their times on `performance`'s clock. */
  readonly received: readonly { event: ReceivedEvent; at: number }[];
  /** How many events arrived, repetitions included. */
  readonly deliveries: number;
  /** Events that were delivered again with another content than before, and whatever else must not happen. */
  readonly contradictions: readonly string[];
  /** Why connections were lost. */
  readonly losses: readonly string[];
  /** The cursors from which it resumed. */
  readonly resumptions: readonly string[];
  /**
   * Resolves when it has received all of these. This and the next two reject when no event has arrived for this long, and
   * when the subscription ends.
   */
  hasReceived(ids: Iterable<string>, deadlineMs: number): Promise<void>;
  /** Resolves when it has received this many more. */
  hasReceivedMore(count: number, deadlineMs: number): Promise<void>;
  /** Resolves when it has resumed after a loss. */
  hasResumed(deadlineMs: number): Promise<void>;
};

type Reception = {
  readonly subscriber: Subscriber;
  /** Notes a delivery, a repetition included. */
  note(event: { id: string; cursor: string }): void;
  /** Notes an event that the application receives. */
  receive(event: ReceivedEvent): void;
  /** Notes what must not happen. */
  contradict(what: string): void;
  lost(reason: string): void;
  resumed(after: string): void;
};

/** @param ended rejects when the subscription has ended */
export function createReception({
  name,
  stream,
  mayReceive,
  ended,
}: Pick<Subscriber, 'name' | 'stream' | 'mayReceive'> & { ended: Promise<never> }): Reception {
  const received: { event: ReceivedEvent; at: number }[] = [];
  const known = new Set<string>();
  const contents = new Map<string, string>();
  const contradictions: string[] = [];
  const losses: string[] = [];
  const resumptions: string[] = [];
  let deliveries = 0;
  let change = Promise.withResolvers<void>();
  ended.catch(() => undefined);

  function notify(): void {
    change.resolve();
    change = Promise.withResolvers();
  }

  async function until(isDone: () => boolean, missing: () => string, deadlineMs: number): Promise<void> {
    const late = (): Error => {
      const lost = losses.length === 0 ? 'no connection was lost' : `last lost: ${losses.at(-1)}`;
      return new Error(`For ${deadlineMs} ms ${name} received no event, and ${missing()}; ${lost}`);
    };
    for (let [count, since] = [received.length, performance.now()]; !isDone(); ) {
      if (received.length > count) [count, since] = [received.length, performance.now()];
      const msLeft = since + deadlineMs - performance.now();
      await withDeadline(Promise.race([change.promise, ended]), msLeft, late);
    }
  }

  const subscriber: Subscriber = {
    ...{ name, stream },
    mayReceive,
    received,
    get deliveries() {
      return deliveries;
    },
    contradictions,
    losses,
    resumptions,
    hasReceived(ids, deadlineMs) {
      const awaited = new Set(ids);
      return until(
        () => {
          for (const id of awaited) if (known.has(id)) awaited.delete(id);
          return awaited.size === 0;
        },
        () => `has not received ${awaited.size} events, ${[...awaited].slice(0, 5).join(', ')} …`,
        deadlineMs,
      );
    },
    hasReceivedMore(count, deadlineMs) {
      const enough = received.length + count;
      return until(
        () => received.length >= enough,
        () => `has not received ${enough - received.length} more events`,
        deadlineMs,
      );
    },
    hasResumed: (deadlineMs) =>
      until(
        () => resumptions.length > 0,
        () => 'has not resumed',
        deadlineMs,
      ),
  };
  return {
    subscriber,
    note({ cursor: _cursor, ...event }) {
      deliveries += 1;
      const content = JSON.stringify(event);
      const before = contents.get(event.id);
      if (before === undefined) contents.set(event.id, content);
      else if (before !== content) contradictions.push(`${before} came again as ${content}`);
    },
    receive(event) {
      received.push({ event, at: performance.now() });
      known.add(event.id);
      notify();
    },
    contradict: (what) => void contradictions.push(what),
    lost: (reason) => void losses.push(reason),
    resumed(after) {
      resumptions.push(after);
      notify();
    },
  };
}
