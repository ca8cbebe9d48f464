import type { IncomingMessage, ServerResponse } from 'node:http';
import { RequestRefusedError } from './request-refused.ts';

/** Decides which web pages may use the gateway. Programs send no `Origin`, so it does not concern them. */
export type OriginPolicy = {
  /** True for a request without an origin, of the gateway's own origin, or of an allowed one. */
  allows(request: IncomingMessage): boolean;
  /**
   * Sets the CORS headers that let the page read the response.
   * @throws RequestRefusedError 403 for an origin that is not allowed
   */
  apply(request: IncomingMessage, response: ServerResponse): void;
};

const preflightMaxAgeSeconds = 600;

/** @param allowedOrigins exact origins as browsers send them: scheme, host and port */
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
      response.setHeader('access-control-expose-headers', 'retry-after');
      if (request.method === 'OPTIONS') {
        response.setHeader('vary', 'Origin, Access-Control-Request-Headers');
        response.setHeader('access-control-allow-methods', 'GET, POST');
        response.setHeader('access-control-allow-headers', allowedHeaders(request));
        response.setHeader('access-control-max-age', preflightMaxAgeSeconds);
      }
    },
  };
}

/**
 * The headers that the page asks for: clients and tracing add their own, and the gateway ignores those it does not
 * know. A wildcard would not cover `authorization`.
 */
function allowedHeaders(request: IncomingMessage): string {
  const asked = request.headers['access-control-request-headers'] ?? '';
  return /^[\w!#$%&'*+.^`|~, \t-]+$/.test(asked) ? asked : 'authorization, content-type, last-event-id';
}

/**
 * Whether the request comes from a page of this gateway, or from no page at all. The scheme is not compared, because
 * a proxy in front of the gateway may terminate TLS.
 */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

/**
 * Whether the `Host` header names this machine. An attacker's page whose own name was made to resolve to this
 * machine (DNS rebinding) passes the same-origin check, but has another host name.
 */
export function isAddressedAsLoopback(request: IncomingMessage): boolean {
  const name = /^(.*?)(:\d+)?$/.exec(request.headers.host?.toLowerCase() ?? '')?.[1] ?? '';
  return /^(localhost|[a-z\d-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(name);
}

/** Headers by which proxies and tunnels tell for whom they forward a request. */
const forwardingHeaders =
  /^(forwarded|via|x-forwarded(-.*)?|x-(real|client|cluster-client)-ip|(true-)?client-ip|(cf|fastly|x-envoy|x-original|x-azure|x-amzn)-.*)$/;

/** Whether a proxy or a tunnel has passed the request on, so that it may come from another machine. */
export function isForwarded(request: IncomingMessage): boolean {
  return Object.keys(request.headers).some((name) => forwardingHeaders.test(name));
}

export function foreignOrigin(): RequestRefusedError {
  return new RequestRefusedError(
    403,
    'ORIGIN_NOT_ALLOWED',
    'Pages of this origin may not use the gateway. Its operator can add the origin to ALLOWED_ORIGINS.',
  );
}
