import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../../prisma/generated/client/client.ts';
import { createAbandonedConnections } from './abandoned-connections.ts';
import type { Logger } from './logger.ts';
import { createPermits } from './permits.ts';
import { connectionOf } from './pg-connection.ts';
import { createStatementNames } from './statement-names.ts';
import { createTurns, poolInTurn, prismaInTurn } from './statements-in-turn.ts';
import { type Client, createClient, joinable, runTransaction, type Transaction } from './transactions.ts';

export { isUnavailable, isUniqueViolation, isWriteConflict } from './database-errors.ts';
export type { Client, Transaction } from './transactions.ts';

export interface Database {
  /** Statements, and Prisma's models. */
  readonly prisma: Client;
  /** The driver. Shares its connections with `prisma`. */
  readonly pool: pg.Pool;
  /**
   * Runs the work in one READ COMMITTED transaction: commits when the work's promise resolves, rolls back when it
   * rejects. Never retries. If the response to the COMMIT is lost, it rejects with an error that `isUnavailable`
   * recognizes, and the work may have been committed nevertheless.
   *
   * Once the signal is aborted, the next statement of the work fails with its reason instead of being sent.
   *
   * About three quarters of the connections may be in transactions at once, so that reads go on while commits wait.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Resolves if the database answers and takes writes; rejects within five seconds if it does not. */
  ping(): Promise<void>;
  /** The time of the database's clock. */
  readClock(): Promise<Date>;
  /** How the connections are used now. */
  use(): { busy: number; idle: number; abandoned: number; waiting: number };
  /** Waits up to `disposeMs` for running statements, then closes every connection. May be called again. */
  dispose(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly logger: Logger;
  /** The maximum number of connections. */
  readonly poolSize?: number;
  /** PostgreSQL settings for the connections, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly deadlines?: Partial<DatabaseDeadlines>;
  /** It only reads, from a server that may be read-only. */
  readonly isReplica?: boolean;
  /** Called with the milliseconds for which a transaction has waited for its turn. */
  readonly onWait?: (milliseconds: number) => void;
  /** Called with the text of every statement before it is sent, BEGIN and COMMIT included. */
  readonly onStatement?: (sql: string) => void;
}

/**
 * Milliseconds. Before a request fails, it waits at most once for a connection and once for an unanswered statement.
 * So every request gets a response within five seconds, whatever happens to the database.
 */
export const defaultDatabaseDeadlines = {
  /** To get a connection from the pool, including the time to open a new one. */
  connectionMs: 2_000,
  /** For the server to execute one statement. */
  statementMs: 2_000,
  /** For the response to one statement to arrive, even if the server hangs. */
  answerMs: 2_500,
  idleInTransactionMs: 3_000,
  transactionMs: 4_000,
  /** For statements that are running when the database is disposed. */
  disposeMs: 3_000,
} as const;

export type DatabaseDeadlines = { readonly [Name in keyof typeof defaultDatabaseDeadlines]: number };

const defaultPoolSize = 20;

/** How many of the connections may be in transactions. The others are for reads. */
const writersOf = (poolSize: number): number => Math.max(1, poolSize - Math.max(1, Math.floor(poolSize / 4)));

/** Connects at the first use: if the database is unreachable, that use fails, not this call. */
export function openDatabase(options: DatabaseOptions): Database {
  const deadlines = { ...defaultDatabaseDeadlines, ...options.deadlines };
  const settings = {
    statement_timeout: String(deadlines.statementMs),
    idle_in_transaction_session_timeout: String(deadlines.idleInTransactionMs),
    default_transaction_isolation: 'read committed',
    // In another zone moments would be off by its offset: the driver writes none, and drops the one that it reads.
    TimeZone: 'UTC',
    // Every statement is short, also where PostgreSQL takes it for dear: to compile it would take longer.
    jit: 'off',
    ...(options.isReplica === true ? { default_transaction_read_only: 'on' } : {}),
    ...options.settings,
  };
  const { poolSize = defaultPoolSize } = options;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: poolSize,
    connectionTimeoutMillis: deadlines.connectionMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: 'latchkey',
    // Statements are sent before those before them are answered.
    pipeline: true,
    onConnect: async (client) => {
      const { processId, isReadOnly } = await applySettings(client, settings, deadlines.answerMs);
      if (isReadOnly && options.isReplica !== true) throw new Error(readOnly);
      processes.set(client, processId);
    },
  });
  const writers = createPermits(writersOf(poolSize), () => new Error(noneFree));
  const abandoned = createAbandonedConnections({
    url: options.url,
    logger: options.logger,
    onChange(count) {
      pool.options.max = Math.max(poolSize - count, 0);
      writers.setLimit(Math.max(writersOf(poolSize) - count, 0));
    },
  });
  /** The server's process of each connection. */
  const processes = new WeakMap<pg.ClientBase, number>();
  const giveUp = (client: pg.PoolClient): void => {
    abandon(client, notAnswered);
    const processId = processes.get(client);
    if (processId !== undefined) abandoned.add(processId);
  };
  let disposing: Promise<void> | undefined;
  // Emitted when the server closes an idle connection. Without a listener it would end the process.
  pool.on('error', (error) => {
    if (disposing === undefined) options.logger.warn({ err: error }, 'database connection lost');
  });
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    clients.add(client);
    // The pool listens only to idle connections. If a connection in use is lost, its statement fails.
    client.on('error', () => undefined);
    watchStatements(client, deadlines.answerMs, () => giveUp(client), options.onStatement);
    leaveLostServer(client, options.isReplica === true);
  });
  pool.on('remove', (client) => clients.delete(client));

  let created: PrismaClient | undefined;
  const nameOf = createStatementNames();
  /** Created at its first use: it takes longer than to open the pool, and many need only that. */
  const models = (): PrismaClient => {
    created ??= new PrismaClient({
      adapter: new PrismaPg(joinable(pool), {
        statementNameGenerator: ({ sql, args }) => (args.length === 0 ? '' : (nameOf(sql) ?? '')),
      }),
      // Longer than our timeouts for a connection, its settings and BEGIN together: our errors say more than Prisma's.
      transactionOptions: {
        maxWait: deadlines.connectionMs + 2 * deadlines.answerMs + 500,
        timeout: deadlines.transactionMs,
      },
      errorFormat: 'minimal',
    });
    return created;
  };

  return {
    prisma: createClient(pool, models, nameOf),
    pool,
    async transaction(work, signal) {
      const askedAt = performance.now();
      const done = await writers.take(deadlines.connectionMs);
      options.onWait?.(performance.now() - askedAt);
      try {
        return await runTransaction(
          await pool.connect(),
          (tx) => work(signal === undefined ? tx : checked(tx, () => signal.throwIfAborted())),
          { prisma: models, nameOf, timeoutMs: deadlines.transactionMs },
        );
      } finally {
        done();
      }
    },
    async ping() {
      const { rows } = await pool.query<{ read_only: string }>(
        `SELECT current_setting('transaction_read_only') AS read_only`,
      );
      if (rows[0]?.read_only === 'on') throw new Error(readOnly);
    },
    async readClock() {
      const { rows } = await pool.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      const [row] = rows;
      if (row === undefined) throw new Error('A SELECT without a table returned no row');
      return row.now;
    },
    use: () => ({
      busy: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      abandoned: abandoned.count,
      waiting: pool.waitingCount + writers.waiting,
    }),
    dispose() {
      const closeAll = async () => {
        await created?.$disconnect();
        await pool.end();
      };
      disposing ??= (async () => {
        let timer: NodeJS.Timeout | undefined;
        const cutOff = new Promise<void>((resolve) => {
          timer = setTimeout(() => {
            for (const client of clients) abandon(client, notAnswered);
            resolve();
          }, deadlines.disposeMs);
        });
        await Promise.race([Promise.all([closeAll(), abandoned.dispose()]), cutOff]);
        clearTimeout(timer);
      })();
      return disposing;
    },
  };
}

/**
 * The database for work that may be over before it is done: once `check` throws, no further statement is sent, and a
 * transaction that runs fails with its error instead of being committed. One that is given a signal goes by that alone.
 * Of its statements outside of transactions few run at a time, so that work with many leaves connections to the others.
 *
 * @param answerBy the moment, on the clock of `performance.now()`, until which a statement waits for those before it; after
 * it, as for an event of a subscription, each waits as long as for a connection
 */
export function whileRunning(database: Database, check: () => void, answerBy: number): Database {
  const inTurn = createTurns(check, () => {
    const msLeft = answerBy - performance.now();
    return msLeft > 0 ? msLeft : defaultDatabaseDeadlines.connectionMs;
  });
  return {
    ...database,
    prisma: prismaInTurn(database.prisma, inTurn),
    pool: poolInTurn(database.pool, inTurn),
    transaction: (work, signal) =>
      signal === undefined
        ? database.transaction((tx) => work(checked(tx, check)))
        : database.transaction(work, signal),
  };
}

/** A client of which every use begins with the check. */
function checked<Client extends object>(client: Client, check: () => void): Client {
  return new Proxy(client, {
    get(target, name) {
      check();
      return Reflect.get(target, name);
    },
  });
}

/**
 * Sets PostgreSQL settings for a connection, and returns its process of the server, and whether that is read-only. As parameters of its start they would save this statement, but PgBouncer
 * refuses parameters that it does not know.
 */
async function applySettings(
  client: pg.ClientBase,
  settings: Readonly<Record<string, string>>,
  answerMs: number,
): Promise<{ processId: number; isReadOnly: boolean }> {
  const late = setTimeout(() => abandon(client, notAnswered), answerMs);
  try {
    const { rows } = await client.query<{ read_only: string; process_id: number }>(
      `SELECT set_config(key, value, false), current_setting('transaction_read_only') AS read_only,
              pg_backend_pid() AS process_id
         FROM json_each_text($1)`,
      [JSON.stringify(settings)],
    );
    const [row] = rows;
    if (row === undefined) throw new Error('A connection has no settings');
    return { processId: row.process_id, isReadOnly: row.read_only === 'on' };
  } finally {
    clearTimeout(late);
  }
}

const closedByServer = 'Connection terminated: the database closed it';
const notAnswered = 'Connection terminated: the database did not answer in time';
const noneFree = 'timeout exceeded when trying to connect: all connections for transactions are in use';
const readOnly = 'Connection terminated: the server is read-only, as a standby or a demoted primary is';

/**
 * Destroys a connection as soon as its server says that it closes it, or that it is read-only.
 *
 * The socket's end arrives a moment after the server has closed it, and until then the pool would give the connection to
 * somebody else. Of a read-only server, a statement is refused for that reason, or the server reports that new
 * transactions are read-only: the address may lead to another server by now, and reads of a server that is no longer the
 * primary succeed without showing anything new.
 */
function leaveLostServer(client: pg.PoolClient, isReplica: boolean): void {
  const connection = connectionOf(client);
  connection?.on('errorMessage', ({ severity, code }: { severity?: string; code?: string }) => {
    if (severity === 'FATAL') abandon(client, closedByServer);
    // The statement first gets this error.
    else if (code === '25006' && !isReplica) setImmediate(() => abandon(client, readOnly));
  });
  connection?.on('parameterStatus', ({ parameterName, parameterValue }: Record<string, string>) => {
    if (parameterName === 'default_transaction_read_only' && parameterValue === 'on' && !isReplica)
      abandon(client, readOnly);
  });
}

/**
 * Destroys a connection when the response to a statement does not arrive in time. The server's statement_timeout does
 * not help if the server hangs or the network loses the response. Everything that waits on the connection fails at
 * once, including a ROLLBACK, and the pool drops the connection.
 */
function watchStatements(
  client: pg.PoolClient,
  answerMs: number,
  onLate: () => void,
  onStatement: ((sql: string) => void) | undefined,
): void {
  let deadline: NodeJS.Timeout | undefined;
  const answered = (): void => {
    clearTimeout(deadline);
    deadline = undefined;
  };
  client.on('drain', answered);
  client.on('end', answered);
  const send = client.query.bind(client);
  const watchedQuery = (statement: unknown, ...rest: unknown[]): unknown => {
    onStatement?.(textOf(statement));
    deadline ??= setTimeout(onLate, answerMs);
    return Reflect.apply(send, client, [statement, ...rest]);
  };
  Object.assign(client, { query: watchedQuery });
}

function abandon(client: pg.ClientBase, reason: string): void {
  connectionOf(client)?.stream.destroy(new Error(reason));
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  return typeof statement === 'object' && statement !== null && 'text' in statement
    ? String(statement.text)
    : '';
}
