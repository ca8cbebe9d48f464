import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from './log.ts';
import { goingAway, RequestRefusedError, retryAfterSeconds, sendError } from './request-body.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/**
 * Answers one request. Throwing {@link RequestRefusedError} answers with its status and message; throwing
 * anything else answers 500 and logs it.
 */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export type Route = {
  /** The whole path, or the start of one when it ends in a slash and more. */
  path: string | RegExp;
  methods: Partial<Record<Method, Handler>>;
  /** Asked also while the gateway goes away, when all else is refused with 503. */
  whileDraining?: true;
};

/** The request's path without its query, as sent. Null for a target that is not a path, `*` for example. */
export function pathOf(request: IncomingMessage): string | null {
  const target = request.url ?? '';
  return target.startsWith('/') ? (target.split('?', 1)[0] ?? null) : null;
}

/**
 * Sends each request to the first route with its path: 404 when there is none, 405 with `Allow` when it has
 * another method. Where GET is answered, so is HEAD.
 */
export function createRouter(routes: readonly Route[], isDraining: () => boolean, log: Log) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('x-content-type-options', 'nosniff');
    if (isDraining()) response.setHeader('connection', 'close');
    try {
      const path = pathOf(request);
      const route = routes.find((candidate) => path !== null && matches(candidate.path, path));
      if (route === undefined) {
        throw new RequestRefusedError(404, 'NOT_FOUND', 'There is nothing here. The API is at /graphql.');
      }
      if (isDraining() && route.whileDraining !== true) {
        response.setHeader('retry-after', retryAfterSeconds);
        throw goingAway();
      }
      const method = request.method === 'HEAD' ? 'GET' : request.method;
      const handle = route.methods[method as Method];
      if (handle === undefined) {
        const allowed = Object.keys(route.methods).join(', ');
        response.setHeader('allow', allowed);
        throw new RequestRefusedError(405, 'METHOD_NOT_ALLOWED', `Use ${allowed} here.`);
      }
      await handle(request, response);
    } catch (error) {
      answerFailure(request, response, error, log);
    }
  };
}

function matches(pattern: string | RegExp, path: string): boolean {
  return typeof pattern === 'string' ? pattern === path : pattern.test(path);
}

function answerFailure(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  const refusal = error instanceof RequestRefusedError ? error : unexpected(error, log);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A body that was not read to its end would be taken for the next request on this connection.
  if (!request.complete) response.setHeader('connection', 'close');
  sendError(response, refusal);
}

function unexpected(error: unknown, log: Log): RequestRefusedError {
  const errorId = randomUUID();
  log.error({ errorId, err: error }, 'A request failed unexpectedly');
  return new RequestRefusedError(
    500,
    'INTERNAL_SERVER_ERROR',
    `Something went wrong on our side. Quote ${errorId} when you report it.`,
    { errorId },
  );
}
