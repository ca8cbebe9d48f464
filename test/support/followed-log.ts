/** Whoever follows the audit log by the subscription `auditEvents`, over either transport, and resumes as clients do. */
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Json } from './gateway.ts';

const query = (filter: string) => `subscription ($after: String) {
  auditEvents(filter: ${filter}, after: $after) { id type cursor entry { id position action details } } }`;

export type Followed = {
  /** What has arrived, without the beginnings; each with the cursor that comes with it. */
  readonly events: readonly Json[];
  /** The last cursor that has arrived. */
  readonly cursor: string;
  /** Resolves when the subscription has started: what is written from then on arrives. */
  readonly started: Promise<void>;
  /** Resolves with how it ended: the code of its error, or null where the connection was lost. */
  readonly ended: Promise<string | null>;
  end(): void;
};

export type Transport = 'WebSocket' | 'event stream';

type Wanted = { url: string; token: string; filter?: string; after?: string | undefined };

/** @param after a cursor to resume from: over an event stream as `Last-Event-ID` */
export function followLog(transport: Transport, wanted: Wanted): Followed {
  const events: Json[] = [];
  let cursor = wanted.after ?? '';
  const [started, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<string | null>()];
  const take = ({ data, errors }: Json): void => {
    if (errors !== undefined) {
      ended.resolve(errors[0].extensions.code);
      return;
    }
    const event = data.auditEvents;
    cursor = event.cursor;
    if (event.type === 'STARTED') started.resolve();
    else events.push(event);
  };
  const follow = transport === 'WebSocket' ? followOverWebSocket : followOverEventStream;
  const end = follow(wanted, take, ended.resolve);
  // Whoever waits for its start learns that there is none.
  void ended.promise.then((code) => started.reject(new Error(`The subscription ended: ${code}`)));
  started.promise.catch(() => undefined);
  return {
    events,
    get cursor() {
      return cursor;
    },
    started: started.promise,
    ended: ended.promise,
    end,
  };
}

type Follow = (
  wanted: Wanted,
  take: (result: Json) => void,
  end: (code: string | null) => void,
) => () => void;

const followOverWebSocket: Follow = ({ url, token, filter = '{}', after }, take, end) => {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  client.subscribe<Json>(
    { query: query(filter), variables: { after: after ?? null } },
    {
      next: take,
      // Errors of the subscription come as a list; the close of the connection does not.
      error: (error) => end(Array.isArray(error) ? error[0].extensions.code : null),
      complete: () => end(null),
    },
  );
  return () => void client.dispose();
};

const followOverEventStream: Follow = ({ url, token, filter = '{}', after }, take, end) => {
  const over = new AbortController();
  const read = async (): Promise<void> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        ...{ accept: 'text/event-stream', 'content-type': 'application/json' },
        authorization: `Bearer ${token}`,
        ...(after === undefined ? {} : { 'last-event-id': after }),
      },
      body: JSON.stringify({ query: query(filter) }),
      signal: over.signal,
    });
    let buffered = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const blocks = (buffered + chunk).split('\n\n');
      buffered = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
        if (field('event') !== 'next') continue;
        const result = JSON.parse(field('data') ?? '');
        const named = result.data?.auditEvents.cursor;
        if (named !== undefined && field('id') !== named)
          throw new Error('The id of an event is not its cursor');
        take(result);
      }
    }
  };
  read().then(
    () => end(null),
    () => end(null),
  );
  return () => over.abort();
};
