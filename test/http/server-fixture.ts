import { once } from 'node:events';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { type Client, type ClientOptions, createClient, type SubscribePayload } from 'graphql-ws';
import { createSchema } from 'graphql-yoga';
import { WebSocket } from 'ws';
import type { Limits } from '../../src/http/limits.ts';
import type { Log } from '../../src/http/log.ts';
import type { OperationInfo } from '../../src/http/running-operation.ts';
import { type HttpServerOptions, startHttpServer } from '../../src/http/server.ts';
import { createDevelopmentIssuer } from '../../src/identity/development-issuer.ts';
import { generousLimits, generousMs } from '../support/deadlines.ts';
import { subscribeToIterables } from '../support/push.ts';

export class DatabaseGoneError extends Error {}

/** Like the errors of schema libraries: a GraphQLError without a code. */
export class WrongCursorError extends GraphQLError {}

/** The source of the subscription `values`. It counts its open iterators. */
class ValueSource {
  readonly #waiting = new Set<(value: number) => void>();
  readonly #events = new EventTarget();
  open = 0;

  emit(value: number): void {
    for (const resolve of this.#waiting) resolve(value);
    this.#waiting.clear();
  }

  /** Resolves when exactly this many iterators are open. */
  async untilOpen(count: number): Promise<void> {
    while (this.open !== count) await once(this.#events, 'change');
  }

  /** A generator cannot handle `return` while it waits for a promise, so it needs the operation's signal. */
  async *values(signal: AbortSignal): AsyncGenerator<number> {
    this.#change(+1);
    try {
      while (!signal.aborted) {
        yield await new Promise<number>((resolve, reject) => {
          this.#waiting.add(resolve);
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      }
    } finally {
      this.#change(-1);
    }
  }

  #change(by: number): void {
    this.open += by;
    this.#events.dispatchEvent(new Event('change'));
  }
}

type TestContext = OperationInfo & { serial: number };

/** The operation as a plain object. */
export function contextOf(operation: OperationInfo): OperationInfo {
  const { transport, session, source, signal, isOver, isStreaming, endsAccess, isRepeatable } = operation;
  return {
    transport,
    session,
    source,
    signal,
    isOver,
    isStreaming,
    endsAccess,
    isRepeatable,
    identify: (account) => operation.identify(account),
  };
}

function createTestSchema(source: ValueSource): GraphQLSchema {
  return createSchema<TestContext>({
    typeDefs: /* GraphQL */ `
      type Query {
        hello(name: String, times: Int, shade: Shade): String!
        whoAmI: String
        "The address of the client."
        clientAddress: String
        "The number of this context: 1 for the first of the server."
        serial: Int!
        refused: String
        broken: String
        brokenNonNull: String!
        badValue: Int
        offline: String
        wrongCursor: String
        hangs: String
        items(first: Int, last: Int): ItemConnection!
        list: [Item!]!
        nodes(ids: [ID!]!): [Item]!
      }
      enum Shade { DARK, LIGHT }
      type ItemConnection { edges: [ItemEdge!]!, nodes: [Item!]!, totalCount: Int! }
      type ItemEdge { node: Item!, cursor: String! }
      type Item { id: ID!, parent: Item, items(first: Int): ItemConnection! }
      type Numbered { number: Int!, cursor: String!, text: String! }
      input AddInBulkInput { items: [Int!] }
      type BulkPayload { results: [Item!]! }
      type Mutation { add(to: Int!): Int!, addInBulk(input: AddInBulkInput!): BulkPayload! }
      type Subscription {
        "The address of the client, once."
        clientAddress: String
        "The numbers that the test emits."
        values: Int!
        "Counts as fast as it can."
        count(to: Int!): Int!
        "64 KiB each, endlessly."
        blobs: String!
        "Three of them, or those after the cursor."
        numbered(after: String): Numbered!
        refusedValues: Int!
        brokenValues: Int!
        hangingValues: Int!
      }
    `,
    resolvers: {
      Query: {
        hello: (_root, { name, times }) => `hello ${name ?? 'world'}`.repeat(times ?? 1),
        whoAmI: (_root, _args, { session }) => session.claims.email,
        clientAddress: (_root, _args, { source: from }) => from.clientAddress,
        serial: (_root, _args, { serial }) => serial,
        refused() {
          throw new GraphQLError('You may not.', { extensions: { code: 'FORBIDDEN' } });
        },
        broken() {
          throw new Error('password is hunter2');
        },
        brokenNonNull: () => null,
        badValue: () => 'secret row',
        offline() {
          throw new DatabaseGoneError('connect ECONNREFUSED 10.0.0.7:5432');
        },
        wrongCursor() {
          throw new WrongCursorError('Not a cursor.');
        },
        hangs: () => new Promise(() => {}),
        items: () => ({ edges: [], nodes: [], totalCount: 0 }),
        list: () => [],
        nodes: () => [],
      },
      Mutation: {
        add: (_root, { to }) => to + 1,
        addInBulk: { extensions: { inBulk: true }, resolve: () => ({ results: [] }) },
      },
      Subscription: {
        clientAddress: {
          async *subscribe(_root, _args, { source: from }) {
            yield from.clientAddress;
          },
          resolve: (value: string) => value,
        },
        values: {
          subscribe: (_root, _args, { signal }) => source.values(signal),
          resolve: (value: number) => value,
        },
        count: {
          async *subscribe(_root, { to }) {
            for (let value = 1; value <= to; value++) yield value;
          },
          resolve: (value: number) => value,
        },
        blobs: {
          async *subscribe() {
            for (;;) yield 'x'.repeat(64 * 1024);
          },
          resolve: (value: string) => value,
        },
        numbered: {
          async *subscribe(_root, { after }) {
            const last = after == null ? 0 : Number(after.replace('cursor-', ''));
            for (let number = last + 1; number <= 3; number++)
              yield { number, cursor: `cursor-${number}`, text: 'two\nlines' };
          },
          resolve: (value: object) => value,
        },
        refusedValues: {
          subscribe() {
            throw new GraphQLError('You may not.', { extensions: { code: 'FORBIDDEN' } });
          },
        },
        brokenValues: {
          async *subscribe() {
            yield 1;
            throw new Error('password is hunter2');
          },
          resolve: (value: number) => value,
        },
        hangingValues: { subscribe: () => new Promise<never>(() => {}) },
      },
    },
  });
}

export type LogEntry = { level: keyof Log; fields: Record<string, unknown>; message: string };

export function recordingLog(): Log & { entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const record = (level: keyof Log) => (fields: object, message: string) => {
    entries.push({ level, fields: { ...fields }, message });
  };
  return {
    entries,
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
  };
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/**
 * The real HTTP server on a free port, with a schema that fails on demand. Its deadlines for clients are generous: a
 * test of a deadline sets that deadline.
 */
export async function startTestServer(
  options: Partial<Omit<HttpServerOptions, 'limits'>> & {
    limits?: Partial<Limits>;
    tokenLifetimeSeconds?: number;
  } = {},
) {
  const { tokenLifetimeSeconds = 600, limits, ...serverOptions } = options;
  const source = new ValueSource();
  const log = recordingLog();
  const issuer = await createDevelopmentIssuer({ lifetimeSeconds: tokenLifetimeSeconds });
  let contexts = 0;
  const server = await startHttpServer({
    host: '127.0.0.1',
    port: 0,
    schema: createTestSchema(source),
    subscribe: subscribeToIterables,
    authenticate: (token) => issuer.verifier.verify(token),
    createContext: (operation) => {
      contexts += 1;
      return { ...contextOf(operation), serial: contexts } satisfies TestContext;
    },
    errors: { isUnavailable: (error) => error instanceof DatabaseGoneError },
    log,
    ...serverOptions,
    limits: { ...generousLimits, ...limits },
  });
  const clients: Client[] = [];
  const sockets: WebSocket[] = [];
  const url = `${server.url}/graphql`;
  const tokenOf = async (email: string) => (await issuer.issue(email)).token;

  return {
    url,
    origin: server.url,
    socketUrl: url.replace('http', 'ws'),
    server,
    source,
    log,
    issuer,
    tokenOf,
    /** A GraphQL request by POST, as the person of this email; without a token if that is null. */
    async post(
      body: unknown,
      { email = 'ada@customer.example', headers }: { email?: string | null; headers?: HeadersInit } = {},
    ) {
      const requestHeaders = new Headers({ 'content-type': 'application/json' });
      if (email !== null) requestHeaders.set('authorization', `Bearer ${await tokenOf(email)}`);
      for (const [name, value] of new Headers(headers)) requestHeaders.set(name, value);
      return fetch(url, {
        method: 'POST',
        headers: requestHeaders,
        body: typeof body === 'string' ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(generousMs),
      });
    },
    /** A client of graphql-ws that does not reconnect. */
    async connect(email: string, clientOptions: Partial<ClientOptions> = {}): Promise<Client> {
      const client = createClient({
        url: url.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${await tokenOf(email)}` },
        retryAttempts: 0,
        ...clientOptions,
      });
      clients.push(client);
      return client;
    },
    /** A plain WebSocket, for what the client would not do. */
    openSocket(protocol: string | string[] = 'graphql-transport-ws', headers: Record<string, string> = {}) {
      const socket = new WebSocket(url.replace('http', 'ws'), protocol, { headers });
      sockets.push(socket);
      return socket;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.dispose();
      for (const socket of sockets) socket.terminate();
      await server.dispose();
    },
  };
}

/** The code and reason a WebSocket was closed with. */
export async function closeOf(socket: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return { code, reason: String(reason) };
}

/** Runs an operation over WebSocket and resolves to its first result. */
export async function runOverSocket(client: Client, payload: SubscribePayload): Promise<unknown> {
  for await (const result of client.iterate(payload)) return result;
  throw new Error('The operation completed without a result.');
}
