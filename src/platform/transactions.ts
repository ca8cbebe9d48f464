/**
 * Statements and transactions on connections of the pool. Statements go to the driver as they are; Prisma's models, where
 * work uses them, are sent on the same connections. Prisma costs several times as much as the driver for each statement, and
 * its query compiler takes a third of a second and 45 MB of memory to load.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import type { Prisma, PrismaClient } from '../../prisma/generated/client/client.ts';
import { sendSoon } from './pg-connection.ts';

type RawMethod = '$queryRawUnsafe' | '$executeRawUnsafe';

/** Statements that go to the driver as they are. */
type Statements = {
  /** Returns the rows. Their values are as Prisma returns them. */
  $queryRawUnsafe<Rows = unknown>(sql: string, ...values: unknown[]): Promise<Rows>;
  /** Returns how many rows were written. */
  $executeRawUnsafe(sql: string, ...values: unknown[]): Promise<number>;
};

/** The client of one transaction: everything it writes is committed, or nothing is. */
export type Transaction = Omit<Prisma.TransactionClient, RawMethod> & Statements;

/** A client each of whose statements is a transaction of its own. */
export type Client = Omit<PrismaClient, RawMethod> & Statements;

export type TransactionOptions = {
  /** The client whose pool is `joinable`. */
  prisma: () => PrismaClient;
  nameOf: (sql: string) => string | undefined;
  /** After these milliseconds it is rolled back, whatever the work does. */
  timeoutMs: number;
};

/**
 * Commits when the work's promise resolves, rolls back when it rejects, and gives the connection back. BEGIN, and statements
 * that the work sends before those before them are answered, share a round trip.
 */
export async function runTransaction<T>(
  client: pg.PoolClient,
  work: (tx: Transaction) => Promise<T>,
  { prisma, nameOf, timeoutMs }: TransactionOptions,
): Promise<T> {
  let over: Error | undefined;
  let rollingBack: Promise<void> | undefined;
  const rollBack = () => {
    over ??= tooLate;
    rollingBack ??= client.query('ROLLBACK').then(
      () => client.release(),
      () => client.release(true),
    );
    return rollingBack;
  };
  /** Called right before each statement: the connection may be somebody else's by then. */
  const check = () => {
    if (over !== undefined) throw over;
  };
  let begun: Promise<unknown> | undefined;
  const models = joinWithPrisma(client, prisma, check);
  const send = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
    check();
    sendSoon(client);
    const answered = client.query(toQuery(text, values, nameOf));
    // So nothing is done with an answer from outside of the transaction.
    return (await Promise.all([answered, begun]))[0];
  };
  const statements = statementsBy(send);
  const late = setTimeout(() => {
    over = tookTooLong;
    void rollBack();
  }, timeoutMs);
  try {
    sendSoon(client);
    begun = client.query('BEGIN');
    begun.catch(() => undefined);
    const use = async () => {
      await begun;
      check();
      return await models.use();
    };
    const [result] = await Promise.all([work(withModels(statements, use)), begun]);
    check();
    clearTimeout(late);
    over = tooLate;
    const { command } = await client.query('COMMIT');
    // So PostgreSQL ends a transaction of which a statement has failed.
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`);
    client.release();
    return result;
  } catch (error) {
    await rollBack();
    throw error;
  } finally {
    clearTimeout(late);
    models.end();
  }
}

const tookTooLong = Object.assign(new Error('The transaction has taken too long'), { code: '25P04' });
const tooLate = new Error('The transaction is over');

const { INT8 } = pg.types.builtins;
const toBigInt = (text: string) => BigInt(text);

const asPrisma: pg.CustomTypesConfig = {
  getTypeParser: (type, format) => (type === INT8 ? toBigInt : pg.types.getTypeParser(type, format)),
};

type NameOf = TransactionOptions['nameOf'];

function toQuery(text: string, values: unknown[], nameOf: NameOf): pg.QueryConfig {
  const name = values.length === 0 ? undefined : nameOf(text);
  return { ...(name === undefined ? {} : { name }), ...{ text, values, types: asPrisma } };
}

function statementsBy(send: (text: string, values: unknown[]) => Promise<pg.QueryResult>): Statements {
  return {
    $queryRawUnsafe: async <Rows>(text: string, ...values: unknown[]) =>
      (await send(text, values)).rows as Rows,
    $executeRawUnsafe: async (text, ...values) => (await send(text, values)).rowCount ?? 0,
  };
}

/** The statements of the pool, and Prisma's models, which are loaded when one is used. */
export function createClient(pool: pg.Pool, prisma: () => PrismaClient, nameOf: NameOf): Client {
  const statements = statementsBy((text, values) => pool.query(toQuery(text, values, nameOf)));
  return new Proxy(statements, {
    has: (target, name) => name in target || name in prisma(),
    get: (target, name) => (name in target ? Reflect.get(target, name) : bound(prisma(), name)),
  }) as Client;
}

/** The connection whose transaction Prisma joins. */
const joined = new AsyncLocalStorage<pg.PoolClient>();

/** The pool for Prisma, of which a transaction that `joinWithPrisma` begins gets its connection. */
export function joinable(pool: pg.Pool): pg.Pool {
  const connect = async () => joined.getStore() ?? (await pool.connect());
  return new Proxy(pool, {
    get: (target, name) => (name === 'connect' ? connect : bound(target, name)),
  });
}

/** Lets Prisma join the transaction at the first use. */
function joinWithPrisma(client: pg.PoolClient, prisma: () => PrismaClient, check: () => void) {
  const ended = Promise.withResolvers<void>();
  let begun: PromiseWithResolvers<{ tx: Prisma.TransactionClient }> | undefined;
  const begin = () => {
    const first = Promise.withResolvers<{ tx: Prisma.TransactionClient }>();
    const wholly = joined.run(withoutEnds(client, check), () =>
      prisma().$transaction(async (tx) => {
        first.resolve({ tx });
        await ended.promise;
      }),
    );
    wholly.catch(first.reject);
    return first;
  };
  return {
    async use(): Promise<Prisma.TransactionClient> {
      begun ??= begin();
      return (await begun.promise).tx;
    },
    end: () => ended.resolve(),
  };
}

const nothing = { command: '', rowCount: 0, rows: [], fields: [] };

/** The connection for Prisma, which neither begins nor ends the transaction that it joins, nor gives the connection back. */
function withoutEnds(client: pg.PoolClient, check: () => void): pg.PoolClient {
  const query = async (statement: pg.QueryConfig) => {
    if (['BEGIN', 'COMMIT', 'ROLLBACK'].includes(statement.text)) return nothing;
    check();
    return await client.query(statement);
  };
  return new Proxy(client, {
    get(target, name) {
      if (name === 'query') return query;
      if (name === 'release') return () => undefined;
      return bound(target, name);
    },
  });
}

/** The property of an object that its methods are to see instead of the proxy. */
function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? value.bind(target) : value;
}

/** A client with these statements, of which all else is Prisma's. */
function withModels(statements: Statements, use: () => Promise<Prisma.TransactionClient>): Transaction {
  const call =
    (path: readonly string[]) =>
    async (...given: unknown[]): Promise<unknown> => {
      let [target, method]: unknown[] = [undefined, await use()];
      for (const name of path) [target, method] = [method, Reflect.get(method as object, name)];
      return await Reflect.apply(method as () => unknown, target, given);
    };
  const models = new Map<string, object>();
  const modelOf = (model: string): object => {
    const known = models.get(model);
    if (known !== undefined) return known;
    const methods = new Proxy(
      {},
      { get: (_, method) => (isName(method) ? call([model, method]) : undefined) },
    );
    models.set(model, methods);
    return methods;
  };
  return new Proxy(statements, {
    get(target, name) {
      if (!isName(name)) return undefined;
      if (name in target) return Reflect.get(target, name);
      return name.startsWith('$') ? call([name]) : modelOf(name);
    },
  }) as Transaction;
}

/** Not what is asked of every object that a promise resolves to. */
const isName = (name: string | symbol): name is string => typeof name === 'string' && name !== 'then';
