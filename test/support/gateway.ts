/** A gateway for one test: the real app on a real database, with clients for its users. */
import { type Client, createClient } from 'graphql-ws';
import pg from 'pg';
import WebSocket from 'ws';
import { type AppSeams, createApp } from '../../src/app.ts';
import { unrecordedReadings } from '../../src/audit/readings.ts';
import { type Config, defaultAdmission } from '../../src/config/config.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousLimits, generousMs, generousQuotas } from './deadlines.ts';
import { createTestDatabase, fastGatewayUrl } from './postgres.ts';

export type Answer = {
  status: number;
  // The shape depends on the operation; a test that needs types uses the typed documents.
  data: Json;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
};
// biome-ignore lint/suspicious/noExplicitAny: only the test knows the shape of the response to its operation
export type Json = any;

export type Person = {
  readonly email: string;
  readonly token: string;
  /** Sends an operation over HTTP. */
  send(query: string, variables?: Record<string, unknown>): Promise<Answer>;
  /** Sends an operation that must have no errors, and returns its data. */
  ask(query: string, variables?: Record<string, unknown>): Promise<Json>;
  /** A WebSocket client with this person's token; disposed with the gateway. */
  socket(): Client;
};

export type TestGateway = {
  readonly url: string;
  /** As a superuser. The gateway itself runs as the runtime role. */
  readonly databaseUrl: string;
  /** For data that the API cannot read or create: as a superuser. */
  readonly sql: pg.Pool;
  /** A client for the account with this email address, with the token that it got first, if that is still valid. */
  as(email: string): Promise<Person>;
  /** A client that sends this token, or no token. */
  withToken(token: string | null): Person;
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

export type GatewayOptions = AppSeams & {
  /** Uses this database and does not drop it at disposal. By default the gateway gets its own database. */
  databaseUrl?: string;
  config?: Partial<Config>;
};

const development: Config = {
  host: '127.0.0.1',
  port: 0,
  production: false,
  logLevel: 'silent',
  database: { kind: 'url', url: '', ownerUrl: null },
  databasePoolSize: 10,
  redis: null,
  identity: { kind: 'development' },
  cursorSecrets: ['a secret of the tests, long enough to sign'],
  // Logs are sealed only in tests of that.
  auditSigningKeys: null,
  allowedOrigins: [],
  trustedProxies: [],
  publicUrl: null,
  consoleUrl: null,
  mail: { kind: 'none' },
  guardAppointmentWaitHours: 72,
  quotas: generousQuotas,
  vendorSites: { processingRegions: [], engineerCountries: [] },
  bootstrapOperatorEmail: 'operator@vendor.example',
  vendorEmailDomains: ['vendor.example'],
  ticketWebhooks: [],
  auditStreamNetworks: [],
  metrics: null,
  databaseWaitMs: 0,
  databaseReplica: null,
  admission: defaultAdmission,
  shutdownGraceMs: 5_000,
};

/**
 * Starts a gateway with the development issuer and one operator: `operator@vendor.example`. Its deadlines for
 * clients and for the database are generous: a test of a deadline sets that deadline.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const { databaseUrl: given, config, ...seams } = options;
  await using begun = new AsyncDisposableStack();
  const own =
    given === undefined ? begun.adopt(await createTestDatabase(), (made) => made.dispose()) : undefined;
  const databaseUrl = given ?? own?.url ?? '';
  const sql = begun.adopt(new pg.Pool({ connectionString: databaseUrl, max: 4 }), (pool) => pool.end());
  sql.on('error', () => undefined);
  const app = begun.adopt(
    await createApp(
      {
        ...development,
        database: { kind: 'url', url: fastGatewayUrl(databaseUrl), ownerUrl: null },
        ...config,
      },
      {
        logger: createLogger(process.env['TEST_LOG'] === undefined ? 'silent' : 'debug'),
        databaseDeadlines: generousDatabaseDeadlines,
        evaluatorLimits: { waitMs: generousMs },
        // Tests compare whole logs.
        readings: unrecordedReadings,
        ...seams,
        limits: { ...generousLimits, ...seams.limits },
      },
    ),
    (started) => started.dispose(),
  );
  const clients = begun.adopt(new Set<Client>(), async (all) => {
    await Promise.all([...all].map((client) => client.dispose()));
  });
  const running = begun.move();
  const dispose = () => running.disposeAsync();

  const now = () => (seams.clock?.() ?? new Date()).getTime();
  const tokens = new Map<string, { token: string; expiresAt: string }>();

  async function as(email: string): Promise<Person> {
    const known = tokens.get(email);
    if (known !== undefined && Date.parse(known.expiresAt) > now() + 60_000)
      return { ...withToken(known.token), email };
    const response = await fetch(`${app.url}/dev/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email }),
      signal: AbortSignal.timeout(generousMs),
    });
    if (!response.ok) throw new Error(`No token for ${email}: ${response.status} ${await response.text()}`);
    const issued = (await response.json()) as { token: string; expiresAt: string };
    tokens.set(email, issued);
    return { ...withToken(issued.token), email };
  }

  function withToken(token: string | null): Person {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    async function send(query: string, variables: Record<string, unknown> = {}): Promise<Answer> {
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(generousMs),
      });
      const body = (await response.json()) as { data?: Json; errors?: Answer['errors'] };
      return { status: response.status, data: body.data ?? null, errors: body.errors ?? [] };
    }
    return {
      email: '',
      token: token ?? '',
      send,
      ask: async (query, variables) => {
        const answer = await send(query, variables);
        if (answer.errors.length > 0) throw new Error(`${query}\n${JSON.stringify(answer.errors, null, 2)}`);
        return answer.data;
      },
      socket: () => {
        const client = createClient({
          url: `${app.url.replace('http', 'ws')}/graphql`,
          webSocketImpl: WebSocket,
          connectionParams: headers,
          retryAttempts: 0,
          lazy: true,
        });
        clients.add(client);
        return client;
      },
    };
  }

  return { url: app.url, databaseUrl, sql, as, withToken, dispose, [Symbol.asyncDispose]: dispose };
}
