import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { GraphQLSchema } from 'graphql';
import type { Subscribe } from '../graphql/subscriptions/subscribe.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type IsTrusted, nobodyTrusted } from '../platform/client-address.ts';
import { noSource, type RequestSource } from '../platform/request-source.ts';
import { accessRoutes, type OpenDecider } from './access/routes.ts';
import { createAdmission, type RunningOperations } from './admission/admission.ts';
import type { Turn } from './admission/lane.ts';
import type { RateStore } from './admission/rate-store.ts';
import { createWhileArriving } from './arriving-bodies.ts';
import { type SealedLogs, sealedLogRoutes } from './audit-log.ts';
import { auditExportRoute } from './audit-stream/export-route.ts';
import { type AuditStreamOptions, auditStreamRoute } from './audit-stream/route.ts';
import type { Authenticate } from './authentication.ts';
import { createConnectionCounter } from './connection-counter.ts';
import { type DevelopmentTokens, developmentTokenRoute } from './development-tokens.ts';
import { type DrainingClient, drainClients, whenClosed } from './drain.ts';
import { type CreateContext, createEngine } from './engine/engine.ts';
import type { ErrorPolicy } from './errors.ts';
import { createExpiryTimer } from './expiry-timer.ts';
import { graphiqlPage, graphiqlRoutes, type PreparedTab } from './graphiql.ts';
import { graphqlRoute } from './graphql-route.ts';
import { healthRoutes, type ReadinessCheck } from './health.ts';
import { createIdleConnections } from './idle-connections.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Log } from './log.ts';
import { createOriginPolicy } from './origins.ts';
import { retryAfterSeconds, sendJson } from './responses.ts';
import { createRouter, pathOf, type Route } from './routes.ts';
import { createSlowConsumerWatch, type SlowConsumerHandler } from './slow-consumers.ts';
import { createSourceOf } from './source-of.ts';
import { type TicketWebhooks, ticketWebhookRoute } from './webhooks.ts';
import { createWebSocketTransport } from './websocket.ts';

export type HttpServerOptions = {
  host: string;
  /** 0 takes any free port. */
  port: number;
  schema: GraphQLSchema;
  authenticate: Authenticate;
  createContext: CreateContext;
  subscribe: Subscribe;
  /** By which the tokens of running streams expire. Default: the machine's. */
  clock?: () => Date;
  log: Log;
  /** Which errors clients may read, and which mean that a dependency is unavailable. */
  errors?: ErrorPolicy;
  readiness?: readonly ReadinessCheck[];
  /** Serves the decision point for product backends. */
  access?: {
    openDecider: OpenDecider;
    /** The origin by which they reach it; null: it is not known. Default: where this server listens. */
    publicUrl?: string | null;
  };
  /** Origins whose web pages may use the gateway, besides its own: `https://admin.customer.example`. */
  allowedOrigins?: readonly string[];
  /** The proxies whose `X-Forwarded-For` is believed. Default: none. */
  isTrustedProxy?: IsTrusted;
  /** Additional routes. They take precedence over the server's own. */
  routes?: readonly Route[];
  /** Takes in the events of ticketing systems. */
  ticketWebhooks?: TicketWebhooks;
  /** Streams the audit log to whoever asks for it. */
  auditStream?: AuditStreamOptions;
  /** Serves the sealed audit logs. */
  sealedLogs?: SealedLogs;
  /** For development only: everybody who can reach the gateway can act as any account. */
  developmentTokens?: DevelopmentTokens;
  /** Serves GraphiQL with these tabs to browsers at /graphql. */
  graphiql?: { tabs: () => Promise<readonly PreparedTab[]> };
  limits?: Partial<Limits>;
  /** Where operations and refusals are counted. */
  metrics?: Metrics;
  /** How many operations run at a time. Default: so many that none waits. */
  running?: RunningOperations;
  /** Where the gateways count rates together. Default: each counts its own. */
  rateStore?: RateStore;
};

export type HttpServer = {
  /** Where the gateway listens, for example `http://127.0.0.1:4000`. */
  readonly url: string;
  /**
   * Drains and stops. `/readyz` and new requests answer 503; running requests finish. WebSockets are closed with
   * 1001 and event streams cut, spread over a few seconds, so that their clients reconnect to another gateway.
   * Resolves within `shutdownMs`, whatever the clients do.
   */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** What the time is counted for that operations wait for their turns. */
const queueNames: Record<Turn, string> = {
  ORDINARY: 'operations',
  ENDING: 'operations_ending_access',
  LARGE: 'operations_large',
};

/** Connections that wait to be accepted. A client whose connection finds no room tries again only after a second or more. */
const connectionBacklog = 4_096;

/** Rejects with Node's error (`EADDRINUSE`, `EACCES` …) when it cannot listen on the address. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { log, authenticate, access, errors = {} } = options;
  const limits: Limits = { ...defaultLimits, ...options.limits };
  const connections = createConnectionCounter(limits.connectionsPerBearer);
  const idleConnections = createIdleConnections(limits.idleConnections, log);
  const unlimited = limits.operationsWaiting;
  const admission = createAdmission(
    limits,
    options.running ?? { ORDINARY: unlimited, ENDING: unlimited, LARGE: unlimited },
    options.rateStore ?? null,
    (turn, seconds) => options.metrics?.queued(queueNames[turn], seconds),
  );
  const onRefused = (code: string) => options.metrics?.refused(code);
  const origins = createOriginPolicy(options.allowedOrigins ?? []);
  const expiryTimer = createExpiryTimer(options.clock ?? (() => new Date()));
  const sourceOf = createSourceOf(options.isTrustedProxy ?? nobodyTrusted);
  const whileArriving = createWhileArriving(limits);
  let draining = false;
  let closesIdle = false;
  const isDraining = () => draining;
  const { engine, maskError } = createEngine({
    schema: options.schema,
    createContext: options.createContext,
    subscribe: options.subscribe,
    errors,
    limits,
    connections,
    expiryTimer,
    isDraining,
    log,
    metrics: options.metrics,
  });
  const slowConsumers = createSlowConsumerWatch(limits.slowConsumerMs);
  const webSockets = createWebSocketTransport({
    engine,
    maskError,
    authenticate,
    connections,
    idleConnections,
    expiryTimer,
    slowConsumers,
    admission,
    limits,
    log,
    sourceOf,
    onRefused,
    metrics: options.metrics,
  });

  const readingLogs = { authenticate, admission, connections, expiryTimer, limits, log, sourceOf };
  const auditRoutes =
    options.auditStream === undefined
      ? []
      : [
          auditStreamRoute({ ...options.auditStream, ...readingLogs }),
          auditExportRoute({ ...options.auditStream, ...readingLogs }),
        ];

  const router = createRouter(
    [
      ...(options.routes ?? []),
      ...auditRoutes,
      graphqlRoute({
        engine,
        authenticate,
        origins,
        admission,
        limits,
        log,
        sourceOf,
        whileArriving,
        isDraining,
        onRefused,
        ...(options.graphiql === undefined ? {} : { page: graphiqlPage(options.graphiql.tabs) }),
      }),
      ...(access === undefined
        ? []
        : accessRoutes({
            openDecider: access.openDecider,
            publicUrl: () => (access.publicUrl === undefined ? ownUrl() : access.publicUrl),
            onEvaluated: (outcome, count) => options.metrics?.evaluated(outcome, count),
            ...{ authenticate, limits, log, sourceOf, whileArriving },
          })),
      ...(options.sealedLogs === undefined
        ? []
        : sealedLogRoutes({ ...options.sealedLogs, authenticate, admission, limits, log, sourceOf })),
      ...healthRoutes({ checks: options.readiness ?? [], isDraining, limits, log }),
      ...(options.ticketWebhooks === undefined
        ? []
        : [ticketWebhookRoute({ ...options.ticketWebhooks, log, sourceOf, whileArriving })]),
      ...(options.developmentTokens === undefined ? [] : [developmentTokenRoute(options.developmentTokens)]),
      ...(options.graphiql === undefined ? [] : graphiqlRoutes()),
      homeRoute(options.graphiql !== undefined),
    ],
    { isDraining, errors, log, sourceOf, onRefused },
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
      const { socket } = request;
      lastSources.set(socket, sourceOf(request));
      responses.add(response);
      idleConnections.remove(socket);
      response.once('close', () => {
        responses.delete(response);
        idleConnections.add(socket);
        if (closesIdle) server.closeIdleConnections();
      });
      void router(request, response);
    },
  );

  const ownUrl = () => urlOf(server.address() as AddressInfo);

  /** Where the last request of each connection came from. */
  const lastSources = new WeakMap<Socket, RequestSource>();
  const slowConsumerHandler: SlowConsumerHandler = {
    onSlowConsumer(socket) {
      log.warn(lastSources.get(socket) ?? noSource, 'A connection was cut because its client does not read');
      socket.destroy();
    },
  };
  server.maxConnections = limits.connections;
  server.on('connection', (socket) => {
    slowConsumers.watch(socket, slowConsumerHandler);
    idleConnections.add(socket);
  });

  server.on('upgrade', (request, socket, head) => {
    const source = sourceOf(request);
    socket.on('error', (error) => log.debug({ ...source, err: error }, 'A connection failed'));
    const refuse = (status: keyof typeof upgradeRefusals) => {
      onRefused(upgradeRefusals[status]);
      refuseUpgrade(socket, status);
    };
    if (draining) return refuse(503);
    if (!/^\/graphql\/?$/.test(pathOf(request) ?? '')) return refuse(404);
    if (!origins.allows(request)) return refuse(403);
    webSockets.upgrade(request, socket, head);
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, host: options.host, backlog: connectionBacklog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error({ err: error }, 'The HTTP server failed'));

  async function shutDown(): Promise<void> {
    draining = true;
    for (const route of auditRoutes) route.drain();
    const cutTimer = setTimeout(() => {
      webSockets.terminateAll();
      server.closeAllConnections();
    }, limits.shutdownMs);
    const streams = [...responses].filter(isEventStream);
    await Promise.all([
      drainClients([...webSockets.startDraining(), ...streams.map(drainingStream)], limits),
      idleConnections.count > 0 ? delay(limits.drainIdleMs) : undefined,
    ]);
    closesIdle = true;
    // Listens until here, so that new clients get a 503 that sends them to another gateway.
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Event streams whose requests were running when draining started.
    for (const response of responses) if (isEventStream(response)) response.destroy();
    await closed;
    clearTimeout(cutTimer);
    slowConsumers.dispose();
    webSockets.dispose();
    expiryTimer.dispose();
    admission.dispose();
    await engine.dispose();
  }

  let disposal: Promise<void> | undefined;
  const dispose = () => {
    disposal ??= shutDown();
    return disposal;
  };
  return { url: ownUrl(), dispose, [Symbol.asyncDispose]: dispose };
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

/** Cuts the stream rather than completing it: a client does not reconnect after its stream completes. */
function drainingStream(response: ServerResponse): DrainingClient {
  return { startDraining: () => response.destroy(), closed: whenClosed(response) };
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader('content-type') ?? '').startsWith('text/event-stream');
}

/** The codes that refused upgrades are counted by. Their responses have no body. */
const upgradeRefusals = {
  403: 'ORIGIN_NOT_ALLOWED',
  404: 'NOT_FOUND',
  503: 'SERVICE_UNAVAILABLE',
} as const;

function refuseUpgrade(socket: Duplex, status: keyof typeof upgradeRefusals): void {
  const retryAfter = status === 503 ? `Retry-After: ${retryAfterSeconds.draining}\r\n` : '';
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retryAfter}Connection: close\r\nContent-Length: 0\r\n\r\n`;
  socket.end(head, () => socket.destroy());
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
