/**
 * A client of the gateway: operations over HTTP, and subscriptions that survive lost connections. It runs wherever
 * `fetch` and `WebSocket` do.
 */
import type { Document } from './document.ts';
import { type RequestOptions, sendRequest } from './request.ts';
import {
  type ResumableEvent,
  type ResumeOptions,
  type ResumingSubscription,
  subscribeWithResume,
} from './subscription.ts';
import type { TokenSource } from './token.ts';

export type GatewayClientOptions = {
  /** The gateway's base URL: `http://127.0.0.1:4000`. The API is at `/graphql` below it. */
  url: string;
  /**
   * The bearer token, or a function that returns one. The function is called for every request, every connection, and
   * before the token of a subscription expires. The client does not cache its results.
   */
  token: TokenSource;
};

export type GatewayClient = {
  /**
   * Sends a query or a mutation and returns its data. The refusal of a mutation is part of the data.
   * @throws RequestFailedError when there was no token, when the gateway did not respond in time, or responded with
   *   errors. Except with the code TOKEN_UNAVAILABLE, a mutation may have taken effect nevertheless: repeat it with the
   *   same idempotency key.
   */
  execute<Result, Variables extends Record<string, unknown> = Record<string, unknown>>(
    document: Document<Result, Variables>,
    variables: Variables,
    options?: RequestOptions,
  ): Promise<Result>;
  /** Subscribes. Whenever the connection is lost, it reconnects and resumes after the last event received. */
  subscribeWithResume<Result, Variables, Event extends ResumableEvent>(
    options: ResumeOptions<Result, Variables, Event>,
  ): ResumingSubscription<Event>;
  /** Ends every subscription made through this client. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export function createGatewayClient({ url, token }: GatewayClientOptions): GatewayClient {
  const endpoint = new URL('graphql', url.endsWith('/') ? url : `${url}/`).href;
  const subscriptions = new Set<{ dispose(): Promise<void> }>();
  const dispose = async () => {
    await Promise.all([...subscriptions].map((subscription) => subscription.dispose()));
  };
  return {
    execute: (document, variables, options = {}) =>
      sendRequest({ endpoint, token }, document, variables, options),
    subscribeWithResume(options) {
      const subscription = subscribeWithResume({ url: endpoint.replace(/^http/, 'ws'), token }, options, () =>
        subscriptions.delete(subscription),
      );
      subscriptions.add(subscription);
      return subscription;
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
