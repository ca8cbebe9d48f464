import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Subscribe } from '../../graphql/subscriptions/subscribe.ts';
import { bearerKey } from '../authentication.ts';
import type { ConnectionCounter } from '../connection-counter.ts';
import { requestError } from '../errors.ts';
import type { ExpiryTimer } from '../expiry-timer.ts';
import type { Limits } from '../limits.ts';
import { drainingMessage } from '../request-refused.ts';
import { retryAfterSeconds } from '../responses.ts';
import type { EngineContext, RunningOperation } from '../running-operation.ts';
import { inTurn, resultInTime } from './operation-limits.ts';
import { iterate } from './operation-stream.ts';

type Results = ExecutionResult | AsyncIterableIterator<ExecutionResult, undefined>;

type SubscriptionOptions = {
  subscribe: Subscribe;
  limits: Limits;
  connections: ConnectionCounter;
  expiryTimer: ExpiryTimer;
  isDraining: () => boolean;
};

/**
 * Runs subscriptions, and ends each when its operation ends. An event stream over HTTP is a connection of its own, so
 * this also counts it and ends it when its token expires. WebSockets do both for all the operations they carry.
 */
export function runSubscriptions({
  subscribe,
  limits,
  connections,
  expiryTimer,
  isDraining,
}: SubscriptionOptions): Plugin<EngineContext> {
  /** Registers an event stream. Returns the function that unregisters it, or the error that refuses it. */
  function register(operation: RunningOperation): (() => void) | GraphQLError {
    const { session } = operation;
    if (operation.transport !== 'HTTP') return doNothing;
    // Draining has collected the streams it is to close, so one that starts now would be missed.
    if (isDraining()) {
      const headers = { 'retry-after': retryAfterSeconds.draining };
      return requestError(503, 'SERVICE_UNAVAILABLE', drainingMessage, headers);
    }
    const bearer = bearerKey(session.claims);
    if (!connections.acquire(bearer)) return requestError(429, 'TOO_MANY_CONNECTIONS', tooManyConnections);
    const { expiresAt } = session.claims;
    const stream = { expire: () => operation.end('TOKEN_EXPIRED') };
    expiryTimer.schedule(stream, expiresAt);
    return () => {
      connections.release(bearer);
      expiryTimer.cancel(stream, expiresAt);
    };
  }

  async function run(args: ExecutionArgs, operation: RunningOperation): Promise<Results> {
    const source = await resultInTime(
      inTurn(operation, subscribe(args, operation.sendText)),
      operation,
      limits,
    );
    operation.streams();
    if (!('start' in source)) return source;
    const registered = register(operation);
    if (registered instanceof GraphQLError) return { errors: [registered] };
    return iterate(source, operation, {
      finalValue: () => (operation.ended === 'TOKEN_EXPIRED' ? { errors: [tokenExpired()] } : undefined),
      onEnd: registered,
    });
  }

  return {
    onSubscribe({ args, setSubscribeFn }) {
      const { operation } = args.contextValue;
      setSubscribeFn((executionArgs: ExecutionArgs) => run(executionArgs, operation));
    },
  };
}

const doNothing = (): void => {};

const tooManyConnections =
  'You have too many event streams and WebSockets open. Close some, or run several subscriptions on one WebSocket.';

function tokenExpired(): GraphQLError {
  return new GraphQLError('The token has expired. Sign in again and resume with the new token.', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
}
