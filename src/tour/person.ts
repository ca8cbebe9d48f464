import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { createGatewayClient, developmentToken, type GatewayClient } from '../../client/src/index.ts';
import { ViewerDocument } from '../../schema/generated/operations.ts';

/** A person who is signed in to a gateway. */
export type Person = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly client: GatewayClient;
  /** A token for requests that are not GraphQL. */
  readonly token: () => Promise<string>;
  /** Runs a mutation and returns the value of its only field: an object, or the reason for a refusal. */
  attempt<Result extends Record<string, unknown>, Input>(
    document: TypedDocumentNode<Result, { input: Input }>,
    input: Input,
  ): Promise<Result[keyof Result]>;
};

/** Signs in with a development token, and reads the account from the gateway. */
export async function signIn(url: string, email: string): Promise<Person> {
  // Requests share one token. A subscription may outlive it, so it gets a new token each time it connects.
  let token: Promise<string> | undefined;
  const getToken = developmentToken(url, email);
  const requests = createGatewayClient({ url, token: () => (token ??= getToken()) });
  const client: GatewayClient = {
    ...createGatewayClient({ url, token: getToken }),
    execute: requests.execute,
  };
  const { viewer } = await client.execute(ViewerDocument, {});
  const { account } = viewer;
  return {
    id: account.id,
    name: account.name,
    email: account.email,
    client,
    token: getToken,
    async attempt(document, input) {
      const result = await client.execute(document, { input });
      const [answer] = Object.values(result);
      // A mutation document has exactly one field.
      return answer as (typeof result)[keyof typeof result];
    },
  };
}
