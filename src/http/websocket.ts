import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import { CloseCode, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import {
  type Authenticate,
  bearerKey,
  describeRefusal,
  openSession,
  type Session,
} from './authentication.ts';
import type { ConnectionCounter } from './connections.ts';
import { at } from './deadline.ts';
import { type ErrorMasker, requestError, withoutTransportNotes } from './errors.ts';
import type { Engine } from './graphql.ts';
import { goingAwayMessage } from './json.ts';
import { goneOf, type Leaving } from './leaving.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { type EndOfOperation, type RunningOperation, startOperation } from './operation.ts';
import { createOutlet, type Outlet } from './outlet.ts';
import type { UnreadWatch } from './unread.ts';

/** Codes with which the gateway closes a WebSocket, beside those of the graphql-transport-ws protocol. */
const closeCodes = {
  goingAway: 1001,
  tryAgainLater: 1013,
  slowConsumer: 4413,
  unauthorized: CloseCode.Unauthorized,
  forbidden: CloseCode.Forbidden,
  tooManyConnections: CloseCode.TooManyInitialisationRequests,
  internalError: CloseCode.InternalServerError,
} as const;

type Connection = {
  readonly socket: WebSocket;
  readonly outlet: Outlet;
  session: Session | null;
  /** By the message that asked for them: ids may be used again before the last of that id is over. */
  readonly operations: Map<SubscribePayload, RunningOperation>;
  /** Of them, the queries and mutations: they are answered before the gateway leaves. */
  readonly requests: Set<SubscribePayload>;
  /** The gateway goes away: the socket is closed as soon as no request is under way. */
  isLeaving: boolean;
  /** What to undo when the socket closes. */
  readonly onClose: (() => void)[];
};

export type WebSocketOptions = {
  engine: Engine;
  maskError: ErrorMasker;
  authenticate: Authenticate;
  connections: ConnectionCounter;
  unread: UnreadWatch;
  limits: Limits;
  log: Log;
};

export type WebSocketTransport = {
  /** Takes over an upgrade request whose path and origin have been checked. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * How to leave each client: by closing with 1001, once the requests under way are answered; whoever does
   * not answer the close in time is cut. From now on, an operation that begins is refused.
   */
  leave(): Leaving[];
  /** Cuts whoever is left. */
  terminateAll(): void;
};

/** GraphQL over WebSocket, by the graphql-transport-ws protocol, on the same engine as HTTP. */
export function createWebSocketTransport(options: WebSocketOptions): WebSocketTransport {
  const { unread, limits, log } = options;
  const serverOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    maxPayload: limits.requestBytes,
    perMessageDeflate: false,
    closeTimeout: limits.socketCloseMs,
    handleProtocols,
  };
  const server = new WebSocketServer(serverOptions);
  const open = new Set<Connection>();
  const state = { isDraining: false };
  const protocol = createProtocol(options, state);

  server.on('connection', (socket, request) => {
    const connection: Connection = {
      socket,
      outlet: createOutlet(socket, request.socket, limits, (bufferedBytes) => {
        log.warn({ bufferedBytes }, 'A WebSocket was cut because its client does not read');
        socket.terminate();
      }),
      session: null,
      operations: new Map(),
      requests: new Set(),
      isLeaving: false,
      onClose: [],
    };
    open.add(connection);
    unread.watch(request.socket, () => closeSlow(connection, log));
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (message) => send(connection, message),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (receive) => {
          socket.on('message', (data) => {
            receive(String(data)).catch((error: unknown) => {
              log.error({ err: error }, 'A WebSocket message could not be handled');
              socket.close(closeCodes.internalError, 'Internal server error');
            });
          });
        },
      },
      connection,
    );
    const stopPinging = keepAlive(socket, limits.pingMs);
    // The client broke the WebSocket protocol or the limit on messages: ws closes with the code for it.
    socket.on('error', (error) => log.debug({ err: error }, 'A WebSocket failed'));
    socket.once('close', (code, reason) => {
      open.delete(connection);
      stopPinging();
      for (const undo of connection.onClose) undo();
      endOperations(connection, 'CLIENT_GONE');
      closed(code, String(reason)).catch((error: unknown) => {
        log.error({ err: error }, 'A closed WebSocket could not be cleaned up');
      });
    });
  });

  return {
    upgrade(request, socket, head) {
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit('connection', webSocket, request);
      });
    },
    leave() {
      state.isDraining = true;
      return [...open].map((connection) => ({
        leave: () => leave(connection),
        gone: goneOf(connection.socket),
      }));
    },
    terminateAll() {
      for (const socket of server.clients) socket.terminate();
    },
  };
}

function createProtocol(
  { engine, maskError, authenticate, connections, limits, log }: WebSocketOptions,
  state: { readonly isDraining: boolean },
) {
  // The engine's functions are made anew for each operation, so they travel beside its arguments.
  const engines = new WeakMap<ExecutionArgs, ReturnType<Engine['getEnveloped']>>();

  const engineOf = (args: ExecutionArgs) => {
    const enveloped = engines.get(args);
    if (enveloped === undefined) throw new Error('An operation was not prepared.');
    return enveloped;
  };

  async function masked<T>(work: () => T | Promise<T>): Promise<T | { errors: GraphQLError[] }> {
    try {
      return await work();
    } catch (error) {
      return { errors: [maskError(error)] };
    }
  }

  /** What to execute, or the errors of a document that cannot be: they concern its own id, not the socket. */
  async function prepare(
    { query, variables, operationName }: SubscribePayload,
    operation: RunningOperation,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    try {
      const enveloped = engine.getEnveloped({ operation });
      const document = enveloped.parse(query);
      const problems: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document);
      if (problems.length > 0) return problems;
      if (getOperationAST(document, operationName) == null) return [noSuchOperation()];
      const args: ExecutionArgs = {
        schema: enveloped.schema,
        document,
        operationName: operationName ?? null,
        variableValues: variables ?? null,
        contextValue: await enveloped.contextFactory(),
      };
      engines.set(args, enveloped);
      return args;
    } catch (error) {
      return [maskError(error)];
    }
  }

  return makeServer<Record<string, unknown>, Connection>({
    connectionInitWaitTimeout: limits.connectionInitMs,

    async onConnect({ connectionParams, extra }) {
      const refuse = (code: number, reason: string) => {
        extra.socket.close(code, reason);
        return false;
      };
      const authorization = authorizationOf(connectionParams);
      if (authorization === undefined)
        return refuse(closeCodes.unauthorized, 'A token is needed: {"authorization": "Bearer …"}');
      let session: Session;
      try {
        session = await openSession(authorization, authenticate);
      } catch (error) {
        const refusal = describeRefusal(error);
        if (refusal?.status === 401) return refuse(closeCodes.forbidden, shortReason(refusal.message));
        if (refusal === null) log.error({ err: error }, 'A token could not be judged');
        return refuse(closeCodes.tryAgainLater, 'The token cannot be judged now');
      }
      if (extra.socket.readyState !== extra.socket.OPEN) return false;
      if (session.kind === 'BEARER') {
        const release = connections.acquire(bearerKey(session.claims));
        if (release === null) return refuse(closeCodes.tooManyConnections, 'Too many connections');
        const cancelExpiry = at(session.claims.expiresAt, () => {
          extra.socket.close(closeCodes.forbidden, 'Token expired');
          endOperations(extra, 'TOKEN_EXPIRED');
        });
        extra.onClose.push(release, cancelExpiry);
      }
      extra.session = session;
      return true;
    },

    async onSubscribe({ extra, subscriptions }, id, payload) {
      if (extra.session === null) throw new Error('An operation began before the connection was accepted.');
      if (state.isDraining) {
        leave(extra);
        return [requestError(503, 'SERVICE_UNAVAILABLE', goingAwayMessage)];
      }
      if (Object.keys(subscriptions).length > limits.operationsPerSocket) return [tooManyOperations(limits)];
      const before = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
      const operation = startOperation('WEBSOCKET', extra.session, (result) =>
        send(extra, `${before}${result}}`),
      );
      extra.operations.set(payload, operation);
      extra.requests.add(payload);
      const prepared = await prepare(payload, operation);
      if (!('document' in prepared)) settle(extra, payload);
      else if (isSubscription(prepared)) answered(extra, payload);
      return prepared;
    },
    execute: (args) => masked(() => engineOf(args).execute(args)),
    subscribe: (args) => masked(() => engineOf(args).subscribe(args)),

    onNext: (_context, _id, _payload, _args, { errors, data, extensions }) =>
      errors && {
        errors: errors.map(toWire),
        ...(data === undefined ? {} : { data }),
        ...(extensions === undefined ? {} : { extensions }),
      },
    onError: (_context, _id, _payload, errors) => errors.map(toWire),
    onComplete({ extra }, _id, payload) {
      extra.operations.get(payload)?.end('CLIENT_GONE');
      settle(extra, payload);
    },
  });
}

function authorizationOf(parameters: Record<string, unknown> | undefined): string | undefined {
  const { authorization, Authorization = authorization, token } = parameters ?? {};
  if (typeof Authorization === 'string') return Authorization;
  return typeof token === 'string' ? `Bearer ${token}` : undefined;
}

function toWire(error: GraphQLError): GraphQLFormattedError {
  return withoutTransportNotes(error).toJSON();
}

function tooManyOperations(limits: Limits): GraphQLError {
  return new GraphQLError(
    `This WebSocket has ${limits.operationsPerSocket} operations under way, the most allowed. Complete some first.`,
    { extensions: { code: 'TOO_MANY_OPERATIONS' } },
  );
}

function noSuchOperation(): GraphQLError {
  return new GraphQLError('The document has no such operation. Name one of its operations.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  });
}

function isSubscription({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** The operation is over; what is left to say about it is sent within this turn of the event loop. */
function settle(connection: Connection, payload: SubscribePayload): void {
  connection.operations.delete(payload);
  answered(connection, payload);
}

function answered(connection: Connection, payload: SubscribePayload): void {
  connection.requests.delete(payload);
  if (connection.isLeaving) setImmediate(leave, connection);
}

/** Closes with 1001, now or once the requests under way are answered. Streams end without being completed. */
function leave(connection: Connection): void {
  connection.isLeaving = true;
  if (connection.requests.size > 0) return;
  connection.socket.close(closeCodes.goingAway, 'Going away');
  endOperations(connection, 'SHUTTING_DOWN');
}

function endOperations({ operations }: Connection, reason: EndOfOperation): void {
  for (const operation of operations.values()) operation.end(reason);
}

/** The close frame waits behind what was not read: unless it is read in time, the connection is cut. */
function closeSlow(connection: Connection, log: Log): void {
  log.warn({}, 'A WebSocket was closed because its client does not read');
  connection.socket.close(closeCodes.slowConsumer, 'Slow consumer');
  endOperations(connection, 'SLOW_CONSUMER');
}

function send(connection: Connection, message: string): Promise<void> | undefined {
  const waiting = connection.outlet.send(message);
  // Nothing holds back its sources any more: one that always has a next value would keep us busy with it.
  if (connection.socket.readyState !== WebSocket.OPEN) endOperations(connection, 'CLIENT_GONE');
  return waiting;
}

/** Pings, and cuts a client that has not answered by the next ping. Returns how to stop. */
function keepAlive(socket: WebSocket, everyMs: number): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) {
      socket.terminate();
      return;
    }
    answered = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, everyMs);
  return () => clearInterval(timer);
}

/** A close frame holds at most 123 bytes of reason. */
function shortReason(text: string): string {
  return Buffer.from(text)
    .subarray(0, 123)
    .toString()
    .replace(/\uFFFD+$/, '');
}
