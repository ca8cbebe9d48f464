import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  OperationTypeNode,
} from 'graphql';
import { CloseCode, type Context, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { type Authenticate, describeRefusal, openSession, type Session } from './authentication.ts';
import type { Engine } from './engine.ts';
import { type ErrorMasker, requestError, withoutTransportNotes } from './errors.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import type { RunningOperation } from './operation.ts';
import { goingAwayMessage } from './request-body.ts';
import { type Connection, closeCodes } from './websocket-connection.ts';

export type ProtocolOptions = {
  engine: Engine;
  maskError: ErrorMasker;
  authenticate: Authenticate;
  limits: Limits;
  log: Log;
  isDraining: () => boolean;
};

/** The graphql-transport-ws protocol: who is let in, and what is done with each message. */
export function createProtocol({
  engine,
  maskError,
  authenticate,
  limits,
  log,
  isDraining,
}: ProtocolOptions): Server<Connection> {
  // The engine's functions are made anew for each operation, so they travel beside its arguments.
  const engines = new WeakMap<ExecutionArgs, ReturnType<Engine['getEnveloped']>>();

  /** Answers once: what is carried out needs them no more. */
  const engineOf = (args: ExecutionArgs) => {
    const enveloped = engines.get(args);
    if (enveloped === undefined) throw new Error('An operation was not prepared.');
    engines.delete(args);
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

    async onConnect(context) {
      const { extra: connection } = context;
      const refuse = (code: number, reason: string) => {
        connection.close(code, reason);
        return false;
      };
      const authorization = takeAuthorization(context);
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
      if (!connection.isOpen) return false;
      return connection.open(session) || refuse(closeCodes.tooManyConnections, 'Too many connections');
    },

    async onSubscribe({ extra: connection }, id, payload) {
      const { session } = connection;
      if (session === null) throw new Error('An operation began on a connection that is not open.');
      if (isDraining()) {
        connection.leave();
        return [requestError(503, 'SERVICE_UNAVAILABLE', goingAwayMessage)];
      }
      if (connection.operationsUnderWay >= limits.operationsPerSocket) return [tooManyOperations(limits)];
      const operation = connection.begin(id, payload, session);
      if (operation === undefined) {
        connection.close(
          CloseCode.SubscriberAlreadyExists,
          `Subscriber for ${shortReason(id)} already exists`,
        );
        return [idInUse()];
      }
      const prepared = await prepare(payload, operation);
      if (!('document' in prepared)) connection.settle(id, payload);
      else if (isSubscription(prepared)) connection.streams(id, payload);
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
    onComplete: ({ extra: connection }, id, payload) => connection.settle(id, payload),
  });
}

/** What the client presents, which is not kept: only what the token says is. */
function takeAuthorization(context: Context<Record<string, unknown>, Connection>): string | undefined {
  const { authorization, Authorization = authorization, token } = context.connectionParams ?? {};
  Object.assign(context, { connectionParams: undefined });
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

function idInUse(): GraphQLError {
  return new GraphQLError('Another operation with this id is still under way. Use a fresh id.');
}

function noSuchOperation(): GraphQLError {
  return new GraphQLError('The document has no such operation. Name one of its operations.', {
    extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
  });
}

function isSubscription({ document, operationName }: ExecutionArgs): boolean {
  return getOperationAST(document, operationName)?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** A close frame holds at most 123 bytes of reason. */
function shortReason(text: string): string {
  return Buffer.from(text)
    .subarray(0, 123)
    .toString()
    .replace(/\uFFFD+$/, '');
}
