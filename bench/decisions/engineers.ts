/** The process of the engineers: each is subscribed to the events of their support sessions, through graphql-ws. */
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { now } from '../realtime/clock.ts';
import { answerRequests } from '../realtime/processes.ts';
import { tokenOf } from './asking.ts';

const query = 'subscription { sessionEvents { type session { id } } }';

type Event = { sessionEvents: { type: string } };

let endedAt: Float64Array = new Float64Array();

const handlers = {
  /** Resolves when every subscription has begun. */
  async subscribe({ url, emails }: { url: string; emails: string[] }): Promise<void> {
    endedAt = new Float64Array(emails.length);
    for (const [at, email] of emails.entries()) await follow(url, email, at);
  },

  /** When each engineer's session ended at the engineer; 0: it has not, as far as the engineer knows. */
  endedAt: (): Float64Array => endedAt,
};

async function follow(url: string, email: string, at: number): Promise<void> {
  const client: Client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${await tokenOf(url, email)}` },
  });
  const started = Promise.withResolvers<void>();
  client.subscribe<Event>(
    { query },
    {
      next({ data, errors }) {
        if (errors !== undefined) started.reject(new Error(JSON.stringify(errors)));
        if (data?.sessionEvents.type === 'STARTED') started.resolve();
        if (data?.sessionEvents.type === 'SESSION_ENDED') endedAt[at] = now();
      },
      error: (error) => started.reject(error instanceof Error ? error : new Error(JSON.stringify(error))),
      complete: () => undefined,
    },
  );
  await started.promise;
}

answerRequests(handlers);
export type EngineersHandlers = typeof handlers;
