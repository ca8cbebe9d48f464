import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { RequestRefusedError } from './request-refused.ts';

/**
 * Values of the `Retry-After` header, in seconds. After the first, a load balancer has noticed that this gateway
 * drains, or the next one has started.
 */
export const retryAfterSeconds = {
  draining: '1',
  identityUnavailable: '5',
  databaseUnavailable: '5',
} as const;

/**
 * Closes the connection after the response if the request's body was not read to its end: the rest of it would be
 * parsed as the next request.
 */
export function closeAfterUnreadBody(request: IncomingMessage, response: ServerResponse): void {
  if (!request.complete) response.setHeader('connection', 'close');
}

/** Sends JSON that no cache may store. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(text);
}

/** Sends `{"error": {"code", "message", …}}`, the shape of an error wherever no protocol prescribes another. */
export function sendError(response: ServerResponse, error: RequestRefusedError): void {
  sendJson(response, error.status, {
    error: { code: error.code, message: error.message, ...error.details },
  });
}
