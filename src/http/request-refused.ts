/** An HTTP request refused for a reason that its sender can act on. */
export class RequestRefusedError extends Error {
  override readonly name = 'RequestRefusedError';
  /** The HTTP status of the response. */
  readonly status: number;
  readonly code: string;
  /** Further members of the response's `error` object. */
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

export const drainingMessage =
  'This gateway is shutting down. Connect again, which reaches another one, and repeat the request.';

/** The refusal of any new request while the gateway drains. */
export function drainingError(): RequestRefusedError {
  return new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', drainingMessage);
}
