import { randomUUID } from 'node:crypto';
import { GraphQLError, type GraphQLErrorExtensions, Kind } from 'graphql';
import type { Log } from './log.ts';

export type ErrorPolicy = {
  /** Whether an error means that the database (or another thing we need) cannot be reached for now. */
  isUnavailable?: (error: unknown) => boolean;
  /**
   * The code for an error that carries none but whose message is written for the caller, such as a
   * library's own validation errors; undefined for any other.
   */
  codeFor?: (error: unknown) => string | undefined;
};

/** Makes the error that a caller gets out of whatever was thrown. */
export type ErrorMasker = (error: unknown) => GraphQLError;

/**
 * An error reaches the caller as it is when it was meant for them: a `GraphQLError` with a `code` among its
 * extensions, one that the engine raises about the caller's own document and values, or one `policy` names.
 * Everything else is logged under a fresh id, and the caller gets only that id.
 */
export function createErrorMasker(policy: ErrorPolicy, log: Log): ErrorMasker {
  return (thrown) => {
    const origin = originOf(thrown);
    if (isAboutTheRequest(thrown)) {
      return hasCode(thrown) ? thrown : coded(thrown, thrown, 'BAD_USER_INPUT');
    }
    if (origin instanceof GraphQLError) {
      if (hasCode(origin)) return asGraphQLError(thrown, origin);
      if (isAboutAnArgument(origin)) return coded(thrown, origin, 'BAD_USER_INPUT');
    }
    const code = policy.codeFor?.(origin);
    if (code !== undefined) return coded(thrown, origin, code);
    if (policy.isUnavailable?.(origin) === true) {
      log.warn({ err: origin }, 'An operation failed because something it needs is unavailable');
      return replaced(thrown, 'The gateway cannot reach its database for now. Try again shortly.', 503, {
        code: 'SERVICE_UNAVAILABLE',
      });
    }
    const errorId = randomUUID();
    log.error({ errorId, err: origin, path: pathOf(thrown) }, 'An operation failed unexpectedly');
    return replaced(thrown, `Something went wrong on our side. Quote ${errorId} when you report it.`, 500, {
      code: 'INTERNAL_SERVER_ERROR',
      errorId,
    });
  };
}

/** The error as clients get it: without the notes by which the transports tell each other a status. */
export function withoutTransportNotes(error: GraphQLError): GraphQLError {
  const { http: _http, unexpected: _unexpected, ...extensions } = error.extensions;
  return new GraphQLError(error.message, {
    ...placeOf(error),
    extensions,
  });
}

/** An error about a request as a whole. Over HTTP it is answered with `status`. */
export function requestError(
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
): GraphQLError {
  const http = headers === undefined ? { status } : { status, headers };
  return new GraphQLError(message, { extensions: { code, http } });
}

/** What was first thrown: engines wrap an error to say where in the result it happened. */
function originOf(error: unknown): unknown {
  let origin = error;
  while (origin instanceof GraphQLError && origin.originalError != null) origin = origin.originalError;
  return origin;
}

/** Wrong variables, and the like: refused before anything began, at the variable or with this status. */
function isAboutTheRequest(thrown: unknown): thrown is GraphQLError {
  if (!(thrown instanceof GraphQLError) || thrown.path !== undefined) return false;
  if (thrown.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) return true;
  const { http } = thrown.extensions;
  return typeof http === 'object' && http !== null && 'status' in http && http.status === 400;
}

/**
 * What the engine says about an argument, it reports at the argument. What it reports at a field is a fault
 * of the schema, which may quote data.
 */
function isAboutAnArgument(origin: GraphQLError): boolean {
  const place = origin.nodes?.[0]?.kind;
  return place !== undefined && place !== Kind.FIELD;
}

function hasCode({ extensions }: GraphQLError): boolean {
  return typeof extensions['code'] === 'string';
}

function pathOf(error: unknown): GraphQLError['path'] {
  return error instanceof GraphQLError ? error.path : undefined;
}

/** Where in the document and in the result it happened, as far as known. */
function placeOf(error: unknown) {
  if (!(error instanceof GraphQLError)) return {};
  const { nodes, source, positions, path } = error;
  return { nodes: nodes ?? null, source, positions, path };
}

function asGraphQLError(thrown: unknown, origin: GraphQLError): GraphQLError {
  return thrown instanceof GraphQLError ? thrown : origin;
}

function coded(thrown: unknown, origin: unknown, code: string): GraphQLError {
  const message = origin instanceof Error ? origin.message : String(origin);
  const isWhole = pathOf(thrown) === undefined;
  return new GraphQLError(message, {
    ...placeOf(thrown),
    // To a client that only knows application/json, every well-formed answer is a 200.
    extensions: isWhole ? { code, http: { status: 400, spec: true } } : { code },
  });
}

function replaced(
  thrown: unknown,
  message: string,
  status: number,
  extensions: GraphQLErrorExtensions,
): GraphQLError {
  const path = pathOf(thrown);
  return new GraphQLError(message, {
    ...placeOf(thrown),
    // Where part of the result is good, the answer as a whole is.
    extensions: path === undefined ? { ...extensions, http: { status } } : extensions,
  });
}
