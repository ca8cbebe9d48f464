import type { IncomingMessage } from 'node:http';
import { RequestRefusedError } from './request-refused.ts';

/**
 * Reads a request's body and returns its JSON value.
 *
 * @throws RequestRefusedError 415 unless the content type is application/json, 413 for more than `maxBytes`, 400
 *   for a body that is not JSON in UTF-8 or that the client did not finish sending.
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  requireJson(request);
  requireBodyWithin(request, maxBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      chunks.push(chunk);
    }
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    if (error instanceof RequestRefusedError) throw error;
    throw new RequestRefusedError(
      400,
      'BAD_REQUEST',
      'The body is not JSON. Check its quotes and commas.',
      {},
      { cause: error },
    );
  }
}

/**
 * Throws a 415 unless the content type is application/json. Browsers let any page send forms and plain text to any
 * site without a preflight request, so those are never read.
 */
export function requireJson(request: IncomingMessage): void {
  const mediaType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new RequestRefusedError(
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'Send JSON, with the header "content-type: application/json".',
  );
}

/** Throws a 413 for a `Content-Length` above `maxBytes`. A body without one must be counted while it is read. */
export function requireBodyWithin(request: IncomingMessage, maxBytes: number): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
}

function bodyTooLarge(maxBytes: number): RequestRefusedError {
  return new RequestRefusedError(
    413,
    'REQUEST_TOO_LARGE',
    `The body is larger than ${maxBytes} bytes. Send less at once.`,
  );
}
