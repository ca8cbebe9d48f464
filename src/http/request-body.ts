import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** A request refused for a reason its sender can act on. */
export class RequestRefusedError extends Error {
  override readonly name = 'RequestRefusedError';
  readonly status: number;
  readonly code: string;
  /** Further facts for the answer's body. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** What everybody is told who asks for something new while the gateway goes away. */
export function goingAway(): RequestRefusedError {
  return new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', goingAwayMessage);
}

export const goingAwayMessage = 'This gateway is going away: connect again, to another, and repeat this.';

/** Seconds after which to try again: by then a proxy has noticed, or the next gateway has started. */
export const retryAfterSeconds = '1';

/** Answers with JSON that no cache keeps. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...headers,
  });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Answers `{"error": {"code", "message", …}}`, the shape of every error outside GraphQL. */
export function sendError(response: ServerResponse, error: RequestRefusedError): void {
  sendJson(response, error.status, {
    error: { code: error.code, message: error.message, ...error.details },
  });
}

/**
 * The JSON value of a request's body.
 *
 * Rejects with {@link RequestRefusedError}: 415 unless the content type is application/json, 413 above
 * `maxBytes`, 400 when it is not JSON in UTF-8 or the client went away.
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

/** Whoever sends a form or plain text, as a web page may to any site, is refused with 415. */
export function requireJson(request: IncomingMessage): void {
  const mediaType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new RequestRefusedError(
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'Send JSON, with the header "content-type: application/json".',
  );
}

/** Refuses with 413 a body that is announced to be larger. One of unknown size must be counted as it is read. */
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
