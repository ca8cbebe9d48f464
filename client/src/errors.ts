/** Errors of the client, with codes that say what to do about them. */

/**
 * A request failed without data. A mutation's refusal is no such error: it is data, a member of the mutation's
 * union.
 */
export class RequestFailedError extends Error {
  override readonly name = 'RequestFailedError';
  /**
   * The gateway's code (`UNAUTHENTICATED`, `SERVICE_UNAVAILABLE` …). Without a response of a gateway: `UNREACHABLE`,
   * `TIMED_OUT`, `NOT_A_GATEWAY`, or `TOKEN_UNAVAILABLE` if the token source failed or took too long, so that nothing
   * was sent.
   */
  readonly code: string;
  /** The HTTP status; null without a response. */
  readonly status: number | null;

  constructor(code: string, message: string, status: number | null, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

/**
 * A subscription has ended and the client cannot resume it. `code` says why:
 *
 * - `CURSOR_EXPIRED`, `HISTORY_REPLACED`: the events after the cursor are no longer available. Read the current
 *   state, then subscribe without a cursor.
 * - `CURSOR_MALFORMED`, `CURSOR_OF_ANOTHER_VIEWER`, `CURSOR_OF_ANOTHER_FILTER`: the cursor is not valid for this
 *   account, subscription and filter.
 * - `ACCESS_ENDED`, `UNAUTHENTICATED`: the account may no longer receive these events, or its token is invalid.
 * - `UNREACHABLE`, `TOKEN_UNAVAILABLE`: the gateway was unreachable, or the token source failed or took too long, for
 *   `giveUpAfterMs`. The cursor is still valid.
 * - `FAILED`: a callback of the subscription threw. The `cause` is what it threw.
 * - `DISPOSED`: only from `started`, when the subscription was disposed before it had started.
 * - `CLOSED_4xxx`, `CLOSED_1xxx`: the WebSocket was closed with this code, for a violation of the protocol.
 * - anything else: the gateway's code for what is wrong with the request.
 */
export class SubscriptionEndedError extends Error {
  override readonly name = 'SubscriptionEndedError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
