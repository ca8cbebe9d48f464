/** What every response of the protocol has in common: the identification of the request, and errors as plain text. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseJson, readText, requireJson } from '../request-body.ts';
import { badRequest, type RequestRefusedError } from '../request-refused.ts';
import { retryAfterSeconds } from '../responses.ts';
import { findAmbiguity } from './unambiguous-json.ts';

/** A request with another identification is refused: it cannot be returned as it is. */
const safeRequestId = /^[\x20-\x7e]{0,200}$/;

/** Levels of arrays and objects in one body. */
const maxDepth = 20;

/**
 * Returns the identification of the request in the response. It identifies nothing else: a request that is sent again
 * is evaluated again.
 *
 * @throws RequestRefusedError 400
 */
export function takeRequestId(request: IncomingMessage, response: ServerResponse): void {
  if (!echoRequestId(request, response))
    throw badRequest('X-Request-ID must have at most 200 characters of visible ASCII.');
}

function echoRequestId({ headers }: IncomingMessage, response: ServerResponse): boolean {
  const id = headers['x-request-id'];
  if (id === undefined) return true;
  const isSafe = typeof id === 'string' && safeRequestId.test(id);
  if (isSafe) response.setHeader('x-request-id', id);
  return isSafe;
}

/** Sends the message as the whole body, which the specification prescribes. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { status, message }: RequestRefusedError,
): void {
  echoRequestId(request, response);
  if (status === 503 && !response.hasHeader('retry-after'))
    response.setHeader('retry-after', retryAfterSeconds.databaseUnavailable);
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(message);
}

/**
 * Reads the text of the body.
 *
 * @throws RequestRefusedError 400 for another content type than JSON, 413 for more than `maxBytes`
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  requireJson(request, 400);
  return await readText(request, maxBytes);
}

/** @throws RequestRefusedError 400 unless the text is JSON that everybody reads alike */
export function parseBody(text: string): unknown {
  const body = parseJson(text);
  const ambiguity = findAmbiguity(text, maxDepth);
  if (ambiguity !== null) throw badRequest(ambiguity);
  return body;
}
