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
  /** The gateway's base URL: `http://127.0.0.1:4000`. The API is at `/graphql` below it. */
  url: string;
  /**
   * The bearer token, or a function that returns one. The function is called for every request and every connection,
   * so subscriptions outlive a token. The client does not cache its results.
   */
  token: TokenSource;
};

export type TokenSource = string | (() => string | Promise<string>);

export type GatewayClient = {
  /**
   * Sends a query or a mutation and returns its data. The refusal of a mutation is part of the data.
   * @throws RequestFailedError when the gateway did not respond in time, or responded with errors. A mutation may
   *   have taken effect nevertheless: repeat it with the same idempotency key.
   */
  execute<Result, Variables extends Record<string, unknown>>(
    document: TypedDocumentNode<Result, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Result>;
  /** Subscribes. Whenever the connection is lost, it reconnects and resumes after the last event received. */
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
