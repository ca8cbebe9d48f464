/** Subscriptions over EventSource, with the interface of graphql-ws and graphql-sse. */
import { EventSource } from 'eventsource';
import type { Access } from '../support/stage.ts';
import { type EventStreamOptions, fetchWith } from './fetch.ts';
import { backoff, resuming, type Subscriptions } from './resume.ts';

export function createEventSources(
  { httpUrl, getToken }: Access,
  { wait = backoff, silenceMs }: EventStreamOptions = {},
): Subscriptions {
  const fetchWithToken = fetchWith(getToken, silenceMs);
  const client: Subscriptions = {
    subscribe({ query, variables }, sink) {
      const { after, ...others } = { ...variables };
      // Not in the address, where it would precede the Last-Event-ID of a reconnection.
      const start = typeof after === 'string' ? { 'Last-Event-ID': after } : {};
      const address = `${httpUrl}?${new URLSearchParams({ query, variables: JSON.stringify(others) })}`;
      const source = new EventSource(address, {
        fetch: (url, init) => fetchWithToken(url, { ...init, headers: { ...start, ...init.headers } }),
      });
      source.addEventListener('next', ({ data }) => sink.next(JSON.parse(data)));
      source.addEventListener('complete', () => {
        // Otherwise it connects again.
        source.close();
        sink.complete();
      });
      source.addEventListener('error', ({ code }) => {
        // It connects again by itself, unless it was answered with another HTTP status than 200.
        if (source.readyState === source.CLOSED) sink.error({ response: { status: code } });
      });
      return () => source.close();
    },
  };
  return resuming(client, wait);
}
