import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestRefusedError } from './request-body.ts';

/** Decides which web pages may talk to the gateway. Programs send no `Origin` and are not concerned. */
export type OriginPolicy = {
  /** True for no origin, the gateway's own, and the allowed ones. */
  allows(request: IncomingMessage): boolean;
  /**
   * Throws {@link RequestRefusedError} (403) for other origins; otherwise sets the headers by which a
   * browser lets the page read the answer.
   */
  apply(request: IncomingMessage, response: ServerResponse): void;
};

const preflightMaxAgeSeconds = 600;

/** `allowedOrigins` are exact: scheme, host and port, as browsers send them. */
export function createOriginPolicy(allowedOrigins: readonly string[]): OriginPolicy {
  const allowed = new Set(allowedOrigins);
  const allows = (request: IncomingMessage): boolean => {
    const origin = request.headers.origin;
    return origin === undefined || allowed.has(origin) || isSameOrigin(request);
  };
  return {
    allows,
    apply(request, response) {
      response.setHeader('vary', 'Origin');
      if (!allows(request)) throw foreignOrigin();
      const origin = request.headers.origin;
      if (origin === undefined) return;
      response.setHeader('access-control-allow-origin', origin);
      if (request.method === 'OPTIONS') {
        response.setHeader('access-control-allow-methods', 'GET, POST');
        response.setHeader('access-control-allow-headers', 'authorization, content-type, last-event-id');
        response.setHeader('access-control-max-age', preflightMaxAgeSeconds);
      }
    },
  };
}

/**
 * Whether a page of this very gateway asks, or no page at all. The scheme is not compared: in front of the
 * gateway a proxy may speak TLS.
 */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/**
 * Whether the client addressed the gateway as this machine. A page whose own name was made to point here
 * (DNS rebinding) has the same origin, but not such a host.
 */
export function isAddressedAsLoopback(request: IncomingMessage): boolean {
  const name = /^(.*?)(:\d+)?$/.exec(request.headers.host?.toLowerCase() ?? '')?.[1] ?? '';
  return /^(localhost|[a-z\d-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(name);
}

export function foreignOrigin(): RequestRefusedError {
  return new RequestRefusedError(
    403,
    'ORIGIN_NOT_ALLOWED',
    'Pages of this origin may not use the gateway. Its operator can add the origin to ALLOWED_ORIGINS.',
  );
}
