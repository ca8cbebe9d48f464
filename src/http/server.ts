import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Authenticate } from './authentication.ts';
import { createConnectionCounter } from './connection-counter.ts';
import { type DevelopmentTokens, developmentTokenRoute } from './development-tokens.ts';
import { type DrainingClient, drainClients, whenClosed } from './drain.ts';
import { type CreateContext, createEngine, type Subscribe } from './engine.ts';
import type { ErrorPolicy } from './errors.ts';
import { graphiqlPage, graphiqlRoutes, type PreparedTab } from './graphiql.ts';
import { graphqlRoute } from './graphql-route.ts';
import { healthRoutes, type ReadinessCheck } from './health.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Log } from './log.ts';
import { createOriginPolicy } from './origins.ts';
import { retryAfterSeconds, sendJson } from './request-body.ts';
import { createRouter, pathOf, type Route } from './routes.ts';
import { createSlowConsumerWatch, type SocketOwner } from './slow-consumers.ts';
import { createTokenExpiry } from './token-expiry.ts';
import { createWebSocketTransport } from './websocket.ts';

export type HttpServerOptions = {
  host: string;
  /** 0 takes any free port. */
  port: number;
  schema: GraphQLSchema;
  authenticate: Authenticate;
  createContext: CreateContext;
  /** Left out: that of graphql. */
  subscribe?: Subscribe;
  log: Log;
  /** Which errors' messages callers may read, and which mean that we are cut off from something. */
  errors?: ErrorPolicy;
  readiness?: readonly ReadinessCheck[];
  /** Origins of web pages, beside our own, that may use the gateway: `https://admin.customer.example`. */
  allowedOrigins?: readonly string[];
  /** Served before ours, for what stands beside GraphQL. */
  routes?: readonly Route[];
  /** For development only: whoever can reach the gateway can be anyone. */
  developmentTokens?: DevelopmentTokens;
  /** Serves GraphiQL to browsers at /graphql, with a tab for each. */
  graphiql?: { tabs: readonly PreparedTab[] };
  limits?: Partial<Limits>;
};

export type HttpServer = {
  /** Where the gateway listens, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  /**
   * Goes away. Readiness turns off and whatever is new is refused; requests under way finish; WebSockets are
   * closed with 1001 and event streams cut, spread over a few seconds, so that their clients reconnect
   * elsewhere. Resolves within `shutdownMs`, whatever the clients do.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Rejects when the address cannot be listened on, with Node's error (`EADDRINUSE`, `EACCES` …). */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, authenticate } = options;
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const connections = createConnectionCounter(limits.connectionsPerBearer);
  const origins = createOriginPolicy(options.allowedOrigins ?? []);
  const expiries = createTokenExpiry();
  let draining = false;
  const isDraining = () => draining;
  const { engine, maskError } = createEngine({
    schema: options.schema,
    createContext: options.createContext,
    ...(options.subscribe === undefined ? {} : { subscribe: options.subscribe }),
    errors: options.errors ?? {},
    limits,
    connections,
    expiries,
    isDraining,
    log,
  });
  const unread = createSlowConsumerWatch(limits.slowConsumerMs);
  const webSockets = createWebSocketTransport({
    engine,
    maskError,
    authenticate,
    connections,
    expiries,
    unread,
    limits,
    log,
  });

  const router = createRouter(
    [
      ...(options.routes ?? []),
      graphqlRoute({
        engine,
        authenticate,
        origins,
        limits,
        log,
        isDraining,
        ...(options.graphiql === undefined ? {} : { page: graphiqlPage(options.graphiql.tabs) }),
      }),
      ...healthRoutes({ checks: options.readiness ?? [], isDraining, limits, log }),
      ...(options.developmentTokens === undefined ? [] : [developmentTokenRoute(options.developmentTokens)]),
      ...(options.graphiql === undefined ? [] : graphiqlRoutes()),
      homeRoute(options.graphiql !== undefined),
    ],
    isDraining,
    log,
  );

  const responses = new Set<ServerResponse>();
  const server = createServer(
    {
      headersTimeout: limits.requestHeadersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(limits.requestHeadersMs, 1_000),
    },
    (request, response) => {
      responses.add(response);
      response.once('close', () => {
        responses.delete(response);
        if (draining) server.closeIdleConnections();
      });
      void router(request, response);
    },
  );

  const owner: SocketOwner = {
    onSlowConsumer(socket) {
      log.warn({}, 'A connection was cut because its client does not read');
      socket.destroy();
    },
  };
  server.on('connection', (socket) => unread.watch(socket, owner));

  server.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => log.debug({ err: error }, 'A connection failed'));
    if (draining) return refuseUpgrade(socket, 503);
    if (!/^\/graphql\/?$/.test(pathOf(request) ?? '')) return refuseUpgrade(socket, 404);
    if (!origins.allows(request)) return refuseUpgrade(socket, 403);
    webSockets.upgrade(request, socket, head);
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error({ err: error }, 'The HTTP server failed'));

  async function shutDown(): Promise<void> {
    draining = true;
    const cut = setTimeout(() => {
      webSockets.terminateAll();
      server.closeAllConnections();
    }, limits.shutdownMs);
    const streams = [...responses].filter(isEventStream);
    await drainClients([...webSockets.leave(), ...streams.map(leaveStream)], limits);
    // Until here, whoever came learnt that another gateway is to be asked.
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // What had begun as a request in the meantime.
    for (const response of responses) if (isEventStream(response)) response.destroy();
    await closed;
    clearTimeout(cut);
    unread.dispose();
    webSockets.dispose();
    expiries.dispose();
    await engine.dispose();
  }

  let disposal: Promise<void> | undefined;
  const dispose = () => {
    disposal ??= shutDown();
    return disposal;
  };
  return { url: urlOf(server.address() as AddressInfo), dispose, [Symbol.asyncDispose]: dispose };
}

function homeRoute(hasPage: boolean): Route {
  return {
    path: '/',
    methods: {
      GET(_request, response) {
        if (hasPage) response.writeHead(302, { location: '/graphql' }).end();
        else sendJson(response, 200, { name: 'Latchkey', graphql: '/graphql', ready: '/readyz' });
      },
    },
  };
}

/** Cut short rather than completed: a client whose stream completes does not come back. */
function leaveStream(response: ServerResponse): DrainingClient {
  return { leave: () => response.destroy(), gone: whenClosed(response) };
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}

function refuseUpgrade(socket: Duplex, status: 403 | 404 | 503): void {
  const retryAfter = status === 503 ? `Retry-After: ${retryAfterSeconds}\r\n` : '';
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retryAfter}Connection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(head, () => socket.destroy());
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
