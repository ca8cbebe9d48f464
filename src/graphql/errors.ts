/** The typed errors of the API, and the conversion of a command's refusal to one of them. */
import { GraphQLError } from 'graphql';
import type { FieldProblem, Refusal, RefusalKind, StateRefusalCode } from '../commands/refusal.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { ObstacleCode } from '../roles/eligibility.ts';

class ApiError<Code extends string = string> extends Error {
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

export class NotFoundError extends ApiError<'NOT_FOUND'> {}
export class ForbiddenError extends ApiError<'FORBIDDEN'> {}
export class InvalidStateError extends ApiError<StateRefusalCode> {}

export class NotEligibleError extends ApiError<'NOT_ELIGIBLE'> {
  readonly ticketId: string;
  readonly obstacles: readonly ObstacleCode[];
  constructor(message: string, ticketId: string, obstacles: readonly ObstacleCode[]) {
    super('NOT_ELIGIBLE', message);
    this.ticketId = ticketId;
    this.obstacles = obstacles;
  }
}

export class InvalidInputError extends ApiError<'INVALID_INPUT'> {
  readonly fields: readonly FieldProblem[];
  constructor(message: string, fields: readonly FieldProblem[]) {
    super('INVALID_INPUT', message);
    this.fields = fields;
  }
}

export class SupportSessionOpenError extends ApiError<'SESSION_ALREADY_OPEN'> {
  readonly sessionId: string;
  constructor(message: string, sessionId: string) {
    super('SESSION_ALREADY_OPEN', message);
    this.sessionId = sessionId;
  }
}

export class ConflictError extends ApiError<'VERSION_CONFLICT' | 'IDEMPOTENCY_KEY_REUSED'> {
  readonly currentVersion: number | null;
  constructor(
    code: 'VERSION_CONFLICT' | 'IDEMPOTENCY_KEY_REUSED',
    message: string,
    currentVersion: number | null,
  ) {
    super(code, message);
    this.currentVersion = currentVersion;
  }
}

export class UnavailableError extends ApiError<'SERVICE_UNAVAILABLE' | 'NOT_BEGUN'> {}

/** The class of the typed error for each kind of refusal. */
export const errorTypes = {
  InvalidInput: InvalidInputError,
  NotFound: NotFoundError,
  Forbidden: ForbiddenError,
  NotEligible: NotEligibleError,
  InvalidState: InvalidStateError,
  SessionOpen: SupportSessionOpenError,
  Conflict: ConflictError,
  Unavailable: UnavailableError,
} as const satisfies Record<RefusalKind, unknown>;

export type MutationError = InstanceType<(typeof errorTypes)[RefusalKind]>;

export function toApiError(refusal: Refusal): MutationError {
  switch (refusal.kind) {
    case 'NotFound':
      return new NotFoundError(refusal.code, refusal.message);
    case 'Forbidden':
      return new ForbiddenError(refusal.code, refusal.message);
    case 'NotEligible':
      return new NotEligibleError(refusal.message, refusal.ticketId, refusal.obstacles);
    case 'InvalidInput':
      return invalidInputFrom(
        refusal.fields.map(({ path, message }) => ({ path: ['input', path], message })),
      );
    case 'InvalidState':
      return new InvalidStateError(refusal.code, refusal.message);
    case 'SessionOpen':
      return new SupportSessionOpenError(refusal.message, refusal.sessionId);
    case 'Unavailable':
      return new UnavailableError(refusal.code, refusal.message);
    case 'Conflict':
      return new ConflictError(refusal.code, refusal.message, refusal.currentVersion);
  }
}

/** The error for one invalid field, found by a check that needs more than the field itself. */
export function invalidField(path: string, message: string): InvalidInputError {
  return new InvalidInputError(`${path}: ${message}`, [{ path, message }]);
}

type Issue = { message: string; path?: readonly (PropertyKey | { key: PropertyKey })[] | undefined };

export function invalidInputFrom(issues: readonly Issue[]): InvalidInputError {
  const fields = issues.map(({ message, path = [] }) => ({
    path: path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.'),
    message,
  }));
  return new InvalidInputError(fields.map(({ path, message }) => `${path}: ${message}`).join('; '), fields);
}

/**
 * The error for a field that the viewer may not use: no active account for the token, or not allowed by the
 * authorization table.
 */
export function notPermitted(viewer: Viewer | null): GraphQLError {
  const message =
    viewer === null
      ? 'Your token is valid, but no active account belongs to it. Ask the operator to add you.'
      : 'Your account may not do this.';
  return new GraphQLError(message, { extensions: { code: 'FORBIDDEN' } });
}

/**
 * Refuses what an operation was to do after its end: the mutations of its document and the statements that are left. Nobody
 * waits for them any more.
 */
export function refuseOnceOver({ isOver }: { readonly isOver: boolean }): void {
  if (!isOver) return;
  throw new GraphQLError('The operation was over before this was begun, so it changed nothing.', {
    extensions: { code: 'TOOK_TOO_LONG' },
  });
}

/** The error for a field of an event that is about something whose row is gone, and that has to be read from there. */
export function deletedSince(what: string): GraphQLError {
  return new GraphQLError(
    `The ${what} was deleted from the database since, so only what the event itself says of it can be read.`,
    { extensions: { code: 'DELETED' } },
  );
}

export function badUserInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/** The error that was thrown first. GraphQL wraps it to add where in the result it happened. */
export function originOf(error: unknown): unknown {
  let origin = error;
  while (origin instanceof GraphQLError && origin.originalError != null) origin = origin.originalError;
  return origin;
}
