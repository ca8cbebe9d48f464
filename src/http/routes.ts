import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorPolicy } from './errors.ts';
import type { Log } from './log.ts';
import {
  databaseUnavailableMessage,
  drainingError,
  internalError,
  RequestRefusedError,
} from './request-refused.ts';
import { closeAfterUnreadBody, retryAfterSeconds, sendError } from './responses.ts';
import type { SourceOf } from './source-of.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/**
 * Answers one request. If it throws a {@link RequestRefusedError}, the router sends that error's status and message;
 * for anything else it logs the error and sends 503 if a dependency is unavailable, or 500.
 */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export type Route = {
  /** The exact path, or a pattern for it. */
  path: string | RegExp;
  methods: Partial<Record<Method, Handler>>;
  /** Handles requests also while the gateway drains; all other routes then answer 503. */
  whileDraining?: true;
  /** Sends what the router refuses on this path, in the shape of the path's protocol. Default: as JSON. */
  sendRefusal?: (request: IncomingMessage, response: ServerResponse, refusal: RequestRefusedError) => void;
};

/** The path of the request's target, without its query and not decoded. Null if the target is no path (`*`). */
export function pathOf(request: IncomingMessage): string | null {
  const target = request.url ?? '';
  return target.startsWith('/') ? (target.split('?', 1)[0] ?? null) : null;
}

/**
 * Passes each request to the first route with its path. Answers 404 if there is none, and 405 with `Allow` if the
 * route lacks the method. A route with GET also gets HEAD.
 */
export function createRouter(
  routes: readonly Route[],
  {
    isDraining,
    errors,
    log,
    sourceOf,
    onRefused,
  }: {
    isDraining: () => boolean;
    errors: ErrorPolicy;
    log: Log;
    sourceOf: SourceOf;
    /** Called with the code of each refusal, except those that a route sends by itself. */
    onRefused?: (code: string) => void;
  },
) {
  function refusalFor(
    error: unknown,
    request: IncomingMessage,
    response: ServerResponse,
  ): RequestRefusedError {
    if (error instanceof RequestRefusedError) return error;
    if (errors.isUnavailable?.(error) !== true)
      return internalError(error, sourceOf(request), log, 'A request failed unexpectedly');
    log.warn({ ...sourceOf(request), err: error }, 'A request failed because a dependency is unavailable');
    if (!response.headersSent) response.setHeader('retry-after', retryAfterSeconds.databaseUnavailable);
    return new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', databaseUnavailableMessage);
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('x-content-type-options', 'nosniff');
    if (isDraining()) response.setHeader('connection', 'close');
    const path = pathOf(request);
    const route = routes.find((candidate) => path !== null && matches(candidate.path, path));
    try {
      if (route === undefined) {
        throw new RequestRefusedError(404, 'NOT_FOUND', 'There is nothing here. The API is at /graphql.');
      }
      if (isDraining() && route.whileDraining !== true) {
        response.setHeader('retry-after', retryAfterSeconds.draining);
        throw drainingError();
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
      const refusal = refusalFor(error, request, response);
      onRefused?.(refusal.code);
      if (response.headersSent) return void response.destroy();
      closeAfterUnreadBody(request, response);
      if (route?.sendRefusal === undefined) sendError(response, refusal);
      else route.sendRefusal(request, response, refusal);
    }
  };
}

function matches(pattern: string | RegExp, path: string): boolean {
  return typeof pattern === 'string' ? pattern === path : pattern.test(path);
}
