import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  subscribe,
} from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import { withDeadline } from '../platform/deadline.ts';
import { bearerKey } from './authentication.ts';
import type { ConnectionCounter } from './connection-counter.ts';
import { findExcess, limitDocuments } from './document-limits.ts';
import { createErrorMasker, type ErrorMasker, type ErrorPolicy, requestError } from './errors.ts';
import { resumeByLastEventId } from './last-event-id.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log.ts';
import type { EngineContext, Operation, RunningOperation, SendText } from './operation.ts';
import { goingAwayMessage } from './request-body.ts';
import { streamOfOperation } from './stream-of-operation.ts';
import type { TokenExpiry } from './token-expiry.ts';

/** Builds what resolvers get, anew for every operation. A plain object: the engine copies its properties. */
export type CreateContext = (operation: Operation) => object | Promise<object>;

/**
 * Carries out a subscription, as `subscribe` of graphql. What is text already may go to `sendText`; what comes
 * as a result tells its text by `stringify`, where it has one.
 */
export type Subscribe = (
  args: ExecutionArgs,
  sendText?: SendText,
) => Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;

export type Engine = YogaServerInstance<EngineContext, object>;

export type EngineOptions = {
  schema: GraphQLSchema;
  createContext: CreateContext;
  subscribe?: Subscribe;
  errors: ErrorPolicy;
  limits: Limits;
  connections: ConnectionCounter;
  expiries: TokenExpiry;
  isDraining: () => boolean;
  log: Log;
};

/**
 * The one engine that parses, validates, limits and executes, and by whose plugins every transport is bound:
 * HTTP and event streams call it as a request handler, WebSockets through its `getEnveloped`.
 */
export function createEngine(options: EngineOptions): {
  engine: Engine;
  maskError: ErrorMasker;
} {
  const { limits } = options;
  const maskError = createErrorMasker(options.errors, options.log);
  const engine = createYoga<EngineContext, object>({
    schema: options.schema,
    context: ({ operation }) =>
      withDeadline(options.createContext(operation), timeLeft(operation, limits), () =>
        tookTooLong(operation, limits),
      ),
    graphqlEndpoint: '/graphql',
    maxRequestBodySize: limits.requestBytes,
    maskedErrors: { maskError },
    plugins: [
      checkParameters(),
      ...limitDocuments(limits),
      limitOperations(limits, options.subscribe ?? ((args) => subscribe(args))),
      endStreams(options),
      resumeByLastEventId(),
    ],
    batching: false,
    multipart: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    // Errors are logged where they are masked, once.
    logging: false,
  });
  return { engine, maskError };
}

/** Answers 400 where the engine would take malformed JSON in a URL for a fault of ours, or 200 no query. */
function checkParameters(): Plugin {
  return {
    onRequestParse({ request, url }) {
      if (request.method !== 'GET') return;
      for (const name of ['variables', 'extensions']) {
        const text = url.searchParams.get(name);
        if (text !== null && text !== '' && !isJson(text)) {
          throw requestError(400, 'BAD_REQUEST', `The parameter "${name}" is not JSON.`);
        }
      }
    },
    onParams({ params }) {
      if (params.query === undefined) throw requestError(400, 'BAD_REQUEST', 'Send a query.');
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function limitOperations(limits: Limits, carryOut: Subscribe): Plugin<EngineContext> {
  return {
    onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
      const excess = findExcess(args, limits);
      if (excess !== null) {
        setResultAndStopExecution({ errors: [excess] });
        return;
      }
      const { operation } = args.contextValue;
      setExecuteFn((executionArgs) => inTime(executeFn(executionArgs), operation, limits));
    },
    onSubscribe({ args, setSubscribeFn, setResultAndStopExecution }) {
      const { operation } = args.contextValue;
      const obstacle =
        operation.session.kind === 'ANONYMOUS'
          ? requestError(
              401,
              'UNAUTHENTICATED',
              'Subscriptions need a token: "authorization: Bearer <token>".',
              {
                'www-authenticate': 'Bearer',
              },
            )
          : findExcess(args, limits);
      if (obstacle !== null) {
        setResultAndStopExecution({ errors: [obstacle] });
        return;
      }
      setSubscribeFn((executionArgs) =>
        inTime(carryOut(executionArgs, operation.sendText), operation, limits),
      );
    },
  };
}

/**
 * Ends a stream with its operation. On HTTP, where one stream is one connection, it also counts it and ends
 * it when the token expires; a WebSocket does both for all that run on it.
 */
function endStreams({
  connections,
  expiries,
  isDraining,
}: Pick<EngineOptions, 'connections' | 'expiries' | 'isDraining'>): Plugin<EngineContext> {
  /** Lets an event stream begin, and answers how to let go of it; or answers why it may not. */
  function open(operation: RunningOperation): (() => void) | GraphQLError {
    const { session } = operation;
    if (operation.transport !== 'HTTP' || session.kind !== 'BEARER') return nothingToLetGo;
    // Streams that began before were told to go elsewhere.
    if (isDraining()) return requestError(503, 'SERVICE_UNAVAILABLE', goingAwayMessage);
    const bearer = bearerKey(session.claims);
    if (!connections.acquire(bearer)) return requestError(429, 'TOO_MANY_CONNECTIONS', tooManyConnections);
    const { expiresAt } = session.claims;
    const stream = { expire: () => operation.end('TOKEN_EXPIRED') };
    expiries.add(stream, expiresAt);
    return () => {
      connections.release(bearer);
      expiries.remove(stream, expiresAt);
    };
  }

  return {
    onSubscribe({ args }) {
      const { operation } = args.contextValue;
      return {
        onSubscribeResult({ result, setResult }) {
          if (!isStream(result)) return;
          const opened = open(operation);
          if (opened instanceof GraphQLError) {
            void streamOfOperation(result, operation, { lastWord: () => undefined, onEnd: nothingToLetGo });
            operation.end('CLIENT_GONE');
            setResult({ errors: [opened] });
            return;
          }
          setResult(
            streamOfOperation(result, operation, {
              lastWord: () =>
                operation.ended === 'TOKEN_EXPIRED' ? { errors: [tokenExpired()] } : undefined,
              onEnd: opened,
            }),
          );
        },
      };
    },
  };
}

const nothingToLetGo = (): void => {};

const tooManyConnections =
  'You have too many event streams and WebSockets open. Close some, or run several subscriptions on one WebSocket.';

function tokenExpired(): GraphQLError {
  return new GraphQLError('The token has expired. Sign in again and resume with the new token.', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
}

async function inTime<T>(work: T | PromiseLike<T>, operation: RunningOperation, limits: Limits) {
  try {
    return await withDeadline(work, timeLeft(operation, limits), () => tookTooLong(operation, limits));
  } catch (error) {
    if (error instanceof GraphQLError && error.extensions['code'] === 'TOOK_TOO_LONG') {
      return { errors: [error] };
    }
    throw error;
  }
}

/** Milliseconds: finding out who asks and carrying it out share the time of the operation. */
function timeLeft({ begunAt }: RunningOperation, { operationMs }: Limits): number {
  return Math.max(0, begunAt + operationMs - performance.now());
}

function tookTooLong(operation: RunningOperation, limits: Limits): GraphQLError {
  operation.end('TOOK_TOO_LONG');
  return requestError(
    504,
    'TOOK_TOO_LONG',
    `The operation took longer than ${limits.operationMs} ms. A mutation may still have taken effect: look, or repeat it with the same idempotency key.`,
  );
}

function isStream<T>(value: T | AsyncIterable<T>): value is AsyncIterable<T> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
