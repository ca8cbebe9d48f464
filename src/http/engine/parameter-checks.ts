import type { Plugin } from 'graphql-yoga';
import { requestError } from '../errors.ts';
import { isPersistedQuery, persistedQueryNotSupported } from './persisted-queries.ts';

/**
 * Refuses requests without a query, and malformed JSON in a URL. On its own, yoga answers the first with 200 to
 * clients that accept application/json, and the second with 500.
 */
export function checkParameters(): Plugin {
  return {
    onRequestParse({ request, url }) {
      if (request.method !== 'GET') return;
      for (const name of ['variables', 'extensions']) {
        const text = url.searchParams.get(name);
        if (text !== null && text !== '' && !isJson(text)) {
          throw requestError(400, 'BAD_REQUEST', `The parameter "${name}" is not JSON.`);
        }
      }
    },
    onParams({ params }) {
      if (isPersistedQuery(params)) throw persistedQueryNotSupported();
      if (params.query === undefined) throw requestError(400, 'BAD_REQUEST', 'Send a query.');
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
