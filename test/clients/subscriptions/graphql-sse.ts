/** graphql-sse's client in distinct connections mode: each subscription is an event stream of its own. */
import { type Client, createClient } from 'graphql-sse';
import type { Access } from '../support/stage.ts';
import { type EventStreamOptions, fetchWith } from './fetch.ts';
import { backoff, resuming, type Subscriptions } from './resume.ts';

export function createEventStreams(
  { httpUrl, getToken }: Access,
  { wait = backoff, silenceMs }: EventStreamOptions = {},
): Subscriptions & Pick<Client, 'dispose'> {
  const client = createClient({
    url: httpUrl,
    fetchFn: fetchWith(getToken, silenceMs),
    // `resuming` tries again: graphql-sse would repeat refused requests as well.
    retryAttempts: 0,
  });
  return { ...client, ...resuming(client as Subscriptions, wait) };
}
