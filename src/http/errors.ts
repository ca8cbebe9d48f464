import { randomUUID } from 'node:crypto';
import { GraphQLError, type GraphQLErrorExtensions, Kind } from 'graphql';
import { originOf } from '../graphql/errors.ts';
import type { RequestSource } from '../platform/request-source.ts';
import type { Log } from './log.ts';
import { databaseUnavailableMessage, internalErrorMessage } from './request-refused.ts';
import { retryAfterSeconds } from './responses.ts';

export type ErrorPolicy = {
  /** Whether an error means that the database, or something else the gateway needs, is unavailable. */
  isUnavailable?: (error: unknown) => boolean;
  /**
   * The code for an error that has none, but whose message is meant for clients, such as a library's own validation
   * errors. Undefined for all other errors.
   */
  codeFor?: (error: unknown) => string | undefined;
};

/** Returns the error that the client gets for whatever was thrown. */
export type ErrorMasker = (error: unknown) => GraphQLError;

/**
 * Creates the function that hides internal errors from clients. An error meant for the client stays as it is: a
 * `GraphQLError` with a `code` in its extensions, one that GraphQL raises about the client's document or values, or
 * one for which the policy has a code. Any other error is logged under a new id, and the client gets only the id.
 *
 * @param sourceOf tells which request an error came from
 */
export function createErrorMasker(
  policy: ErrorPolicy,
  log: Log,
  sourceOf: (error: unknown) => RequestSource,
): ErrorMasker {
  return (thrown) => {
    const origin = originOf(thrown);
    if (isAboutRequest(thrown)) {
      return hasCode(thrown) ? thrown : withCode(thrown, thrown, 'BAD_USER_INPUT');
    }
    if (origin instanceof GraphQLError) {
      if (hasCode(origin)) return asGraphQLError(thrown, origin);
      if (isAboutArgument(origin)) return withCode(thrown, origin, 'BAD_USER_INPUT');
    }
    const code = policy.codeFor?.(origin);
    if (code !== undefined) return withCode(thrown, origin, code);
    if (policy.isUnavailable?.(origin) === true) {
      log.warn(
        { ...sourceOf(thrown), err: origin },
        'An operation failed because a dependency is unavailable',
      );
      const headers = { 'retry-after': retryAfterSeconds.databaseUnavailable };
      return masked(
        thrown,
        databaseUnavailableMessage,
        { status: 503, headers },
        { code: 'SERVICE_UNAVAILABLE' },
      );
    }
    const errorId = randomUUID();
    log.error(
      { ...sourceOf(thrown), errorId, err: origin, path: pathOf(thrown) },
      'An operation failed unexpectedly',
    );
    const extensions = { code: 'INTERNAL_SERVER_ERROR', errorId };
    return masked(thrown, internalErrorMessage(errorId), { status: 500 }, extensions);
  };
}

/** Removes the extensions that only set the HTTP response, for transports that send the error as it is. */
export function withoutHttpExtensions(error: GraphQLError): GraphQLError {
  const { http: _http, unexpected: _unexpected, ...extensions } = error.extensions;
  return new GraphQLError(error.message, {
    ...locationOf(error),
    extensions,
  });
}

/** Creates an error about a whole request. Over HTTP the response has this status and these headers. */
export function requestError(
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
  details: GraphQLErrorExtensions = {},
): GraphQLError {
  const http = headers === undefined ? { status } : { status, headers };
  return new GraphQLError(message, { extensions: { ...details, code, http } });
}

/** Whether the request itself is wrong, such as its variables, so that nothing was executed. */
function isAboutRequest(thrown: unknown): thrown is GraphQLError {
  if (!(thrown instanceof GraphQLError) || thrown.path !== undefined) return false;
  if (thrown.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) return true;
  const { http } = thrown.extensions;
  return typeof http === 'object' && http !== null && 'status' in http && http.status === 400;
}

/**
 * Whether GraphQL reports the error at an argument. An error it reports at a field is a fault of the schema, and its
 * message may quote data.
 */
function isAboutArgument(origin: GraphQLError): boolean {
  const kind = origin.nodes?.[0]?.kind;
  return kind !== undefined && kind !== Kind.FIELD;
}

function hasCode({ extensions }: GraphQLError): boolean {
  return typeof extensions['code'] === 'string';
}

function pathOf(error: unknown): GraphQLError['path'] {
  return error instanceof GraphQLError ? error.path : undefined;
}

/** Where in the document and in the result the error happened, as far as known. */
function locationOf(error: unknown) {
  if (!(error instanceof GraphQLError)) return {};
  const { nodes, source, positions, path } = error;
  return { nodes: nodes ?? null, source, positions, path };
}

function asGraphQLError(thrown: unknown, origin: GraphQLError): GraphQLError {
  return thrown instanceof GraphQLError ? thrown : origin;
}

function withCode(thrown: unknown, origin: unknown, code: string): GraphQLError {
  const message = origin instanceof Error ? origin.message : String(origin);
  const isAboutWholeRequest = pathOf(thrown) === undefined;
  return new GraphQLError(message, {
    ...locationOf(thrown),
    // `spec`: with application/json, the response to a well-formed request has status 200.
    extensions: isAboutWholeRequest ? { code, http: { status: 400, spec: true } } : { code },
  });
}

function masked(
  thrown: unknown,
  message: string,
  http: { status: number; headers?: Record<string, string> },
  extensions: GraphQLErrorExtensions,
): GraphQLError {
  const path = pathOf(thrown);
  return new GraphQLError(message, {
    ...locationOf(thrown),
    // An error at a path leaves the rest of the result valid, so it must not change the response's status.
    extensions: path === undefined ? { ...extensions, http } : extensions,
  });
}
