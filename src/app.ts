/** Creates a gateway from its configuration and disposes of it. */

import { existsSync } from 'node:fs';
import { openEvaluationDatabase } from './access/connection.ts';
import { createEvaluator, type EvaluatorLimits } from './access/evaluator.ts';
import { readPositionLag } from './audit/positions.ts';
import { createReadings, type Readings } from './audit/readings.ts';
import { createSealer, readSealingLag } from './audit/sealing.ts';
import { createPost } from './audit/streams/post.ts';
import { readStreamFigures } from './audit/streams/store.ts';
import { createLogTail } from './audit/streams/tail.ts';
import { may } from './authorization/operations.ts';
import { relationsToPlatform } from './authorization/viewer-relations.ts';
import { addFirstOperator } from './commands/add-first-operator.ts';
import { type BackgroundJobs, startBackgroundJobs } from './commands/background-jobs.ts';
import { createBacklogReader } from './commands/backlog.ts';
import type { Dependencies } from './commands/execute.ts';
import { createRecentRefusals, type RecentRefusals } from './commands/recent-refusals.ts';
import { signIn } from './commands/sign-in.ts';
import { createKnownViewers } from './commands/viewer-in-doubt.ts';
import { warmUp } from './commands/warm-up.ts';
import type { Config, MailConfig } from './config/config.ts';
import type { EventEnvelope } from './events/envelope.ts';
import { FeedError } from './events/errors.ts';
import { createCursorSigner } from './events/event-cursor.ts';
import { createFeed, type Feed } from './events/feed.ts';
import { createInProcessBus } from './events/in-process-bus.ts';
import { eventKinds } from './events/kinds.ts';
import { longestOutage } from './events/outage.ts';
import { readerSettings } from './events/read-events.ts';
import { createRedisBus } from './events/redis-bus.ts';
import { createRelay, type Relay } from './events/relay.ts';
import { createContext } from './graphql/context.ts';
import { refuseOnceOver } from './graphql/errors.ts';
import { schema } from './graphql/schema.ts';
import { createSubscribe } from './graphql/subscriptions/subscribe.ts';
import { createOpenDecider } from './http/access/open-decider.ts';
import type { RunningOperations } from './http/admission/admission.ts';
import type { Account } from './http/admission/lane.ts';
import { openRateStore } from './http/admission/rate-store.ts';
import { createLogReader } from './http/audit-stream/log-reader.ts';
import type { Limits } from './http/limits.ts';
import { startMetricsServer } from './http/metrics-server.ts';
import { startHttpServer } from './http/server.ts';
import {
  createDevelopmentIssuer,
  type DevelopmentIssuer,
  developmentIssuerName,
} from './identity/development-issuer.ts';
import { createTokenVerifier, type TokenClaims, type TokenVerifier } from './identity/tokens.ts';
import type { Viewer } from './identity/viewer.ts';
import { adoptSubjects, maySignIn } from './identity/viewer-store.ts';
import { createMetrics, measureProcess } from './metrics/metrics.ts';
import { createFolderMailer, createSmtpMailer, type Mailer } from './notifications/mailer.ts';
import { createUnsettledSites } from './organizations/unsettled.ts';
import { asciiLowerCase } from './platform/ascii.ts';
import { awaitDatabase } from './platform/await-database.ts';
import { nobodyTrusted, trustedProxies } from './platform/client-address.ts';
import { type Clock, createDatabaseClock } from './platform/clock.ts';
import {
  developmentIssuerKeyFile,
  keptAuditSigningKey,
  keptCursorSecret,
  mailFolder,
} from './platform/data-folder.ts';
import {
  type Database,
  type DatabaseDeadlines,
  isUnavailable,
  openDatabase,
  whileRunning,
} from './platform/database.ts';
import { setUpEmbeddedRoles } from './platform/database-roles.ts';
import { startEmbeddedPostgres } from './platform/embedded-postgres.ts';
import { createLogger, type Logger } from './platform/logger.ts';
import { type DatabaseAccess, prepareDatabase } from './platform/prepare-database.ts';
import { createReplica, type Replica, type ReplicaOptions, readsOfPrimary } from './platform/replica.ts';
import { requireSessions } from './platform/startup-connection.ts';
import { StartupError } from './platform/startup-error.ts';
import { setVendorDomains } from './roles/vendor-domains.ts';
import { prepareTabs } from './sample-data/graphiql-tabs.ts';
import { hasSamplePeople, loadSampleData } from './sample-data/load.ts';
import { personas } from './sample-data/personas.ts';
import { startScreen } from './start-screen.ts';
import { type LogKeys, readLogKeys } from './transparency/log-keys.ts';
import { newSigningKey } from './transparency/signed-note.ts';
import { createWebhookCounters, type WebhookCounters } from './webhooks/counters.ts';
import { receive } from './webhooks/receive.ts';
import { deleteOldEvents } from './webhooks/store.ts';

export type App = {
  /** The URL it listens on: `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Lines to print for the person who started it; empty in production. */
  readonly startScreen: readonly string[];
  /** Resolves when the gateway cannot go on: its embedded database has died, and could not be started again. */
  readonly failed: Promise<StartupError>;
  /** Graceful shutdown: refuses new requests, drains streams, finishes running requests, closes the database. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Dependencies that a test may replace, and hooks through which it may observe the gateway. */
export type AppSeams = {
  clock?: Clock;
  logger?: Logger;
  limits?: Partial<Limits>;
  databaseDeadlines?: Partial<DatabaseDeadlines>;
  evaluatorLimits?: Partial<EvaluatorLimits>;
  /** Aborted when the start is to be given up, while it waits for the database. */
  stop?: AbortSignal;
  /** Milliseconds for which the database may be unavailable before subscriptions end. */
  outage?: number;
  /** Called with every SQL statement of commands and queries, BEGIN and COMMIT included. */
  onStatement?: (sql: string) => void;
  /** So many grants end in one transaction with their site or licence; what exceeds it is settled behind. */
  endedAtOnce?: number;
  /** Default: one of the gateway's own, by a clock that runs steadily. */
  recentRefusals?: RecentRefusals;
  /** Milliseconds for an endpoint of the audit log to answer. */
  postMs?: number;
  /** Default: who reads audit logs leaves entries by it. */
  readings?: Readings;
  /** `false`: background jobs do not start; a test runs them itself. */
  maintenance?: boolean;
  /** Called with the feed and the relay, so that a test can read their counters. */
  onDeliveryCreated?: (parts: { feed: Feed; relay: Relay }) => void;
  /** Milliseconds on a clock that runs steadily, by which it is known how far the replica is behind. */
  replicaClock?: () => number;
  /** Called with the replica, if there is one. */
  onReplicaOpened?: (replica: Replica) => void;
  /** Called with the URL of the metrics, if they are served. */
  onMetricsServed?: (url: string) => void;
  /** Called with the counters of the webhooks that arrive. */
  onWebhooksCreated?: (counters: WebhookCounters) => void;
};

/** How many connections are open when a gateway is ready. */
const warmConnections = 5;

/** Milliseconds. Nobody waits for an answer during the start, which may take long on a slow machine. */
const startDeadlines = {
  connectionMs: 30_000,
  statementMs: 30_000,
  answerMs: 35_000,
  idleInTransactionMs: 30_000,
  transactionMs: 60_000,
} satisfies Partial<DatabaseDeadlines>;

/**
 * Starts a gateway. If the start fails, everything that was started is stopped again.
 *
 * @throws StartupError for a problem that the person who starts the gateway can fix
 */
export async function createApp(config: Config, seams: AppSeams = {}): Promise<App> {
  await using begun = new AsyncDisposableStack();
  const logger = seams.logger ?? createLogger(config.logLevel);

  const failure = Promise.withResolvers<StartupError>();
  const access = await startDatabase(config, { logger, signal: seams.stop }, begun, failure.resolve);
  const { url: databaseUrl } = access;
  const role = await prepareDatabase(access);
  const { onStatement, databaseDeadlines: deadlines = {}, outage = longestOutage } = seams;
  const metrics = createMetrics();
  const openWith = (ownDeadlines: Partial<DatabaseDeadlines>, poolSize = config.databasePoolSize) =>
    openDatabase({
      url: databaseUrl,
      logger,
      poolSize,
      deadlines: { ...ownDeadlines, ...deadlines },
      onWait: (milliseconds) => metrics.queued('transactions', milliseconds / 1_000),
      ...(onStatement === undefined ? {} : { onStatement }),
    });
  await using duringStart = new AsyncDisposableStack();
  const patientDatabase = duringStart.adopt(openWith(startDeadlines), (opened) => opened.dispose());
  const database = begun.adopt(openWith({}), (opened) => opened.dispose());
  const running = runningOperations(config.databasePoolSize);
  // What ends access has connections of its own, so that nobody's other work holds it up: two more than transactions.
  const endingDatabase = begun.adopt(openWith({}, running.ENDING + 2), (opened) => opened.dispose());

  const replica = openReplica(config, {
    ...{ primary: database.pool, logger, onRead: metrics.auditRead },
    ...(seams.replicaClock === undefined ? {} : { now: seams.replicaClock }),
    deadlines,
  });
  if (replica !== null) {
    begun.adopt(replica, (opened) => opened.dispose());
    seams.onReplicaOpened?.(replica);
  }
  const laggingReads = replica ?? readsOfPrimary;

  const databaseTime = await patientDatabase.readClock();
  const clock = seams.clock ?? createDatabaseClock(databaseTime);

  // The relay has its own connection pool, so that event delivery never waits for commands.
  const relayDatabase = begun.adopt(
    openDatabase({ url: databaseUrl, logger, poolSize: 2, settings: readerSettings, deadlines }),
    (opened) => opened.dispose(),
  );
  const evaluationDatabase = begun.adopt(
    openEvaluationDatabase({ url: databaseUrl, logger, deadlines }),
    (opened) => opened.dispose(),
  );
  const bus = begun.adopt(
    config.redis === null ? createInProcessBus().connect() : createRedisBus({ ...config.redis, logger }),
    (opened) => opened.dispose(),
  );
  const relay = begun.adopt(
    createRelay({ db: relayDatabase.pool, bus, logger, kinds: eventKinds }),
    (opened) => opened.dispose(),
  );
  const onTold = ({ type, occurredAt }: EventEnvelope): void => {
    if (type === 'REVOKED') metrics.revoked('told', Math.max(0, Date.now() - occurredAt.getTime()) / 1_000);
  };
  const feed = begun.adopt(createFeed({ relay, outage, onTold }), (opened) => opened.dispose());
  seams.onDeliveryCreated?.({ feed, relay });
  const unsettledSites = createUnsettledSites();
  let jobs: BackgroundJobs | null = null;
  const announce: Dependencies['announce'] = (appended) => {
    relay.announce(appended);
    jobs?.givePositionsSoon();
  };
  const streamNetworks = {
    isAllowed: trustedProxies(config.auditStreamNetworks) ?? nobodyTrusted,
    isAny: config.auditStreamNetworks.length > 0,
  };
  const dependencies: Dependencies = {
    ...{ database, clock, logger, metrics, announce },
    rules: {
      appointmentWaitMs: config.guardAppointmentWaitHours * 60 * 60 * 1_000,
      vendorSites: config.vendorSites,
      endedAtOnce: seams.endedAtOnce,
      quotas: config.quotas,
      streamNetworks,
    },
    unsettledSites,
    recentRefusals: seams.recentRefusals ?? createRecentRefusals(),
    settleSoon: () => jobs?.settleNow(),
  };

  const keys = await openLogKeys(config);
  const sealer = keys === null ? null : createSealer({ ...{ pool: database.pool, keys, clock, logger } });
  const readings =
    seams.readings ??
    createReadings({ pool: database.pool, clock, onWritten: () => jobs?.givePositionsSoon() });
  begun.defer(() =>
    readings
      .save()
      .catch((error: unknown) =>
        logger.warn({ err: error }, 'Repeated readings of audit logs could not be counted'),
      ),
  );
  const hasSamples = await prepareContents({ ...dependencies, database: patientDatabase }, config);
  await duringStart.disposeAsync();
  if (config.production) await warmUp(dependencies, warmConnections);
  const post = begun.adopt(createPost(streamNetworks.isAllowed, seams.postMs), (opened) => opened.dispose());
  if (seams.maintenance !== false)
    jobs = begun.adopt(
      startBackgroundJobs(
        dependencies,
        { mailer: openMailer(config.mail, logger), consoleUrl: config.consoleUrl, sealer, post, readings },
        [deleteOldEvents],
      ),
      (maintenance) => maintenance.dispose(),
    );

  const identity = await openIdentity(config, clock, logger);
  begun.defer(() => identity.verifier.dispose());
  const cursors = createCursorSigner(await cursorSecrets(config));
  const tail = begun.adopt(createLogTail(database.pool), (opened) => opened.dispose());
  const services = {
    ...dependencies,
    unsettledSites,
    feed,
    cursors,
    readings,
    laggingReads,
    auditTail: tail,
    logKeys: keys,
  };
  const rateStore =
    config.redis === null ? null : begun.adopt(openRateStore(config.redis), (opened) => opened.dispose());
  const { development } = identity;
  const viewers = createKnownViewers();
  const counters = createWebhookCounters();
  seams.onWebhooksCreated?.(counters);
  const server = begun.adopt(
    await startHttpServer({
      host: config.host,
      port: config.port,
      schema,
      subscribe: createSubscribe({ isUnavailable, outage }),
      clock: () => clock(),
      authenticate: (token) => identity.verifier.verify(token),
      createContext: async (operation, answerBy) => {
        const { session, endsAccess } = operation;
        // An event is executed for one subscriber of a group, and others get its result: also if that one has gone.
        const check = () => {
          if (!operation.isStreaming) refuseOnceOver(operation);
        };
        // What ends access is carried out once it has begun, even if its client has gone.
        const own = {
          ...services,
          viewers,
          database: endsAccess
            ? whileRunning(endingDatabase, () => undefined, answerBy)
            : whileRunning(database, check, answerBy),
        };
        const doubt = operation.isRepeatable ? viewers.doubted(own, session.claims) : undefined;
        if (doubt !== undefined) {
          operation.identify(accountOf(doubt.remembered));
          const reading = { ...own, database: { ...own.database, pool: doubt.pool } };
          return createContext(reading, { viewer: null, doubt, operation, answerBy });
        }
        const viewer = await signIn(own, session.claims, operation.source);
        if (viewer !== null) operation.identify(accountOf(viewer));
        return createContext(own, { viewer, operation, answerBy });
      },
      log: logger,
      metrics,
      errors: { isUnavailable, codeFor: (error) => (error instanceof FeedError ? error.code : undefined) },
      // On connections that no client's operation uses: one that is slow for its clients is still ready.
      readiness: [{ name: 'database', check: () => relayDatabase.ping() }],
      allowedOrigins: config.allowedOrigins,
      isTrustedProxy: trustedProxies(config.trustedProxies) ?? nobodyTrusted,
      access: {
        openDecider: createOpenDecider({
          find: (claims) => findAsker(dependencies, claims),
          decide: createEvaluator({
            ...{ database: evaluationDatabase, clock, announce, vendor: config.vendorSites },
            limits: seams.evaluatorLimits ?? {},
          }),
        }),
        // A gateway in development knows its address: it is where it listens.
        ...(config.publicUrl === null && development !== null ? {} : { publicUrl: config.publicUrl }),
      },
      auditStream: {
        reader: createLogReader({
          ...{ pool: database.pool, cursors, readings, laggingReads, accountOf },
          signIn: (claims, source) => signIn(dependencies, claims, source),
        }),
        tail,
      },
      sealedLogs: {
        ...{ pool: database.pool, readings, laggingReads, accountOf },
        signIn: (claims, source) => signIn(dependencies, claims, source),
      },
      ticketWebhooks: {
        integrations: config.ticketWebhooks,
        receive: (...delivered) => receive(dependencies, ...delivered),
        clock: () => clock(),
        counters,
      },
      ...(development === null ? {} : developmentRoutes(development, database)),
      limits: { ...config.admission, ...seams.limits },
      running,
      ...(rateStore === null ? {} : { rateStore }),
    }),
    (started) => started.dispose(),
  );

  metrics.watch({
    feed: () => feed.stats(),
    relay: () => relay.stats(),
    pools: {
      operations: () => database.use(),
      endingAccess: () => endingDatabase.use(),
      events: () => relayDatabase.use(),
      evaluations: () => evaluationDatabase.use(),
      ...(replica === null ? {} : { replica: () => replica.use() }),
    },
    replicaBehind: replica === null ? undefined : () => replica.behindSeconds(),
    backlog: createBacklogReader(database),
    positionLag: () => readPositionLag(database.pool),
    sealingLag: keys === null ? undefined : () => readSealingLag(database.pool),
    auditStreams: () => readStreamFigures(database.pool, clock()),
  });
  const { metrics: metricsAddress } = config;
  if (metricsAddress !== null) {
    measureProcess(metrics);
    const served = begun.adopt(await startMetricsServer(metricsAddress, metrics), (started) =>
      started.dispose(),
    );
    logger.info({ url: served.url }, 'Metrics are served');
    seams.onMetricsServed?.(served.url);
  }

  if (config.identity.kind === 'oidc' && config.identity.emailVerified === 'OPTIONAL')
    logger.warn(
      'OIDC_EMAIL_VERIFIED is OPTIONAL: a token without email_verified binds the account of its email at its first sign-in',
    );
  if (config.vendorEmailDomains.length === 0)
    logger.warn("VENDOR_EMAIL_DOMAINS is not set: somebody of the vendor can be added as a customer's user");
  if (config.production && role.waysAround.length > 0)
    logger.warn(
      { role: role.name, waysAround: role.waysAround },
      'The role of DATABASE_URL could change the audit log: `npm run database:setup` creates one that cannot',
    );
  if (keys === null)
    logger.warn(
      'AUDIT_SIGNING_KEYS is not set: audit logs are not sealed, so nobody can prove that nothing in them was altered',
    );
  if (config.mail.kind === 'none')
    logger.warn(
      'SMTP_URL is not set: nobody will get email, not even Guard admins about requests that await their decision',
    );

  // In production, standard output holds only the log: one JSON object per line.
  if (config.production) logger.info({ url: server.url }, 'Latchkey is running');

  const started = begun.move();
  const dispose = () => started.disposeAsync();
  return {
    url: server.url,
    failed: failure.promise,
    startScreen: config.production ? [] : startScreen(server.url, config, hasSamples ? personas : []),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** So many operations at a time that connections are left for whatever else uses them. */
function runningOperations(poolSize: number): RunningOperations {
  const large = Math.max(2, Math.floor(poolSize / 10));
  return {
    ORDINARY: Math.max(2, poolSize - Math.ceil(poolSize / 5) - large),
    LARGE: large,
    ENDING: Math.max(2, Math.ceil(poolSize * 0.3)),
  };
}

/** Whose limits the operations of the viewer count for. The vendor's own people share none. */
function accountOf(viewer: Viewer): Account {
  if (viewer.kind === 'USER') return { isService: false, organizations: viewer.organizationIds };
  return { isService: viewer.kind === 'SERVICE_ACCOUNT', organizations: [] };
}

async function startDatabase(
  { database, databaseWaitMs: patienceMs }: Config,
  { logger, signal }: { logger: Logger; signal: AbortSignal | undefined },
  begun: AsyncDisposableStack,
  onFailure: (error: StartupError) => void,
): Promise<DatabaseAccess> {
  if (database.kind === 'url') {
    const { url, ownerUrl } = database;
    await awaitDatabase(url, { variable: 'DATABASE_URL', patienceMs, logger, signal });
    await requireSessions(url);
    if (ownerUrl === null) return { url, owner: null };
    await requireSessions(ownerUrl, 'DATABASE_OWNER_URL');
    return { url, owner: { url: ownerUrl, role: null, variable: 'DATABASE_OWNER_URL' } };
  }
  const { dataFolder } = database;
  const embedded = await startEmbeddedPostgres({ dataFolder, logger, onFailure });
  begun.defer(() => embedded.stop());
  return await setUpEmbeddedRoles(embedded.url);
}

function openReplica(
  { databaseReplica, databasePoolSize: poolSize }: Config,
  options: Omit<ReplicaOptions, 'url' | 'mostBehindMs' | 'poolSize'>,
): Replica | null {
  return databaseReplica === null ? null : createReplica({ ...databaseReplica, poolSize, ...options });
}

/** The id of the account behind the token, if it may ask about support actions. */
async function findAsker(dependencies: Dependencies, claims: TokenClaims): Promise<string | null> {
  const viewer = await signIn(dependencies, claims);
  const mayAsk = viewer?.kind === 'SERVICE_ACCOUNT' && may('evaluateAccess', relationsToPlatform(viewer));
  return mayAsk ? viewer.id : null;
}

/** Brings what the database holds in line with the configuration. Returns whether there are sample people. */
async function prepareContents(dependencies: Dependencies, config: Config): Promise<boolean> {
  const { database } = dependencies;
  await setVendorDomains(database, config.vendorEmailDomains);
  await claimPeople(database, config);
  const mayHaveSamples = config.database.kind === 'embedded' && config.identity.kind === 'development';
  const hasSamples = mayHaveSamples && (await loadSampleData(dependencies));
  if (config.bootstrapOperatorEmail !== null)
    await addFirstOperator(dependencies, config.bootstrapOperatorEmail);
  return hasSamples;
}

type Identity = { verifier: TokenVerifier; development: DevelopmentIssuer | null };

async function openIdentity({ identity, database }: Config, clock: Clock, logger: Logger): Promise<Identity> {
  if (identity.kind === 'oidc')
    return { verifier: createTokenVerifier({ ...identity, clock, logger }), development: null };
  const keyFile =
    database.kind === 'embedded' ? { keyFile: developmentIssuerKeyFile(database.dataFolder) } : {};
  const development = await createDevelopmentIssuer({ ...keyFile, clock });
  return { verifier: development.verifier, development };
}

/**
 * Ties the database's people to the issuer of this deployment.
 *
 * @throws StartupError if they are the sample people, and the issuer is a real one
 */
async function claimPeople(database: Database, { identity, database: place }: Config): Promise<void> {
  if (identity.kind === 'development') return await adoptSubjects(database, developmentIssuerName);
  const wasDevelopment = place.kind === 'embedded' && existsSync(developmentIssuerKeyFile(place.dataFolder));
  if (await hasSamplePeople(database, wasDevelopment)) {
    throw new StartupError(
      `${place.kind === 'embedded' ? `The data folder ${place.dataFolder}` : 'The database'} has the sample people, as whom anybody could sign in: with OIDC_ISSUER, set DATA_FOLDER or DATABASE_URL to a new one, or clear the folder with \`npm run reset\`.`,
    );
  }
  await adoptSubjects(database, identity.issuer);
}

function openMailer(mail: MailConfig, logger: Logger): Mailer | null {
  switch (mail.kind) {
    case 'smtp':
      return createSmtpMailer(mail);
    case 'files':
      return createFolderMailer({ folder: mailFolder(mail.dataFolder), from: mail.from, logger });
    case 'none':
      return null;
  }
}

async function cursorSecrets({
  cursorSecrets: configured,
  database,
}: Config): Promise<readonly [string, ...string[]]> {
  if (configured !== null) return configured;
  if (database.kind === 'embedded') return [await keptCursorSecret(database.dataFolder)];
  throw new StartupError(
    'CURSOR_SECRET is missing: set it to 32 random characters, the same on every gateway.',
  );
}

/** The keys with which the heads of audit logs are signed. Null: none is configured, and nobody gets one unasked in production. */
async function openLogKeys({ auditSigningKeys, database, production }: Config): Promise<LogKeys | null> {
  if (auditSigningKeys !== null) return readLogKeys(auditSigningKeys);
  if (database.kind !== 'embedded' || production) return null;
  const create = () => newSigningKey('localhost/audit/log');
  const kept = await keptAuditSigningKey(database.dataFolder, create, (text) => readLogKeys([text]) !== null);
  return readLogKeys([kept]);
}

/** Routes that only a development gateway has: tokens for any account, and GraphiQL. */
function developmentRoutes(issuer: DevelopmentIssuer, database: Database) {
  return {
    developmentTokens: {
      issue: async (email: string) => {
        const address = asciiLowerCase(email);
        return (await maySignIn(database, address)) ? await issuer.issue(address) : null;
      },
      people: async () => personas.map((persona) => persona.email),
    },
    graphiql: { tabs: () => prepareTabs(database) },
  };
}
