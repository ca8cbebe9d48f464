/** urql with its normalized cache as its documentation configures them, with what this API needs beside. */
import { readFileSync } from 'node:fs';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { getIntrospectedSchema, minifyIntrospectionQuery } from '@urql/introspection';
import type { Client, Sink } from 'graphql-ws';
import { fetchExchange, subscriptionExchange, Client as UrqlClient } from 'urql';
import { createSockets } from '../subscriptions/graphql-ws.ts';
import type { Access } from '../support/stage.ts';

const schema = minifyIntrospectionQuery(getIntrospectedSchema(readFileSync('schema/schema.graphql', 'utf8')));

// Types without an id are parts of what they stand in: refusals, eligibilities, policies.
const embedded = schema.__schema.types.filter(
  (type) => type.kind === 'OBJECT' && !type.fields.some(({ name }) => name === 'id'),
);

const createCacheExchange = () =>
  cacheExchange({
    // With the schema, `... on Error` matches exactly the errors.
    schema,
    keys: Object.fromEntries(embedded.map(({ name }) => [name, () => null])),
    resolvers: {
      Query: {
        accounts: relayPagination(),
        auditLog: relayPagination(),
        grants: relayPagination(),
        tickets: relayPagination(),
      },
    },
    updates: {
      Mutation: {
        denyDataAccess(result, _args, cache) {
          const answer = result['denyDataAccess'] as { __typename: string };
          // A refusal changed nothing.
          if (answer.__typename !== 'Grant') return;
          for (const list of cache.inspectFields('Query')) {
            if (list.fieldName === 'grants') cache.invalidate('Query', list.fieldName, list.arguments);
          }
        },
      },
    },
  });

export type UrqlOptions = { sockets?: Client; fetch?: typeof fetch };

export function createUrqlClient(access: Access, options: UrqlOptions = {}) {
  const { sockets = createSockets(access) } = options;
  const { httpUrl, token } = access;
  const client = new UrqlClient({
    url: httpUrl,
    fetch: options.fetch ?? fetch,
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
    exchanges: [
      createCacheExchange(),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({
            unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink as Sink),
          }),
        }),
      }),
    ],
  });
  return { client, [Symbol.asyncDispose]: async () => await sockets.dispose() };
}
