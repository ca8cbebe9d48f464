/** Why a subscription cannot start or continue. Each message says what the client does next. */

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

/** The text is no cursor of this deployment, or was changed. */
export class MalformedCursorError extends FeedError {
  override readonly name = 'MalformedCursorError';
  readonly code = 'CURSOR_MALFORMED';
  constructor() {
    super('This is not a cursor of this deployment: leave `after` out to start from the current state.');
  }
}

/** The cursor was issued to another account. */
export class ForeignCursorError extends FeedError {
  override readonly name = 'ForeignCursorError';
  readonly code = 'CURSOR_OF_ANOTHER_VIEWER';
  constructor() {
    super('This cursor was issued to another account: use one of your own, or leave `after` out.');
  }
}

/** The cursor was issued for another subscription or another filter. */
export class OtherFilterCursorError extends FeedError {
  override readonly name = 'OtherFilterCursorError';
  readonly code = 'CURSOR_OF_ANOTHER_FILTER';
  constructor() {
    super('This cursor was issued for another filter: use the same filter again, or leave `after` out.');
  }
}

/** Events after this cursor have been deleted, so a resumption could miss some. */
export class CursorExpiredError extends FeedError {
  override readonly name = 'CursorExpiredError';
  readonly code = 'CURSOR_EXPIRED';
  constructor() {
    super('Events after this cursor have been deleted: leave `after` out to start from the current state.');
  }
}

/** The viewer lost the right to the subscription. */
export class AccessEndedError extends FeedError {
  override readonly name = 'AccessEndedError';
  readonly code = 'ACCESS_ENDED';
  readonly reason: string;
  constructor(reason: string) {
    super(`The viewer no longer has the right to this subscription (${reason}).`);
    this.reason = reason;
  }
}

/** The database went back in time (restored, or failed over with losses), so that earlier positions are invalid. */
export class HistoryReplacedError extends FeedError {
  override readonly name = 'HistoryReplacedError';
  readonly code = 'HISTORY_REPLACED';
  constructor() {
    super(
      'The database was restored to an earlier moment: subscribe again without `after` to start from the current state.',
    );
  }
}

/** The database was unavailable for too long. A client that resumes loses nothing. */
export class FeedUnavailableError extends FeedError {
  override readonly name = 'FeedUnavailableError';
  readonly code = 'FEED_UNAVAILABLE';
  constructor(options?: ErrorOptions) {
    super('Events cannot be read at the moment: resume from the last cursor in a few seconds.', options);
  }
}

/** This gateway is shutting down. A client that resumes loses nothing. */
export class FeedClosedError extends FeedError {
  override readonly name = 'FeedClosedError';
  readonly code = 'FEED_CLOSED';
  constructor() {
    super('This gateway is shutting down: connect again and resume from the last cursor.');
  }
}
