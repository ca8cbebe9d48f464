import type { IncomingMessage } from 'node:http';
import { clientAddress, type IsTrusted } from '../platform/client-address.ts';
import type { RequestSource } from '../platform/request-source.ts';

/** Where a request came from. It is settled when it is asked first, while the request's socket is there. */
export type SourceOf = (request: IncomingMessage) => RequestSource;

export function createSourceOf(isTrusted: IsTrusted): SourceOf {
  const settled = new WeakMap<IncomingMessage, RequestSource>();
  return (request) => {
    const known = settled.get(request);
    if (known !== undefined) return known;
    const forwarded = request.headers['x-forwarded-for'];
    const source = {
      // Node joins the lines of a header that occurs more than once.
      clientAddress: clientAddress(request.socket.remoteAddress, forwarded?.toString(), isTrusted),
    };
    settled.set(request, source);
    return source;
  };
}
