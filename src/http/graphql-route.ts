import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Authenticate, describeRefusal, openSession, type Session } from './authentication.ts';
import type { Engine } from './engine.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { RunningOperation } from './operation.ts';
import type { OriginPolicy } from './origins.ts';
import {
  goingAway,
  RequestRefusedError,
  requireBodyWithin,
  requireJson,
  retryAfterSeconds,
} from './request-body.ts';
import type { Handler, Route } from './routes.ts';

export type GraphQLRouteOptions = {
  engine: Engine;
  authenticate: Authenticate;
  origins: OriginPolicy;
  limits: Limits;
  log: Log;
  isDraining: () => boolean;
  /** Answers browsers that open the endpoint as a page. */
  page?: Handler;
};

/** `/graphql` over HTTP: queries by GET, everything by POST, subscriptions as server-sent events by both. */
export function graphqlRoute(options: GraphQLRouteOptions): Route {
  const { engine, authenticate, origins, limits, log, isDraining, page } = options;

  const handle: Handler = async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    const session = await openSessionOrAnswer(request, response);
    // Who has gone meanwhile would never be heard to go.
    if (session === null || response.destroyed) return;

    const operation = new RunningOperation('HTTP', session);
    operation.signal.addEventListener('abort', () => {
      if (operation.ended === 'TOKEN_EXPIRED') cutUnlessFinished(response, limits.streamEndMs);
    });
    response.once('close', () => operation.end('CLIENT_GONE'));
    await engine(request, response, { operation });
  };

  async function openSessionOrAnswer(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Session | null> {
    try {
      return await openSession(request.headers.authorization, authenticate);
    } catch (error) {
      const refusal = describeRefusal(error);
      if (refusal === null) throw error;
      if (refusal.status === 503) log.warn({ err: error }, 'A token could not be judged');
      const headers =
        refusal.status === 401
          ? { 'www-authenticate': 'Bearer error="invalid_token"' }
          : { 'retry-after': '5' };
      sendGraphQLError(request, response, refusal.status, refusal, headers);
      return null;
    }
  }

  /** Clients of this path understand errors in the shape GraphQL has for them. */
  const inGraphQLShape =
    (handler: Handler): Handler =>
    async (request, response) => {
      try {
        origins.apply(request, response);
        if (isDraining()) {
          response.setHeader('retry-after', retryAfterSeconds);
          throw goingAway();
        }
        await handler(request, response);
      } catch (error) {
        if (response.headersSent) throw error;
        if (error instanceof RequestRefusedError) {
          sendGraphQLError(request, response, error.status, error);
          return;
        }
        const errorId = randomUUID();
        log.error({ errorId, err: error }, 'A GraphQL request failed unexpectedly');
        sendGraphQLError(request, response, 500, {
          code: 'INTERNAL_SERVER_ERROR',
          message: `Something went wrong on our side. Quote ${errorId} when you report it.`,
          errorId,
        });
      }
    };

  return {
    path: /^\/graphql\/?$/,
    // It refuses by itself, in the shape its clients understand.
    whileDraining: true,
    methods: {
      GET: inGraphQLShape((request, response) => {
        if (page !== undefined && wantsPage(request)) return page(request, response);
        if (request.method === 'HEAD') {
          throw new RequestRefusedError(405, 'METHOD_NOT_ALLOWED', 'Use GET or POST here.');
        }
        return handle(request, response);
      }),
      POST: inGraphQLShape((request, response) => {
        requireJson(request);
        requireBodyWithin(request, limits.requestBytes);
        return handle(request, response);
      }),
      OPTIONS: inGraphQLShape((_request, response) => {
        response.writeHead(204, { allow: 'GET, POST, OPTIONS' }).end();
      }),
    },
  };
}

function wantsPage(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('text/html') === true;
}

function sendGraphQLError(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  { code, message, errorId }: { code: string; message: string; errorId?: string },
  headers: Record<string, string> = {},
): void {
  const modern = request.headers.accept?.includes('application/graphql-response+json') === true;
  // A body that was not read to its end would be taken for the next request on this connection.
  if (!request.complete) response.setHeader('connection', 'close');
  response.writeHead(status, {
    'content-type': `application/${modern ? 'graphql-response+json' : 'json'}; charset=utf-8`,
    ...headers,
  });
  const extensions = errorId === undefined ? { code } : { code, errorId };
  response.end(JSON.stringify({ errors: [{ message, extensions }] }));
}

function cutUnlessFinished(response: ServerResponse, afterMs: number): void {
  const timer = setTimeout(() => response.destroy(), afterMs);
  response.once('close', () => clearTimeout(timer));
}
