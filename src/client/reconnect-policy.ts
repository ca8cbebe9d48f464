import { RequestFailedError, SubscriptionEndedError } from './errors.ts';

/** What to do after a subscription's connection was lost or its stream failed. */
export type ReconnectDecision =
  | { kind: 'RETRY'; reason: string }
  /** The token has expired: reconnect with a new one. */
  | { kind: 'NEW_TOKEN'; reason: string }
  | { kind: 'GIVE_UP'; error: SubscriptionEndedError };

/** Codes of GraphQL errors after which the same request may succeed. */
const transientErrorCodes = new Set([
  'FEED_UNAVAILABLE',
  'FEED_CLOSED',
  'SERVICE_UNAVAILABLE',
  'IDENTITY_UNAVAILABLE',
  'TOOK_TOO_LONG',
  'TOO_MANY_OPERATIONS',
  'TOO_MANY_CONNECTIONS',
  'INTERNAL_SERVER_ERROR',
]);

/** Close codes with which graphql-transport-ws reports that one side violated the protocol. */
const protocolErrorCloseCodes = new Set([4004, 4005, 4400, 4406, 4409]);

/** Close codes from 1001 to 1999 that report a lost connection or a server problem, not a violated protocol. */
const transientCloseCodes = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014]);

/**
 * Decides whether to reconnect after a stream has ended.
 * @param ended an array of GraphQL errors, the WebSocket's close event, whatever else was thrown, or null if the
 *   gateway completed the stream
 * @param wasAccepted whether the gateway had accepted the token on this connection
 */
export function decideReconnect(ended: unknown, wasAccepted: boolean): ReconnectDecision {
  if (ended === null) return retry('the gateway completed the stream');
  if (Array.isArray(ended)) return decideOnErrors(ended);
  if (ended instanceof RequestFailedError && ended.status !== null && ended.status < 500) {
    return giveUp(ended.code, `The token source failed: ${ended.message}`);
  }
  if (!isCloseEvent(ended)) return retry(`the connection failed${detailOf(ended)}`);
  const { code, reason } = ended;
  const closed = `the gateway closed the connection: ${code}${reason === '' ? '' : ` ${reason}`}`;
  if (code === 4401 || code === 4403) {
    // The gateway refuses a token that it has accepted before only when it has expired.
    return wasAccepted
      ? { kind: 'NEW_TOKEN', reason: closed }
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
  if (code === 'UNAUTHENTICATED') return { kind: 'NEW_TOKEN', reason: message };
  return giveUp(code, message);
}

/** Reads the message and the code of an error: GraphQL errors have the code in `extensions`, others beside it. */
export function readError(error: unknown): { message: string; code: string } {
  const fields = isRecord(error) ? error : {};
  const extensions = isRecord(fields['extensions']) ? fields['extensions'] : fields;
  const { message } = fields;
  const { code } = extensions;
  return {
    message: typeof message === 'string' ? message : 'The gateway gave no reason.',
    code: typeof code === 'string' ? code : 'UNKNOWN',
  };
}

function isWebSocketProtocolError(code: number): boolean {
  return code > 1000 && code < 2000 && !transientCloseCodes.has(code);
}

function isCloseEvent(value: unknown): value is { code: number; reason: string } {
  return isRecord(value) && typeof value['code'] === 'number' && typeof value['reason'] === 'string';
}

function detailOf(thrown: unknown): string {
  const message = isRecord(thrown) ? thrown['message'] : undefined;
  return typeof message === 'string' && message !== '' ? `: ${message}` : '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function retry(reason: string): ReconnectDecision {
  return { kind: 'RETRY', reason };
}

function giveUp(code: string, message: string): ReconnectDecision {
  return { kind: 'GIVE_UP', error: new SubscriptionEndedError(code, message) };
}
