/**
 * A client of the gateway: operations over HTTP, and subscriptions that survive lost connections.
 *
 *     const gateway = createGatewayClient({ url: 'http://127.0.0.1:4000', token });
 *     const { viewer } = await gateway.execute(ViewerDocument, {});
 *     for await (const event of gateway.subscribeWithResume({
 *       document: GrantEventsDocument,
 *       eventOf: ({ grantEvents }) => grantEvents,
 *     })) { … }
 *
 * It runs wherever `fetch` and `WebSocket` do.
 */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type RequestOptions, sendRequest } from './request.ts';
import {
  type ResumableEvent,
  type ResumeOptions,
  type ResumingSubscription,
  subscribeWithResume,
} from './subscription.ts';

export type GatewayClientOptions = {
  /** Where the gateway is: `http://127.0.0.1:4000`. The API is at `/graphql` below it. */
  url: string;
  /**
   * The bearer token, or how to get one. A function is asked for every request and every connection, so that
   * subscriptions outlive a token; it caches as it likes.
   */
  token: TokenSource;
};

export type TokenSource = string | (() => string | Promise<string>);

export type GatewayClient = {
  /**
   * Sends a query or a mutation and answers its data. Refusals of mutations are part of the data.
   * @throws RequestFailedError when there is no data: the gateway could not be reached within the time, or it
   *   refused the request as a whole. A mutation may have taken effect all the same: repeat it with the same
   *   idempotency key.
   */
  execute<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Result>;
  /** Subscribes, and goes on from the last event received after every loss of the connection. */
  subscribeWithResume<Result, Variables extends { after?: unknown }, Event extends ResumableEvent>(
    options: ResumeOptions<Result, Variables, Event>,
  ): ResumingSubscription<Event>;
  /** Ends every subscription made through this client. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export function createGatewayClient({ url, token }: GatewayClientOptions): GatewayClient {
  const endpoint = new URL('graphql', url.endsWith('/') ? url : `${url}/`).href;
  const getToken = async () => (typeof token === 'string' ? token : await token());
  const subscriptions = new Set<{ dispose(): Promise<void> }>();
  const dispose = async () => {
    await Promise.all([...subscriptions].map((subscription) => subscription.dispose()));
  };
  return {
    execute: (document, variables, options = {}) =>
      sendRequest({ endpoint, getToken }, document, variables, options),
    subscribeWithResume(options) {
      const subscription = subscribeWithResume(
        { url: endpoint.replace(/^http/, 'ws'), getToken, canRenewToken: typeof token !== 'string' },
        options,
        () => subscriptions.delete(subscription),
      );
      subscriptions.add(subscription);
      return subscription;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
