/**
 * A server of the protocol that delivers what a test says: for what a gateway does at moments that no test can choose.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, type ExecutionArgs, GraphQLError } from 'graphql';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

export type ScriptedEvent = { id: string; cursor: string; type: string; problem?: string };

export const document = 'subscription ($after: String) { grantEvents(after: $after) { id cursor type } }';
export const eventOf = (data: { grantEvents: ScriptedEvent }): ScriptedEvent => data.grantEvents;

/** What a connection delivers to a client that asks for the events after this cursor. */
export type Script = (after: string | null) => AsyncIterable<ScriptedEvent> | Iterable<ScriptedEvent>;

export type ScriptedServer = AsyncDisposable & {
  readonly url: string;
  /** The cursors after which the client has asked for events: one for each connection. */
  readonly asked: readonly (string | null)[];
  /** Resolves when the connection with this number, from 0, has closed. */
  closed(connection: number): Promise<unknown>;
  /** Resolves when a client has sent a ping. The server answers none. */
  readonly pinged: Promise<void>;
  /** Breaks all connections. */
  cut(): void;
};

const schema = buildSchema(`
  type Query { any: Int }
  type Event { id: ID!, cursor: String!, type: String! }
  type Subscription { grantEvents(after: String): Event! }
`);

/** @param scripts one for each connection, in order; the connections stay open after them */
export async function startScriptedServer(...scripts: readonly Script[]): Promise<ScriptedServer> {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, path: '/graphql' });
  const asked: (string | null)[] = [];
  const closings: Promise<unknown>[] = [];
  const ping = Promise.withResolvers<void>();
  async function* subscribe({ variableValues, contextValue }: ExecutionArgs) {
    const closing = once((contextValue as Extra).socket, 'close');
    const after = (variableValues?.['after'] as string | null | undefined) ?? null;
    closings.push(closing);
    const script = scripts[asked.push(after) - 1];
    for await (const { problem, ...event } of script?.(after) ?? []) {
      const errors = problem === undefined ? [] : [new GraphQLError(problem)];
      yield { data: { grantEvents: event }, ...(errors.length > 0 && { errors }) };
    }
    await closing;
  }
  const onPing = async () => {
    ping.resolve();
    // The answer follows when this resolves.
    await new Promise(() => undefined);
  };
  const { dispose } = useServer({ schema, subscribe, onPing, context: ({ extra }) => extra }, sockets);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    closed: (connection) => closings[connection] ?? Promise.reject(new Error('there was no such connection')),
    pinged: ping.promise,
    cut() {
      for (const socket of sockets.clients) socket.terminate();
    },
    async [Symbol.asyncDispose]() {
      await dispose();
      http.close();
    },
  };
}
