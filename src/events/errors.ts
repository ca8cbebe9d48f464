/** Why a subscription can not start or can not go on, each with what its client does next. */

export type FeedErrorCode =
  | 'CURSOR_MALFORMED'
  | 'CURSOR_OF_ANOTHER_VIEWER'
  | 'CURSOR_OF_ANOTHER_FILTER'
  | 'CURSOR_EXPIRED'
  | 'ACCESS_ENDED'
  | 'HISTORY_REPLACED'
  | 'FEED_UNAVAILABLE'
  | 'FEED_CLOSED';

export abstract class FeedError extends Error {
  abstract readonly code: FeedErrorCode;
}

/** The text is no cursor of this deployment, or was altered. */
export class MalformedCursorError extends FeedError {
  override readonly name = 'MalformedCursorError';
  readonly code = 'CURSOR_MALFORMED';
  constructor() {
    super('This is not a cursor that was given out here: leave `after` out to start from the current state.');
  }
}

/** The cursor was given to somebody else. */
export class ForeignCursorError extends FeedError {
  override readonly name = 'ForeignCursorError';
  readonly code = 'CURSOR_OF_ANOTHER_VIEWER';
  constructor() {
    super('This cursor was given to somebody else: use one of your own, or leave `after` out.');
  }
}

/** The cursor belongs to a subscription to something else, or with another filter. */
export class OtherFilterCursorError extends FeedError {
  override readonly name = 'OtherFilterCursorError';
  readonly code = 'CURSOR_OF_ANOTHER_FILTER';
  constructor() {
    super(
      'This cursor belongs to another subscription: repeat the filter it was given for, or leave `after` out.',
    );
  }
}

/** Events after this cursor are no longer kept, so a resumption could miss some. */
export class CursorExpiredError extends FeedError {
  override readonly name = 'CursorExpiredError';
  readonly code = 'CURSOR_EXPIRED';
  constructor() {
    super(
      'The events after this cursor are no longer kept: leave `after` out to start from the current state.',
    );
  }
}

/** The viewer's rights changed so that the subscription may not go on. */
export class AccessEndedError extends FeedError {
  override readonly name = 'AccessEndedError';
  readonly code = 'ACCESS_ENDED';
  readonly reason: string;
  constructor(reason: string) {
    super(`This subscription ended with the viewer's right to it (${reason}).`);
    this.reason = reason;
  }
}

/** The database went back in time (restored, or failed over with losses): positions mean nothing any more. */
export class HistoryReplacedError extends FeedError {
  override readonly name = 'HistoryReplacedError';
  readonly code = 'HISTORY_REPLACED';
  constructor() {
    super(
      'The history of events was replaced: subscribe again without `after` to start from the current state.',
    );
  }
}

/** The database could not be read for too long. Nothing is lost to a client that resumes. */
export class FeedUnavailableError extends FeedError {
  override readonly name = 'FeedUnavailableError';
  readonly code = 'FEED_UNAVAILABLE';
  constructor(options?: ErrorOptions) {
    super('Events can not be read at the moment: resume from the last cursor in a few seconds.', options);
  }
}

/** This gateway is going away. Nothing is lost to a client that resumes. */
export class FeedClosedError extends FeedError {
  override readonly name = 'FeedClosedError';
  readonly code = 'FEED_CLOSED';
  constructor() {
    super('This gateway is closing: connect again and resume from the last cursor.');
  }
}
