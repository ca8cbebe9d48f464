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

/** Bytes of a body that are read and dropped so that the connection can be used again. */
const droppedBytes = 64 * 1024;

/**
 * Closes the connection after the response if much of the request's body, or nobody knows how much, is still to come. Node
 * drops a small rest.
 */
export function closeAfterUnreadBody(request: IncomingMessage, response: ServerResponse): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const isSmall = encoding === undefined && Number(length ?? 0) <= droppedBytes;
  if (!request.complete && !isSmall) response.setHeader('connection', 'close');
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
