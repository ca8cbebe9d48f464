import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { ViewerDocument } from '../../schema/generated/operations.ts';
import { createGatewayClient, type GatewayClient } from '../client/client.ts';
import { developmentToken } from '../client/development-token.ts';

/** Somebody who uses a gateway, signed in as themselves. */
export type Player = {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly client: GatewayClient;
  /** Gives a mutation and answers its one field: the thing, or why not. */
  attempt<Result extends Record<string, unknown>, Input>(
    document: TypedDocumentNode<Result, { input: Input }>,
    input: Input,
  ): Promise<Result[keyof Result]>;
};

/** Signs in with a development token, and asks the gateway who that is. */
export async function signIn(url: string, email: string): Promise<Player> {
  // One token does for a short program; a long subscription asks for its own.
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
    async attempt(document, input) {
      const result = await client.execute(document, { input });
      const [answer] = Object.values(result);
      // A mutation document has one field, so this is it.
      return answer as (typeof result)[keyof typeof result];
    },
  };
}
