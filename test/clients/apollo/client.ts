/** Apollo Client as its documentation configures it, with what this API needs beside. */
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { OperationTypeNode } from 'graphql';
import type { Client } from 'graphql-ws';
import possibleTypes from '../../../schema/possible-types.json' with { type: 'json' };
import { createSockets } from '../subscriptions/graphql-ws.ts';
import { sha256 } from '../support/sha256.ts';
import type { Access } from '../support/stage.ts';

export const createCache = (): InMemoryCache =>
  new InMemoryCache({
    // `... on Error` matches nothing without it: refusals are read empty.
    possibleTypes,
    typePolicies: {
      Query: {
        fields: {
          accounts: relayStylePagination(['filter']),
          auditLog: relayStylePagination(['filter']),
          grants: relayStylePagination(['filter']),
          tickets: relayStylePagination(['filter']),
        },
      },
      // Parts of other objects: they have no id, and queries select different fields of them.
      AccessEligibility: { merge: true },
      GrantPermissions: { merge: true },
      SupportAccessPolicy: { merge: true },
      TicketPermissions: { merge: true },
    },
  });

export type ApolloOptions = {
  cache?: InMemoryCache;
  persistedQueries?: boolean;
  sockets?: Client;
  fetch?: typeof fetch;
};

export function createApolloClient(access: Access, options: ApolloOptions = {}) {
  const { httpUrl, token } = access;
  const { cache = createCache(), sockets = createSockets(access) } = options;
  const http = new HttpLink({
    uri: httpUrl,
    headers: { authorization: `Bearer ${token}` },
    fetch: options.fetch ?? fetch,
  });
  const client = new ApolloClient({
    cache,
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(sockets),
      options.persistedQueries ? new PersistedQueryLink({ sha256 }).concat(http) : http,
    ),
  });
  return {
    client,
    [Symbol.asyncDispose]: async () => {
      client.stop();
      await sockets.dispose();
    },
  };
}
