/** The public API of the package. */
export {
  createGatewayClient,
  type GatewayClient,
  type GatewayClientOptions,
} from './client.ts';
export { developmentToken } from './development-token.ts';
export type { Document, ResumableDocument } from './document.ts';
export { RequestFailedError, SubscriptionEndedError } from './errors.ts';
export type { RequestOptions } from './request.ts';
export type { ResumableEvent, ResumeOptions, ResumingSubscription } from './subscription.ts';
export type { TokenSource } from './token.ts';
