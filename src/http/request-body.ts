import type { IncomingMessage } from 'node:http';
import { badRequest, RequestRefusedError } from './request-refused.ts';

/**
 * Reads a request's body and returns its JSON value.
 *
 * @throws RequestRefusedError 415 unless the content type is application/json in UTF-8, 413 for more than `maxBytes`,
 *   400 for a body that is not JSON in UTF-8 or that the client did not finish sending.
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  requireJson(request);
  return parseJson(await readText(request, maxBytes));
}

/** @throws RequestRefusedError 400 */
export function parseJson(text: string): unknown {
  return refuseUnless('The body is not JSON. Check its quotes and commas.', JSON.parse, text);
}

/** @throws RequestRefusedError 413 for more than `maxBytes`, 400 for a body that is not UTF-8 or did not end */
export async function readText(request: IncomingMessage, maxBytes: number): Promise<string> {
  requireBodyWithin(request, maxBytes);
  return textOf(await readBytes(request, maxBytes));
}

/** @throws RequestRefusedError 400 for a body that is not UTF-8 */
export function textOf(body: Buffer): string {
  return refuseUnless('The body is not UTF-8. Send JSON in UTF-8.', decodeUtf8, body);
}

/** Reads a body. @throws RequestRefusedError 413 for more than `maxBytes`, 400 if the client did not finish sending. */
export async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw bodyTooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RequestRefusedError) throw error;
    throw badRequest('The body was not sent to its end.', error);
  }
  return Buffer.concat(chunks);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Buffer): string {
  return utf8.decode(bytes);
}

/** @throws RequestRefusedError 400 with the message if the function throws. */
function refuseUnless<From, To>(message: string, read: (value: From) => To, value: From): To {
  try {
    return read(value);
  } catch (error) {
    throw badRequest(message, error);
  }
}

/** Throws a 400 for a query string that is not UTF-8. A decoder that replaces what it cannot read would alter it. */
export function requireUtf8Query(request: IncomingMessage): void {
  const query = request.url?.split('?', 2)[1] ?? '';
  refuseUnless('The query string is not UTF-8 with percent-encoding.', decodeURIComponent, query);
}

/**
 * Throws a 415, or the status given, unless the content type is application/json in UTF-8. Browsers let any page send
 * forms and plain text to any site without a preflight request, so those are never read.
 */
export function requireJson(request: IncomingMessage, status: 400 | 415 = 415): void {
  const [mediaType, ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (mediaType === 'application/json' && /^charset="?utf-?8"?$/.test(charset ?? 'charset=utf-8')) return;
  throw new RequestRefusedError(
    status,
    'UNSUPPORTED_MEDIA_TYPE',
    'Send JSON in UTF-8, with the header "content-type: application/json".',
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
