import type { GraphQLError } from 'graphql';
import { requestError } from '../errors.ts';

/**
 * Whether a request names a persisted query by its hash instead of sending the text (Apollo's automatic persisted
 * queries, which urql and others use as well).
 */
export function isPersistedQuery(params: {
  query?: string | null | undefined;
  extensions?: Record<string, unknown> | null | undefined;
}): boolean {
  return !params.query && params.extensions?.['persistedQuery'] !== undefined;
}

/**
 * The gateway keeps no persisted queries. Clients recognize this message and code, and send the text instead. Message,
 * code and status are those of Apollo Server.
 */
export function persistedQueryNotSupported(): GraphQLError {
  return requestError(200, 'PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported');
}
