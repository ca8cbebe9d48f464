/** What goes wrong between a client and the gateway, as errors that say what to do about it. */

/**
 * A request came back without data, or not at all. What a mutation refuses is no such error: it is data, a
 * member of the mutation's union.
 */
export class RequestFailedError extends Error {
  override readonly name = 'RequestFailedError';
  /**
   * The gateway's code (`UNAUTHENTICATED`, `SERVICE_UNAVAILABLE` …), or `UNREACHABLE`, `TIMED_OUT` or
   * `NOT_A_GATEWAY` where no answer of a gateway came.
   */
  readonly code: string;
  /** The HTTP status; null where none came. */
  readonly status: number | null;

  constructor(code: string, message: string, status: number | null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

/**
 * A subscription is over and cannot be resumed from its last cursor. `code` says why:
 *
 * - `CURSOR_EXPIRED`, `HISTORY_REPLACED`: what came after the cursor is not to be had any more. Read the
 *   current state, then subscribe without a cursor.
 * - `CURSOR_MALFORMED`, `CURSOR_OF_ANOTHER_VIEWER`, `CURSOR_OF_ANOTHER_FILTER`: the cursor is not one for this
 *   account, subscription and filter.
 * - `ACCESS_ENDED`, `UNAUTHENTICATED`: the account or its token is not good for it any more.
 * - `UNREACHABLE`: the gateway was out of reach for longer than the caller wanted to wait. The cursor is still
 *   good.
 * - anything else: the gateway's code for what is wrong with the request, or `CLOSED_4xxx` for a close code
 *   of the graphql-transport-ws protocol that says the two do not understand each other.
 */
export class SubscriptionEndedError extends Error {
  override readonly name = 'SubscriptionEndedError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
