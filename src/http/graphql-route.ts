import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Admission, Asked } from './admission/admission.ts';
import { admit } from './admission/admit.ts';
import { refuseAfterPause } from './admission/refuse-after-pause.ts';
import type { WhileArriving } from './arriving-bodies.ts';
import {
  type Authenticate,
  bearerKey,
  challengeFor,
  describeRefusal,
  openSession,
  type Session,
} from './authentication.ts';
import type { Engine } from './engine/engine.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { servedRanges } from './media-types.ts';
import type { OriginPolicy } from './origins.ts';
import { readJson, requireBodyWithin, requireJson, requireUtf8Query } from './request-body.ts';
import { drainingError, internalError, RequestRefusedError } from './request-refused.ts';
import { closeAfterUnreadBody, retryAfterSeconds } from './responses.ts';
import type { Handler, Route } from './routes.ts';
import { RunningOperation } from './running-operation.ts';
import type { SourceOf } from './source-of.ts';

export type GraphQLRouteOptions = {
  engine: Engine;
  authenticate: Authenticate;
  origins: OriginPolicy;
  limits: Limits;
  log: Log;
  sourceOf: SourceOf;
  whileArriving: WhileArriving;
  isDraining: () => boolean;
  /** Called with the code of each request that is refused before it is an operation. */
  onRefused?: (code: string) => void;
  admission: Admission;
  /** Answers browsers that open the endpoint as a page. */
  page?: Handler;
};

/**
 * `/graphql` over HTTP: queries by GET, every operation by POST, subscriptions as server-sent events by both. Without a
 * good token a request is refused before its body is read.
 */
export function graphqlRoute(options: GraphQLRouteOptions): Route {
  const { engine, authenticate, origins, limits, log, sourceOf, isDraining, onRefused, page } = options;

  const handle: Handler = async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    acceptOnlyServed(request);
    const session = await openSessionOrRefuse(request, response);
    if (session === null) return;
    // The engine takes a body that was read from this property, as web frameworks leave it.
    if (request.method === 'POST') {
      const body = await readParameters(request, response, bearerKey(session.claims));
      Object.assign(request, { body });
    }
    // A client that left meanwhile has had its `close` event: nothing would end the operation.
    if (response.destroyed) return;

    const operation = new RunningOperation('HTTP', session, sourceOf(request));
    operation.signal.addEventListener('abort', () => {
      if (operation.ended === 'TOKEN_EXPIRED') destroyUnlessFinished(response, limits.streamEndMs);
    });
    response.once('close', () => operation.end('CLIENT_GONE'));
    const refused = await admit(options.admission, operation, askedBy(request));
    if (refused !== null) {
      Object.assign(request, { body: undefined });
      await refuseAfterPause(response, refused, limits.refusalPauseMs);
    }
    await engine(request, response, { operation });
  };

  async function readParameters(
    request: IncomingMessage,
    response: ServerResponse,
    bearer: string,
  ): Promise<object> {
    const body = await options.whileArriving(bearer, response, () => readJson(request, limits.requestBytes));
    const isParameters = typeof body === 'object' && body !== null && !Array.isArray(body);
    if (isParameters && Object.keys(body).length > 0) return body;
    throw new RequestRefusedError(400, 'BAD_REQUEST', 'Send an object with a query: {"query": "…"}.');
  }

  /** Returns null after it has sent a refusal. */
  async function openSessionOrRefuse(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<Session | null> {
    try {
      return await openSession(request.headers.authorization, authenticate);
    } catch (error) {
      const refusal = describeRefusal(error);
      if (refusal === null) throw error;
      if (refusal.status === 503)
        log.warn({ ...sourceOf(request), err: error }, 'A token could not be verified');
      const headers =
        refusal.status === 401
          ? { 'www-authenticate': challengeFor(error) }
          : { 'retry-after': retryAfterSeconds.identityUnavailable };
      onRefused?.(refusal.code);
      sendGraphQLError(request, response, refusal, headers);
      return null;
    }
  }

  /** Sends the handler's errors in the shape of a GraphQL response, which clients of this path understand. */
  const inGraphQLShape =
    (handler: Handler): Handler =>
    async (request, response) => {
      try {
        origins.apply(request, response);
        if (isDraining()) {
          response.setHeader('retry-after', retryAfterSeconds.draining);
          throw drainingError();
        }
        await handler(request, response);
      } catch (error) {
        if (response.headersSent) throw error;
        const refusal =
          error instanceof RequestRefusedError
            ? error
            : internalError(error, sourceOf(request), log, 'A GraphQL request failed unexpectedly');
        onRefused?.(refusal.code);
        sendGraphQLError(request, response, refusal);
      }
    };

  return {
    path: /^\/graphql\/?$/,
    // While draining it refuses by itself, in the shape of a GraphQL response.
    whileDraining: true,
    methods: {
      GET: inGraphQLShape((request, response) => {
        if (page !== undefined && wantsPage(request)) return page(request, response);
        if (request.method === 'HEAD') {
          throw new RequestRefusedError(405, 'METHOD_NOT_ALLOWED', 'Use GET or POST here.');
        }
        requireUtf8Query(request);
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

/** What the client sent, as far as it is a query: by GET there is nothing that ends access. */
function askedBy(request: IncomingMessage & { body?: object }): Asked {
  const { query, operationName }: Record<string, unknown> = { ...request.body };
  return {
    query: typeof query === 'string' ? query : null,
    operationName: typeof operationName === 'string' ? operationName : null,
  };
}

/**
 * Removes from `Accept` what the gateway does not serve: the engine would serve multipart/mixed.
 * @throws RequestRefusedError 406 if nothing is left, before a mutation could take effect whose result is then withheld
 */
function acceptOnlyServed(request: IncomingMessage): void {
  const ranges = servedRanges(request.headers.accept);
  if (ranges.length === 0) {
    throw new RequestRefusedError(
      406,
      'NOT_ACCEPTABLE',
      'Send "accept: application/json", "accept: application/graphql-response+json", or for a subscription "accept: text/event-stream".',
    );
  }
  request.headers.accept = ranges.join(', ');
}

function wantsPage(request: IncomingMessage): boolean {
  return request.headers.accept?.includes('text/html') === true;
}

type RefusalToSend = {
  status: number;
  code: string;
  message: string;
  details?: Readonly<Record<string, unknown>>;
};

/** Sends an error as a GraphQL response, in the media type that the client accepts. */
function sendGraphQLError(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message, details }: RefusalToSend,
  headers: Record<string, string> = {},
): void {
  const acceptsResponseJson = request.headers.accept?.includes('application/graphql-response+json') === true;
  closeAfterUnreadBody(request, response);
  response.writeHead(status, {
    'content-type': `application/${acceptsResponseJson ? 'graphql-response+json' : 'json'}; charset=utf-8`,
    ...headers,
  });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code, ...details } }] }));
}

function destroyUnlessFinished(response: ServerResponse, afterMs: number): void {
  const timer = setTimeout(() => response.destroy(), afterMs);
  response.once('close', () => clearTimeout(timer));
}
