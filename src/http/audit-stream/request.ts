/** What `GET /audit/stream` is asked. */
import type { IncomingMessage } from 'node:http';
import { decodeGlobalId } from '../../platform/global-id.ts';
import { isId } from '../../platform/ids.ts';
import { badRequest } from '../request-refused.ts';

/** The most lines of an answer: so many records are read at once. */
const mostLines = 1_000;
/** The most seconds that an answer waits for an entry: less than a load balancer usually does. */
const longestWait = 50;

export type StreamRequest = {
  /** The organization whose log is read, by its database id. Null: the one log that the reader may read. */
  readonly organizationId: string | null;
  readonly start: { readonly cursor: string } | { readonly after: number };
  readonly limit: number;
  /** The size of the last head that the reader has; null: it wants no heads. */
  readonly headAfter: number | null;
  readonly waitMs: number;
};

/** @throws RequestRefusedError 400 that names the parameter */
export function readStreamRequest(request: IncomingMessage): StreamRequest {
  const given = parametersOf(request, ['organization', 'cursor', 'after', 'limit', 'wait', 'head']);
  const [cursor, after] = [given.get('cursor'), given.get('after')];
  if (cursor !== null && after !== null) throw badRequest('Give cursor or after, not both.');
  return {
    organizationId: organizationIn(given.get('organization')),
    start:
      cursor === null ? { after: wholeNumber('after', after, 0, 0, Number.MAX_SAFE_INTEGER) } : { cursor },
    limit: wholeNumber('limit', given.get('limit'), mostLines, 1, mostLines),
    headAfter: given.has('head')
      ? wholeNumber('head', given.get('head'), 0, 0, Number.MAX_SAFE_INTEGER)
      : null,
    waitMs: wholeNumber('wait', given.get('wait'), 0, 0, longestWait) * 1_000,
  };
}

/** @throws RequestRefusedError 400 for another parameter, or one that is given twice */
export function parametersOf(request: IncomingMessage, names: readonly string[]): URLSearchParams {
  const given = new URLSearchParams((request.url ?? '').split('?')[1] ?? '');
  for (const name of given.keys())
    if (!names.includes(name) || given.getAll(name).length > 1)
      throw badRequest(`The parameters are ${names.join(', ')}, each at most once.`);
  return given;
}

export function organizationIn(id: string | null): string | null {
  if (id === null) return null;
  const named = decodeGlobalId(id);
  if (named?.typename !== 'Organization' || !isId(named.id))
    throw badRequest('organization must be the id of an Organization.');
  return named.id;
}

export function wholeNumber(
  name: string,
  text: string | null,
  byDefault: number,
  from: number,
  to: number,
): number {
  if (text === null) return byDefault;
  const number = Number(text);
  if (/^\d{1,16}$/.test(text) && number >= from && number <= to) return number;
  throw badRequest(`${name} must be a whole number from ${from} to ${to}.`);
}
