import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Authenticate } from './authentication.ts';
import { createConnectionCounter } from './connections.ts';
import { type DevelopmentTokens, developmentTokenRoute } from './development-tokens.ts';
import type { ErrorPolicy } from './errors.ts';
import { graphiqlPage, graphiqlRoutes, type PreparedTab } from './graphiql.ts';
import { type CreateContext, createEngine } from './graphql.ts';
import { graphqlRoute } from './graphql-route.ts';
import { healthRoutes, type ReadinessCheck } from './health.ts';
import { sendJson } from './json.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Log } from './log.ts';
import { createOriginPolicy } from './origins.ts';
import { createRouter, pathOf, type Route } from './routes.ts';
import { createWebSocketTransport } from './websocket.ts';

export type HttpServerOptions = {
  host: string;
  /** 0 takes any free port. */
  port: number;
  schema: GraphQLSchema;
  authenticate: Authenticate;
  createContext: CreateContext;
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
   * Stops accepting, lets requests under way finish, ends streams so that their clients reconnect elsewhere
   * (WebSockets with 1001). Resolves within five seconds, whatever the clients do.
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
  const { engine, maskError } = createEngine({
    schema: options.schema,
    createContext: options.createContext,
    errors: options.errors ?? {},
    limits,
    connections,
    log,
  });
  const webSockets = createWebSocketTransport({ engine, maskError, authenticate, connections, limits, log });
  let draining = false;

  const router = createRouter(
    [
      ...(options.routes ?? []),
      graphqlRoute({
        engine,
        authenticate,
        origins,
        limits,
        log,
        ...(options.graphiql === undefined ? {} : { page: graphiqlPage(options.graphiql.tabs) }),
      }),
      ...healthRoutes({ checks: options.readiness ?? [], isDraining: () => draining, limits, log }),
      ...(options.developmentTokens === undefined ? [] : [developmentTokenRoute(options.developmentTokens)]),
      ...(options.graphiql === undefined ? [] : graphiqlRoutes()),
      homeRoute(options.graphiql !== undefined),
    ],
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
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    webSockets.closeAll();
    // Cut short rather than completed: a client whose stream completes does not come back.
    for (const response of responses) if (isEventStream(response)) response.destroy();
    const cut = setTimeout(() => {
      webSockets.terminateAll();
      server.closeAllConnections();
    }, limits.shutdownMs);
    await closed;
    clearTimeout(cut);
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

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}

function refuseUpgrade(socket: Duplex, status: 403 | 404 | 503): void {
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(head, () => socket.destroy());
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
