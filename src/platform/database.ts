import { createHash } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type Prisma, PrismaClient } from '../../prisma/generated/client/client.ts';
import type { Logger } from './logger.ts';

export { isUnavailable, isUniqueViolation, isWriteConflict } from './database-errors.ts';

/** What a unit of work writes and reads through: all of it is committed, or none. */
export type Transaction = Prisma.TransactionClient;

export interface Database {
  readonly prisma: PrismaClient;
  /** For statements Prisma has no words for. The same connections as `prisma`. */
  readonly pool: pg.Pool;
  /**
   * Runs the work in one READ COMMITTED transaction: committed when the work's promise resolves, rolled back
   * when it rejects. Never repeated here. Where a commit's answer is lost the error is `isUnavailable`, and
   * the work may have been committed nevertheless.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Resolves if the database answers, rejects within five seconds if it does not. */
  ping(): Promise<void>;
  /** Waits a moment for what is under way, then closes every connection. May be called again. */
  dispose(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly logger: Logger;
  /** Connections at most. */
  readonly poolSize?: number;
  /** Settings of PostgreSQL for the connections, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly deadlines?: Partial<DatabaseDeadlines>;
  /** Called with the text of every statement sent, BEGIN and COMMIT included, before it is sent. */
  readonly onStatement?: (sql: string) => void;
}

/**
 * Milliseconds. A request meets at most one wait for a connection and one statement that is not answered
 * before it fails, and so is answered within five seconds whatever happens to the database.
 */
export const defaultDatabaseDeadlines = {
  /** For a free connection of the pool, a new one included. */
  connectionMs: 2_000,
  /** For the server to execute one statement. */
  statementMs: 2_000,
  /** For the answer to one statement to arrive, whatever the server does. */
  answerMs: 2_500,
  idleInTransactionMs: 3_000,
  transactionMs: 4_000,
  /** For statements under way when the database is disposed. */
  disposeMs: 3_000,
} as const;

export type DatabaseDeadlines = { readonly [Name in keyof typeof defaultDatabaseDeadlines]: number };

const defaultPoolSize = 20;

/** Connects at the first use. An unreachable database is an error of the call that needs it, not of this one. */
export function openDatabase(options: DatabaseOptions): Database {
  const deadlines = { ...defaultDatabaseDeadlines, ...options.deadlines };
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? defaultPoolSize,
    connectionTimeoutMillis: deadlines.connectionMs,
    statement_timeout: deadlines.statementMs,
    idle_in_transaction_session_timeout: deadlines.idleInTransactionMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    options: optionsOf({ default_transaction_isolation: 'read committed', ...options.settings }),
    application_name: 'latchkey',
  });
  let disposing: Promise<void> | undefined;
  // Idle connections that the server closes say so here; unheard, it would end the process.
  pool.on('error', (error) => {
    if (disposing === undefined) options.logger.warn({ err: error }, 'database connection lost');
  });
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    clients.add(client);
    // The pool listens to idle connections only. One in use tells its user by the statement that fails.
    client.on('error', () => undefined);
    watchStatements(client, deadlines.answerMs, options.onStatement);
  });
  pool.on('remove', (client) => clients.delete(client));

  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool, { statementNameGenerator: createStatementNames() }),
    // Prisma's own wait is longer than ours for a connection and for BEGIN together: ours say what happened.
    transactionOptions: {
      maxWait: deadlines.connectionMs + deadlines.answerMs + 500,
      timeout: deadlines.transactionMs,
    },
    errorFormat: 'minimal',
  });

  return {
    prisma,
    pool,
    transaction: (work) => prisma.$transaction(work),
    async ping() {
      await pool.query('SELECT 1');
    },
    dispose() {
      disposing ??= (async () => {
        let impatient: NodeJS.Timeout | undefined;
        const cutOff = new Promise<void>((resolve) => {
          impatient = setTimeout(() => {
            for (const client of clients) abandon(client);
            resolve();
          }, deadlines.disposeMs);
        });
        await Promise.race([prisma.$disconnect().then(() => pool.end()), cutOff]);
        clearTimeout(impatient);
      })();
      return disposing;
    },
  };
}

/** As PostgreSQL takes them at connect: a backslash before what would end a value. */
function optionsOf(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ');
}

/**
 * Ends a connection whose statement is not answered in time: the server's own statement_timeout is of no use
 * where the server hangs or the network swallows its answer. Everything waiting on the connection fails at
 * once, a ROLLBACK included, and the pool drops it.
 */
function watchStatements(
  client: pg.PoolClient,
  answerMs: number,
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
    deadline ??= setTimeout(() => abandon(client), answerMs);
    return Reflect.apply(send, client, [statement, ...rest]);
  };
  Object.assign(client, { query: watchedQuery });
}

function abandon(client: pg.PoolClient): void {
  if ('connection' in client && client.connection instanceof pg.Connection) {
    client.connection.stream.destroy(new Error('Connection terminated: the database did not answer in time'));
  }
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  return typeof statement === 'object' && statement !== null && 'text' in statement
    ? String(statement.text)
    : '';
}

/** Statements prepared per connection at most: the server keeps each in memory. */
const preparedStatements = 500;

/**
 * Names for prepared statements, so that the server parses a statement once per connection. Texts beyond the
 * limit (IN lists of every length) stay unnamed and are parsed each time.
 */
function createStatementNames(): (query: { sql: string; args: readonly unknown[] }) => string {
  const names = new Map<string, string>();
  return ({ sql, args }) => {
    if (args.length === 0) return '';
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= preparedStatements) return '';
    const name = createHash('sha256').update(sql).digest('base64url');
    names.set(sql, name);
    return name;
  };
}
