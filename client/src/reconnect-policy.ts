import { type RequestFailedError, SubscriptionEndedError } from './errors.ts';
import { detailOf, isRecord, readError } from './read-error.ts';

/** What to do after a subscription's connection was lost or its stream failed. */
export type ReconnectDecision = Retry | { kind: 'GIVE_UP'; error: SubscriptionEndedError };

/** Reconnect, with a new token if the last one has expired. */
export type Retry = {
  kind: 'RETRY' | 'NEW_TOKEN';
  reason: string;
  /** The code and the cause of the error with which the subscription ends if it cannot reconnect for too long. */
  code: 'UNREACHABLE' | 'TOKEN_UNAVAILABLE' | 'UNAUTHENTICATED';
  cause?: unknown;
};

/** Codes of GraphQL errors after which the same request may succeed. */
const transientErrorCodes = new Set([
  'FEED_UNAVAILABLE',
  'FEED_CLOSED',
  'SERVICE_UNAVAILABLE',
  'IDENTITY_UNAVAILABLE',
  'TOOK_TOO_LONG',
  'TOO_MANY_OPERATIONS',
  'RATE_LIMITED',
  'TOO_MANY_CONNECTIONS',
  'INTERNAL_SERVER_ERROR',
]);

/** Close codes with which graphql-transport-ws reports that one side violated the protocol. */
const protocolErrorCloseCodes = new Set([4004, 4005, 4400, 4406, 4409]);

/** Close codes from 1001 to 1999 that report a lost connection or a server problem, not a violated protocol. */
const transientCloseCodes = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014]);

/** Decides whether to ask the token source again after it failed. */
export function decideOnTokenFailure(cause: RequestFailedError): ReconnectDecision {
  const { code, status, message } = cause;
  if (status !== null && status < 500) return giveUp(code, `The token source failed: ${message}`, cause);
  return { kind: 'RETRY', reason: message, code: code === 'UNREACHABLE' ? code : 'TOKEN_UNAVAILABLE', cause };
}

/**
 * Decides whether to reconnect after a stream has ended.
 * @param ended an array of GraphQL errors, the WebSocket's close event, whatever else was thrown, or null if the
 *   gateway completed the stream
 * @param wasAccepted whether the gateway has accepted this token, on this connection or on one before
 */
export function decideReconnect(ended: unknown, wasAccepted: boolean): ReconnectDecision {
  if (ended === null) return retry('the gateway completed the stream');
  if (Array.isArray(ended)) return decideOnErrors(ended);
  if (!isCloseEvent(ended)) return retry(`the connection failed${detailOf(ended)}`);
  const { code, reason } = ended;
  const closed = `the gateway closed the connection: ${code}${reason === '' ? '' : ` ${reason}`}`;
  if (code === 4401 || code === 4403) {
    // The gateway refuses a token that it has accepted before only when it has expired.
    return wasAccepted
      ? newToken(closed)
      : giveUp('UNAUTHENTICATED', `The gateway does not accept the token: ${reason || code}`);
  }
  if (protocolErrorCloseCodes.has(code) || isWebSocketProtocolError(code)) {
    return giveUp(`CLOSED_${code}`, `The subscription cannot be resumed: ${closed}`);
  }
  return retry(closed);
}

function decideOnErrors(errors: readonly unknown[]): ReconnectDecision {
  const [first] = errors;
  const { message, code } = readError(first);
  if (transientErrorCodes.has(code)) return retry(`${code}: ${message}`);
  if (code === 'UNAUTHENTICATED') return newToken(message);
  return giveUp(code, message);
}

function isWebSocketProtocolError(code: number): boolean {
  return code > 1000 && code < 2000 && !transientCloseCodes.has(code);
}

function isCloseEvent(value: unknown): value is { code: number; reason: string } {
  return isRecord(value) && typeof value['code'] === 'number' && typeof value['reason'] === 'string';
}

function retry(reason: string): ReconnectDecision {
  return { kind: 'RETRY', reason, code: 'UNREACHABLE' };
}

function newToken(reason: string): ReconnectDecision {
  return { kind: 'NEW_TOKEN', reason, code: 'UNAUTHENTICATED' };
}

function giveUp(code: string, message: string, cause?: unknown): ReconnectDecision {
  return { kind: 'GIVE_UP', error: new SubscriptionEndedError(code, message, { cause }) };
}
