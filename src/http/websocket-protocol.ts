import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import { CloseCode, type Context, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import type { Admission } from './admission/admission.ts';
import { admit } from './admission/admit.ts';
import { refusedError } from './admission/refusal.ts';
import { type Authenticate, describeRefusal, openSession, type Session } from './authentication.ts';
import type { Engine } from './engine/engine.ts';
import { isPersistedQuery, persistedQueryNotSupported } from './engine/persisted-queries.ts';
import { type ErrorMasker, requestError, withoutHttpExtensions } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import { drainingMessage } from './request-refused.ts';
import type { RunningOperation } from './running-operation.ts';
import { type Connection, closeCodes } from './websocket-connection.ts';

export type ProtocolOptions = {
  engine: Engine;
  maskError: ErrorMasker;
  /** Called with the code of what is refused before the engine sees it. */
  onRefused: (code: string) => void;
  authenticate: Authenticate;
  limits: Limits;
  admission: Admission;
  log: Log;
  isDraining: () => boolean;
};

/** The server side of the graphql-transport-ws protocol: authenticates connections and handles their messages. */
export function createProtocol({
  engine,
  maskError,
  onRefused,
  authenticate,
  limits,
  admission,
  log,
  isDraining,
}: ProtocolOptions): Server<Connection> {
  // The engine creates new functions for each operation. They belong to its arguments until it is executed.
  const engines = new WeakMap<ExecutionArgs, ReturnType<Engine['getEnveloped']>>();

  /** Returns the functions and forgets them: each operation uses them once. */
  const takeEngine = (args: ExecutionArgs) => {
    const enveloped = engines.get(args);
    if (enveloped === undefined) throw new Error('An operation was not prepared.');
    engines.delete(args);
    return enveloped;
  };

  async function withMaskedErrors<T>(work: () => T | Promise<T>): Promise<T | { errors: GraphQLError[] }> {
    try {
      return await work();
    } catch (error) {
      return { errors: [maskError(error)] };
    }
  }

  /** Returns what to execute, or why the operation cannot be executed; the socket stays open for others. */
  async function prepare(
    payload: SubscribePayload,
    operation: RunningOperation,
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { query, variables, operationName } = payload;
    if (isPersistedQuery(payload)) return [persistedQueryNotSupported()];
    try {
      const refused = await admit(admission, operation, payload);
      if (refused !== null) throw refusedError(refused);
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

    async onConnect(context) {
      const { extra: connection } = context;
      const refuse = (code: number, reason: string) => {
        connection.close(code, reason);
        return false;
      };
      const authorization = takeAuthorization(context);
      if (authorization === undefined) {
        onRefused('UNAUTHENTICATED');
        return refuse(closeCodes.unauthorized, 'Send a token: {"authorization": "Bearer …"}');
      }
      let session: Session;
      try {
        session = await openSession(authorization, authenticate);
      } catch (error) {
        const refusal = describeRefusal(error);
        onRefused(refusal?.code ?? 'INTERNAL_SERVER_ERROR');
        if (refusal?.status === 401) return refuse(closeCodes.forbidden, shortReason(refusal.message));
        if (refusal === null)
          log.error({ ...connection.source, err: error }, 'A token could not be verified');
        return refuse(closeCodes.tryAgainLater, 'The token cannot be verified now');
      }
      if (!connection.isOpen) return false;
      if (connection.open(session)) return true;
      onRefused('TOO_MANY_CONNECTIONS');
      return refuse(closeCodes.tooManyConnections, 'Too many connections');
    },

    async onSubscribe({ extra: connection }, id, payload) {
      const { session } = connection;
      if (session === null) throw new Error('An operation started on a connection without a session.');
      if (isDraining()) {
        onRefused('SERVICE_UNAVAILABLE');
        connection.startDraining();
        return [requestError(503, 'SERVICE_UNAVAILABLE', drainingMessage)];
      }
      if (!connection.hasRoom) {
        onRefused('TOO_MANY_OPERATIONS');
        return [tooManyOperations(limits)];
      }
      const operation = connection.startOperation(id, payload, session);
      if (operation === undefined) {
        connection.close(
          CloseCode.SubscriberAlreadyExists,
          `Subscriber for ${shortReason(id)} already exists`,
        );
        return [idInUse()];
      }
      const prepared = await prepare(payload, operation);
      if (!('document' in prepared)) {
        if (isNotAdmitted(prepared)) connection.pause();
        connection.endOperation(id, payload);
      } else if (isSubscription(prepared)) connection.markStream(id, payload);
      return prepared;
    },
    execute: (args) => withMaskedErrors(() => takeEngine(args).execute(args)),
    subscribe: (args) => withMaskedErrors(() => takeEngine(args).subscribe(args)),

    onNext: (_context, _id, _payload, _args, { errors, data, extensions }) =>
      errors && {
        errors: errors.map(toWire),
        ...(data === undefined ? {} : { data }),
        ...(extensions === undefined ? {} : { extensions }),
      },
    onError: (_context, _id, _payload, errors) => errors.map(toWire),
    onComplete: ({ extra: connection }, id, payload) => connection.endOperation(id, payload),
  });
}

/** Returns the authorization from the connection parameters, and removes them: only the claims are kept. */
function takeAuthorization(context: Context<Record<string, unknown>, Connection>): string | undefined {
  const { authorization, Authorization = authorization, token } = context.connectionParams ?? {};
  Object.assign(context, { connectionParams: undefined });
  if (typeof Authorization === 'string') return Authorization;
  return typeof token === 'string' ? `Bearer ${token}` : undefined;
}

function toWire(error: GraphQLError): GraphQLFormattedError {
  return withoutHttpExtensions(error).toJSON();
}

function tooManyOperations(limits: Limits): GraphQLError {
  return new GraphQLError(
    `On one WebSocket, at most ${limits.operationsPerSocket} operations may run, and the messages that started them may have ${limits.operationCharactersPerSocket} characters. Complete some first.`,
    { extensions: { code: 'TOO_MANY_OPERATIONS' } },
  );
}

function isNotAdmitted([error]: readonly GraphQLError[]): boolean {
  return error?.extensions['retryAfterSeconds'] !== undefined;
}

function idInUse(): GraphQLError {
  return new GraphQLError('Another operation with this id is still running. Use a new id.');
}

function noSuchOperation(): GraphQLError {
  return new GraphQLError('The document has no such operation. Name one of its operations.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  });
}

function isSubscription({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** The reason in a close frame has at most 123 bytes. */
function shortReason(text: string): string {
  return Buffer.from(text)
    .subarray(0, 123)
    .toString()
    .replace(/\uFFFD+$/, '');
}
