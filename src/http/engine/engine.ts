import type { GraphQLSchema } from 'graphql';
import { createYoga, type YogaServerInstance } from 'graphql-yoga';
import type { Subscribe } from '../../graphql/subscriptions/subscribe.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { ConnectionCounter } from '../connection-counter.ts';
import { createErrorMasker, type ErrorMasker, type ErrorPolicy } from '../errors.ts';
import type { ExpiryTimer } from '../expiry-timer.ts';
import type { Limits } from '../limits.ts';
import type { Log } from '../log.ts';
import type { EngineContext } from '../running-operation.ts';
import { type CreateContext, createInTurn, readLanes } from './admitted-operations.ts';
import { answerCompiled, isCompiled } from './compiled-queries.ts';
import { countOperations } from './count-operations.ts';
import { createDocumentCache } from './document-cache.ts';
import { limitDocuments } from './document-limits.ts';
import { requireEventStream } from './event-stream-requirement.ts';
import { answerIntrospectionOnce } from './introspection.ts';
import { resumeByLastEventId } from './last-event-id.ts';
import { limitOperations, withinOperationTime } from './operation-limits.ts';
import { checkParameters } from './parameter-checks.ts';
import { SourcesOfErrors } from './sources-of-errors.ts';
import { runSubscriptions } from './stream-lifetime.ts';
import { traceOperations } from './trace-operations.ts';

export type { CreateContext } from './admitted-operations.ts';

export type Engine = YogaServerInstance<EngineContext, object>;

export type EngineOptions = {
  schema: GraphQLSchema;
  createContext: CreateContext;
  subscribe: Subscribe;
  errors: ErrorPolicy;
  limits: Limits;
  connections: ConnectionCounter;
  expiryTimer: ExpiryTimer;
  isDraining: () => boolean;
  log: Log;
  metrics?: Metrics | undefined;
};

/**
 * Creates the GraphQL engine, which parses, validates, limits and executes. All transports use this one, so its
 * plugins bind them all: HTTP and event streams call it as a request handler, WebSockets call its `getEnveloped`.
 */
export function createEngine(options: EngineOptions): {
  engine: Engine;
  maskError: ErrorMasker;
} {
  const { limits } = options;
  const sources = new SourcesOfErrors();
  const mask = createErrorMasker(options.errors, options.log, (error) => sources.of(error));
  const maskError: ErrorMasker = (thrown) => {
    const error = mask(thrown);
    options.metrics?.refused(String(error.extensions['code'] ?? 'OTHER'));
    return error;
  };
  const engine = createYoga<EngineContext, object>({
    schema: options.schema,
    context: ({ operation }) => {
      const answerBy = operation.startedAt + limits.operationMs;
      operation.isRepeatable = isCompiled(options.schema, operation);
      const context = operation.within('context', () =>
        createInTurn(options.createContext, operation, answerBy),
      );
      return sources.during(withinOperationTime(context, operation, limits), operation.source);
    },
    graphqlEndpoint: '/graphql',
    maxRequestBodySize: limits.requestBytes,
    maskedErrors: { maskError },
    plugins: [
      sources.plugin(),
      ...(options.metrics === undefined ? [] : [countOperations(options.metrics)]),
      checkParameters(),
      ...limitDocuments(limits),
      answerCompiled(),
      traceOperations(),
      readLanes(),
      requireEventStream(),
      limitOperations(limits),
      answerIntrospectionOnce(limits),
      runSubscriptions(options),
      resumeByLastEventId(),
    ],
    parserAndValidationCache: createDocumentCache(limits),
    batching: false,
    multipart: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    // The error masker logs every error once.
    logging: false,
  });
  return { engine, maskError };
}
