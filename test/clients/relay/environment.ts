/** Relay as its quick start configures it, with this API's token, its WebSocket, and lists that refusals stay out of. */
import type { Client } from 'graphql-ws';
import {
  DefaultHandlerProvider,
  Environment,
  type FetchFunction,
  type GraphQLResponse,
  Network,
  Observable,
  type SubscribeFunction,
} from 'relay-runtime';
import { createSockets } from '../subscriptions/graphql-ws.ts';
import type { Access } from '../support/stage.ts';

export type HandlerProvider = typeof DefaultHandlerProvider;

export function createEnvironment(
  access: Access,
  {
    handlerProvider = withoutRefusals,
    sockets = createSockets(access),
  }: { handlerProvider?: HandlerProvider; sockets?: Client } = {},
): Environment & AsyncDisposable {
  const { httpUrl, token } = access;

  const fetchOperation: FetchFunction = async ({ text, name }, variables) => {
    const response = await fetch(httpUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: text, operationName: name, variables }),
    });
    return (await response.json()) as GraphQLResponse;
  };

  const subscribe: SubscribeFunction = ({ text, name }, variables) =>
    Observable.create((sink) =>
      sockets.subscribe(
        { query: text ?? '', operationName: name, variables },
        { ...sink, next: (payload) => sink.next(payload as GraphQLResponse) },
      ),
    );

  const environment = new Environment({
    network: Network.create(fetchOperation, subscribe),
    handlerProvider,
  });
  return Object.assign(environment, { [Symbol.asyncDispose]: async () => await sockets.dispose() });
}

/**
 * Relay's handlers, except that `@appendNode` and `@prependNode` add only what is a node. They stand on the
 * mutation's field, whose value is a refusal when the command was refused; a refusal has no id.
 */
export const withoutRefusals: HandlerProvider = (name) => {
  const handler = DefaultHandlerProvider(name);
  if (name !== 'appendNode' && name !== 'prependNode') return handler;
  return {
    update(store, payload) {
      const value = store.get(payload.dataID)?.getLinkedRecord(payload.fieldKey);
      if (value?.getValue('id') !== undefined) handler.update(store, payload);
    },
  };
};
