/** Where a request came from, as far as that is known. What it causes has it on the audit log and in the logs. */
export type RequestSource = {
  /** The address of the client, as client-address.ts writes it; null: it is not known. */
  readonly clientAddress: string | null;
  /** What the client or a proxy calls the request, in `X-Request-ID`; otherwise what the gateway does. */
  readonly requestId: string | null;
  /** The trace of which the request says that it is a part, in `traceparent`: 32 hexadecimal digits. */
  readonly traceId: string | null;
  /** What the program that sent it calls itself. */
  readonly userAgent: string | null;
};

/** Of what no request causes. */
export const noSource: RequestSource = {
  clientAddress: null,
  requestId: null,
  traceId: null,
  userAgent: null,
};

/** An id that can be kept and written anywhere: at most 200 characters of visible ASCII. Null for any other. */
export function requestIdFrom(header: string | undefined): string | null {
  return header !== undefined && /^[\x21-\x7e]{1,200}$/.test(header) ? header : null;
}

/** The id of the trace in a `traceparent` of W3C Trace Context, of any version; null where there is none. */
export function traceIdFrom(header: string | undefined): string | null {
  const [, version, traceId = null] =
    /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/.exec(header ?? '') ??
    [];
  return version === 'ff' ? null : traceId;
}

const longestUserAgent = 256;

/**
 * The name of the program, which anybody chooses: in visible ASCII, with a `?` for whatever else it has, and at most
 * `longestUserAgent` characters of it.
 */
export function userAgentFrom(header: string | undefined): string | null {
  const text = (header ?? '')
    .slice(0, longestUserAgent)
    .replace(/[^\x20-\x7e]/g, '?')
    .trim();
  return text === '' ? null : text;
}
