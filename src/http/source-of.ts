import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { clientAddress, type IsTrusted } from '../platform/client-address.ts';
import { type RequestSource, requestIdFrom, traceIdFrom, userAgentFrom } from '../platform/request-source.ts';

/** Where a request came from. It is settled when it is asked first, while the request's socket is there. */
export type SourceOf = (request: IncomingMessage) => RequestSource;

export function createSourceOf(isTrusted: IsTrusted): SourceOf {
  const settled = new WeakMap<IncomingMessage, RequestSource>();
  return (request) => {
    const known = settled.get(request);
    if (known !== undefined) return known;
    // Node joins the lines of a header that occurs more than once.
    const header = (name: string) => request.headers[name]?.toString();
    const source = {
      clientAddress: clientAddress(request.socket.remoteAddress, header('x-forwarded-for'), isTrusted),
      requestId: requestIdFrom(header('x-request-id')) ?? randomUUID(),
      traceId: traceIdFrom(header('traceparent')),
      userAgent: userAgentFrom(header('user-agent')),
    };
    settled.set(request, source);
    return source;
  };
}
