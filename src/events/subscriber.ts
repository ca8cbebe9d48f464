/** How events reach a subscriber: they are pushed to it, one after the other. */

/** Receives events one after the other, then one end. */
export type Subscriber<Event> = {
  /** If it returns a promise, the next event follows only when that has resolved. A rejection ends the subscription. */
  onEvent(event: Event): Promise<void> | undefined;
  /** Called once, and nothing follows. With an error unless the subscriber itself has ended the subscription. */
  onEnd(error?: Error): void;
};

/** Pushes events to its one subscriber. */
export type EventSource<Event> = {
  /** Begins. Called once. */
  start(subscriber: Subscriber<Event>): void;
  /** Ends it at once. Called only after `start`. */
  end(): void;
};

/** An event for one subscriber. */
export type Delivery<Event, Cursor = string> = {
  /** What happened: the same object for every subscriber. */
  readonly event: Event;
  /** The subscriber resumes from here, and misses nothing after the event. */
  readonly cursor: Cursor;
};
