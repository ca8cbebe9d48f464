import { type Client, createClient } from 'graphql-ws';
import type { Access } from '../support/stage.ts';
import { backoff, resuming } from './resume.ts';

/** A graphql-ws client that connects again whenever a connection is lost, and resumes its subscriptions. */
export function createSockets({ webSocketUrl, getToken }: Access, wait = backoff): Client {
  /** How often in a row the token was refused, or had expired. */
  let refusals = 0;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  /** Gives the connection up unless this is called again, or `clearTimeout`, within this time. */
  const expectWithin = (ms: number) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => client.terminate(), ms);
  };
  const client = createClient({
    url: webSocketUrl,
    // A function: the gateway closes a socket when its token expires, and the next one needs a newer token.
    connectionParams: async () => ({ authorization: `Bearer ${await getToken()}` }),
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: wait,
    // The default gives up when a connection cannot be opened, or is reset.
    shouldRetry: () => refusals < 2,
    keepAlive: 10_000,
    on: {
      connecting: () => expectWithin(15_000),
      connected() {
        refusals = 0;
        clearTimeout(watchdog);
      },
      ping: (isReceived) => isReceived || expectWithin(5_000),
      pong: (isReceived) => isReceived && clearTimeout(watchdog),
      closed(event) {
        if ((event as CloseEvent).code === 4403) refusals += 1;
        clearTimeout(watchdog);
      },
    },
  });
  return { ...client, ...resuming(client, wait) };
}
