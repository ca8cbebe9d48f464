import { RequestFailedError, SubscriptionEndedError } from './errors.ts';

/** What to do after a subscription's connection was lost or its stream failed. */
export type ReconnectDecision =
  | { kind: 'RETRY'; reason: string }
  /** The token ran out: with another one it goes on. */
  | { kind: 'NEW_TOKEN'; reason: string }
  | { kind: 'GIVE_UP'; error: SubscriptionEndedError };

/** Codes of the gateway's errors after which the same request may well succeed. */
const passing = new Set([
  'FEED_UNAVAILABLE',
  'FEED_CLOSED',
  'SERVICE_UNAVAILABLE',
  'IDENTITY_UNAVAILABLE',
  'TOOK_TOO_LONG',
  'TOO_MANY_OPERATIONS',
  'TOO_MANY_CONNECTIONS',
  'INTERNAL_SERVER_ERROR',
]);

/** Close codes of the graphql-transport-ws protocol that say the two sides do not understand each other. */
const misunderstandings = new Set([4004, 4005, 4400, 4406, 4409]);

/**
 * Judges an ended stream: an array of GraphQL errors, a close event of the WebSocket, or anything thrown by
 * it. Null is a stream that the gateway completed.
 * @param wasAccepted whether the gateway had accepted the token on this connection
 */
export function judge(ended: unknown, wasAccepted: boolean): ReconnectDecision {
  if (ended === null) return retry('the gateway completed the stream');
  if (Array.isArray(ended)) return decideOnErrors(ended);
  if (ended instanceof RequestFailedError && ended.status !== null && ended.status < 500) {
    return giveUp(ended.code, `There is no token: ${ended.message}`);
  }
  if (!isCloseEvent(ended)) return retry(`the connection failed${detailOf(ended)}`);
  const { code, reason } = ended;
  const closed = `the gateway closed the connection: ${code}${reason === '' ? '' : ` ${reason}`}`;
  if (code === 4401 || code === 4403) {
    // Once accepted, a token is only ever refused because it ran out.
    return wasAccepted
      ? { kind: 'NEW_TOKEN', reason: closed }
      : giveUp('UNAUTHENTICATED', `The gateway does not accept the token: ${reason || code}`);
  }
  if (misunderstandings.has(code) || isBrokenProtocol(code)) {
    return giveUp(`CLOSED_${code}`, `The subscription cannot go on: ${closed}`);
  }
  return retry(closed);
}

function decideOnErrors(errors: readonly unknown[]): ReconnectDecision {
  const [first] = errors;
  const { message, code } = readError(first);
  if (passing.has(code)) return retry(`${code}: ${message}`);
  if (code === 'UNAUTHENTICATED') return { kind: 'NEW_TOKEN', reason: message };
  return giveUp(code, message);
}

/** The message of an error as the gateway sends it, and its code: among the extensions, outside GraphQL beside. */
export function readError(error: unknown): { message: string; code: string } {
  const told = isRecord(error) ? error : {};
  const extensions = isRecord(told['extensions']) ? told['extensions'] : told;
  const { message } = told;
  const { code } = extensions;
  return {
    message: typeof message === 'string' ? message : 'The gateway gave no reason.',
    code: typeof code === 'string' ? code : 'UNKNOWN',
  };
}

/** 1000 to 1014 say how a connection went; the rest below 2000 that it was not spoken properly. */
function isBrokenProtocol(code: number): boolean {
  return code > 1000 && code < 2000 && ![1001, 1005, 1006, 1011, 1012, 1013, 1014].includes(code);
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
