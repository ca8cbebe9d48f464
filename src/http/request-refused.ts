import { randomUUID } from 'node:crypto';
import type { RequestSource } from '../platform/request-source.ts';
import type { Log } from './log.ts';

/** An HTTP request refused for a reason that its sender can act on. */
export class RequestRefusedError extends Error {
  override readonly name = 'RequestRefusedError';
  /** The HTTP status of the response. */
  readonly status: number;
  readonly code: string;
  /** Further members of the error in the response, beside its code. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export function badRequest(message: string, cause?: unknown): RequestRefusedError {
  return new RequestRefusedError(400, 'BAD_REQUEST', message, {}, { cause });
}

export const drainingMessage =
  'This gateway is shutting down. Connect again, which reaches another one, and repeat the request.';

/** The refusal of any new request while the gateway drains. */
export function drainingError(): RequestRefusedError {
  return new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', drainingMessage);
}

export const databaseUnavailableMessage =
  'The gateway cannot reach its database at the moment. Try again shortly.';

/**
 * Logs an unexpected error under a new id, and returns the error for the client: its message reveals only the id.
 * @param logMessage what failed, for the log
 */
export function internalError(
  error: unknown,
  source: RequestSource,
  log: Log,
  logMessage: string,
): RequestRefusedError {
  const errorId = randomUUID();
  log.error({ ...source, errorId, err: error }, logMessage);
  return new RequestRefusedError(500, 'INTERNAL_SERVER_ERROR', internalErrorMessage(errorId), { errorId });
}

export function internalErrorMessage(errorId: string): string {
  return `Something went wrong on our side. Quote ${errorId} when you report it.`;
}
