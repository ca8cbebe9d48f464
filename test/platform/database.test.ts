import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { keptForEver } from '../../src/audit/retention.ts';
import {
  type Database,
  type DatabaseDeadlines,
  defaultDatabaseDeadlines,
  isUnavailable,
  isUniqueViolation,
  isWriteConflict,
  openDatabase,
  type Transaction,
  whileRunning,
} from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import {
  createTestDatabase,
  type OwnPostgres,
  startOwnPostgres,
  type TestDatabase,
} from '../support/postgres.ts';

const logger = createLogger('silent');
const createdAt = new Date('2026-01-01T00:00:00Z');
const organization = () => ({ id: newId(), name: 'Acme', hasGuard: false, createdAt });

/** The error of a call that must fail. */
async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return await work().then(
    () => {
      throw new Error('It did not fail');
    },
    (error: unknown) => error,
  );
}

/** Tries again while the database is unavailable. */
const eventually = <T>(work: () => Promise<T>) => vi.waitFor(work, { timeout: generousMs, interval: 50 });

test('a request waits for a connection and for one statement, and fails within five seconds', () => {
  const { connectionMs, statementMs, answerMs, idleInTransactionMs, transactionMs } =
    defaultDatabaseDeadlines;
  expect(connectionMs + answerMs).toBeLessThan(5_000);
  expect(transactionMs).toBeLessThan(5_000);
  // If the server works, its own timeouts expire first.
  expect(statementMs).toBeLessThan(answerMs);
  expect(idleInTransactionMs).toBeLessThan(transactionMs);
});

describe('on a database that answers', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  const statements: string[] = [];

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    database = openDatabase({
      url: testDatabase.url,
      logger,
      poolSize: 4,
      deadlines: generousDatabaseDeadlines,
      onStatement: (sql) => statements.push(sql),
    });
  });

  beforeEach(() => {
    statements.length = 0;
  });

  afterAll(async () => {
    await database.dispose();
    await testDatabase.dispose();
  });

  test('work that is not over sends a few statements at a time, also after its answer, and work that is over none', async () => {
    let isOver = false;
    const check = () => {
      if (isOver) throw new Error('over');
    };
    const { pool } = whileRunning(database, check, 0);
    const all = Array.from({ length: 9 }, () => pool.query('SELECT 1 AS one'));
    for (const { rows } of await Promise.all(all)) expect(rows).toEqual([{ one: 1 }]);
    isOver = true;
    await expect(pool.query('SELECT 2')).rejects.toThrow('over');
    expect(statements).not.toContain('SELECT 2');
  });

  test('a transaction commits its work, and every statement is reported', async () => {
    const made = organization();
    await database.transaction((tx) => tx.organization.create({ data: made }));
    expect(statements.map((sql) => sql.split(' ')[0])).toEqual(['BEGIN', 'INSERT', 'COMMIT']);
    const noFormerAdmin = { formerAdminId: null, formerAdminSince: null, ...keptForEver };
    const written = await database.prisma.organization.findUnique({ where: { id: made.id } });
    expect(written).toEqual({ ...made, ...noFormerAdmin });
    expect(statements).toHaveLength(4);
  });

  test('a transaction whose work fails is rolled back', async () => {
    const made = organization();
    const work = async (tx: Transaction) => {
      await tx.organization.create({ data: made });
      throw new Error('second thoughts');
    };
    await expect(database.transaction(work)).rejects.toThrow('second thoughts');
    expect(statements.at(-1)).toBe('ROLLBACK');
    expect(await database.prisma.organization.findUnique({ where: { id: made.id } })).toBeNull();
  });

  test('raw statements and models of a transaction share its connection, and give the same values', async () => {
    const made = organization();
    const [model, raw] = await database.transaction(async (tx) => {
      await tx.organization.create({ data: made });
      const rows = await tx.$queryRawUnsafe<
        { id: string; createdAt: Date; number: bigint; tags: string[] }[]
      >(
        `SELECT id, created_at AS "createdAt", $2::bigint AS number, $3::text[] AS tags, $4::timestamptz AS at, $5::jsonb AS json
           FROM organizations WHERE id = $1::uuid`,
        ...[made.id, 2n ** 60n, ['a', 'b,"c'], createdAt, { nested: [1] }],
      );
      expect(
        await tx.$executeRawUnsafe('UPDATE organizations SET name = $1 WHERE id = $2::uuid', 'New', made.id),
      ).toBe(1);
      return [await tx.organization.findUniqueOrThrow({ where: { id: made.id } }), rows[0]];
    });
    expect(model).toMatchObject({ ...made, name: 'New' });
    const { id } = made;
    expect(raw).toEqual({
      ...{ id, createdAt, number: 2n ** 60n, tags: ['a', 'b,"c'], at: createdAt, json: { nested: [1] } },
    });
  });

  test('statements that are sent before those before them are answered are carried out in their order', async () => {
    const made = organization();
    await database.transaction((tx) => {
      const named = (name: string) =>
        tx.$queryRawUnsafe<object[]>(
          'UPDATE organizations SET name = $1 WHERE id = $2::uuid RETURNING name',
          name,
          made.id,
        );
      return Promise.all([
        tx.$executeRawUnsafe(`INSERT INTO organizations VALUES ($1::uuid, 'Acme', false, now())`, made.id),
        expect(named('first')).resolves.toEqual([{ name: 'first' }]),
        expect(named('second')).resolves.toEqual([{ name: 'second' }]),
      ]);
    });
    expect(await database.prisma.organization.findUnique({ where: { id: made.id } })).toMatchObject({
      name: 'second',
    });
  });

  test('a transaction of which a statement has failed is not committed, even if the work goes on', async () => {
    const made = organization();
    const work = async (tx: Transaction) => {
      await tx.organization.create({ data: made });
      await tx.$queryRawUnsafe('SELECT 1 / 0').catch(() => undefined);
    };
    await expect(database.transaction(work)).rejects.toThrow('COMMIT with ROLLBACK');
    expect(await database.prisma.organization.findUnique({ where: { id: made.id } })).toBeNull();
    expect(database.use().busy).toBe(0);
  });

  test('a statement that was sent with one that failed is prepared again', async () => {
    const read = (tx: Transaction) => tx.$queryRawUnsafe('SELECT $1::int + 1 AS next', 1);
    const together = (tx: Transaction) =>
      Promise.all([tx.$queryRawUnsafe('SELECT 1 / $1::int', 0), read(tx)]);
    await expect(database.transaction(together)).rejects.toThrow('division by zero');
    for (let times = 0; times < 8; times += 1)
      expect(await database.transaction(read)).toEqual([{ next: 2 }]);
  });

  test('a transaction that is over takes no statement', async () => {
    const over: Transaction[] = [];
    await database.transaction(async (tx) => over.push(tx));
    statements.length = 0;
    await expect(over[0]?.$queryRawUnsafe('SELECT 1')).rejects.toThrow('over');
    await expect(over[0]?.organization.count()).rejects.toThrow();
    expect(statements).toEqual([]);
  });

  test('transactions are READ COMMITTED', async () => {
    const isolation = await database.transaction((tx) => tx.$queryRaw`SHOW transaction_isolation`);
    expect(isolation).toEqual([{ transaction_isolation: 'read committed' }]);
  });

  test('statements with parameters are prepared once per connection, under their own names', async () => {
    await database.transaction(async (tx) => {
      for (let times = 0; times < 3; times += 1) {
        await tx.organization.findUnique({ where: { id: newId() } });
      }
      const [prepared] = await tx.$queryRaw<[{ count: bigint }]>`
        SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%"organizations"%"id" = $1%'`;
      expect(prepared.count).toBe(1n);
    });
  });

  describe('inserting a key that already exists', () => {
    const insert = (id: string) => `INSERT INTO organizations VALUES ('${id}', 'Acme', false, now())`;

    test.each<[string, (id: string) => Promise<unknown>]>([
      ['through Prisma', (id) => database.prisma.organization.create({ data: { ...organization(), id } })],
      [
        'in a transaction',
        (id) => database.transaction((tx) => tx.organization.create({ data: { ...organization(), id } })),
      ],
      ['by a raw statement', (id) => database.prisma.$executeRawUnsafe(insert(id))],
      [
        'by a raw query',
        (id) => database.transaction((tx) => tx.$queryRawUnsafe(`${insert(id)} RETURNING 1`)),
      ],
      ['through the pool', (id) => database.pool.query(insert(id))],
    ])('%s is a unique violation of that key and no other error', async (_way, again) => {
      const { id } = await database.prisma.organization.create({ data: organization() });
      const error = await failureOf(() => again(id));
      expect(isUniqueViolation(error)).toBe(true);
      expect(isUniqueViolation(error, 'organizations_pkey')).toBe(true);
      expect(isUniqueViolation(error, 'accounts_email_key')).toBe(false);
      expect(isWriteConflict(error)).toBe(false);
      expect(isUnavailable(error)).toBe(false);
    });
  });

  describe('conflicting transactions', () => {
    type Rename = (tx: Transaction, id: string) => Promise<unknown>;
    const ways: [string, Rename][] = [
      ['through Prisma', (tx, id) => tx.organization.update({ where: { id }, data: { name: 'Renamed' } })],
      [
        'by raw statements',
        (tx, id) => tx.$executeRaw`UPDATE organizations SET name = 'Raw' WHERE id = ${id}::uuid`,
      ],
    ];

    test.each(ways)('in a deadlock, %s, fail with a write conflict', async (_way, rename) => {
      const [one, other] = [organization(), organization()];
      await database.prisma.organization.createMany({ data: [one, other] });
      let arrived = 0;
      let open = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const inOrder = (first: string, second: string) =>
        database.transaction(async (tx) => {
          await rename(tx, first);
          arrived += 1;
          if (arrived === 2) open();
          await gate;
          await rename(tx, second);
        });
      const both = await Promise.allSettled([inOrder(one.id, other.id), inOrder(other.id, one.id)]);
      const failed = both.filter((result) => result.status === 'rejected');
      expect(failed).toHaveLength(1);
      expect(isWriteConflict(failed[0]?.reason)).toBe(true);
      expect(isUnavailable(failed[0]?.reason)).toBe(false);
    });

    test.each(ways)('that cannot be serialized, %s, fail with a write conflict', async (_way, rename) => {
      const { id } = await database.prisma.organization.create({ data: organization() });
      const error = await failureOf(() =>
        database.prisma.$transaction(
          async (tx) => {
            await tx.organization.findUnique({ where: { id } });
            await database.prisma.organization.update({ where: { id }, data: { name: 'Meanwhile' } });
            await rename(tx, id);
          },
          { isolationLevel: 'RepeatableRead' },
        ),
      );
      expect(isWriteConflict(error)).toBe(true);
      expect(isUniqueViolation(error)).toBe(false);
    });
  });

  describe('a connection that the server closes', () => {
    const ownPid = async (tx: Transaction): Promise<number> => {
      const [row] = await tx.$queryRaw<[{ pid: number }]>`SELECT pg_backend_pid() AS pid`;
      return row.pid;
    };
    const terminate = (pid: number) => database.pool.query('SELECT pg_terminate_backend($1, 5000)', [pid]);

    test('between two statements of a transaction is reported as unavailable', async () => {
      const error = await failureOf(() =>
        database.transaction(async (tx) => {
          await terminate(await ownPid(tx));
          await tx.organization.count();
        }),
      );
      expect(isUnavailable(error)).toBe(true);
    });

    test('before the commit is reported as unavailable', async () => {
      const made = organization();
      const error = await failureOf(() =>
        database.transaction(async (tx) => {
          await tx.organization.create({ data: made });
          await terminate(await ownPid(tx));
        }),
      );
      expect(isUnavailable(error)).toBe(true);
      expect(await database.prisma.organization.findUnique({ where: { id: made.id } })).toBeNull();
    });

    test('during a statement is reported as unavailable', async () => {
      const error = await failureOf(() =>
        database.transaction(async (tx) => {
          const pid = await ownPid(tx);
          await Promise.all([tx.$queryRaw`SELECT pg_sleep(200)::text`, terminate(pid)]);
        }),
      );
      expect(isUnavailable(error)).toBe(true);
    });

    test('is not used again', async () => {
      for (let times = 0; times < 8; times += 1) await database.ping();
    });
  });

  describe('a deadline', () => {
    /** Opens a database whose deadlines are generous, except for those given. */
    function openWith(deadline: Partial<DatabaseDeadlines>): Database {
      const deadlines = { ...generousDatabaseDeadlines, ...deadline };
      const opened = openDatabase({ url: testDatabase.url, logger, poolSize: 2, deadlines });
      onTestFinished(() => opened.dispose());
      return opened;
    }

    test('for a statement', async () => {
      const { prisma } = openWith({ statementMs: 100 });
      expect(isUnavailable(await failureOf(() => prisma.$queryRaw`SELECT pg_sleep(200)::text`))).toBe(true);
    });

    test('for a transaction that stays idle', async () => {
      const { transaction } = openWith({ idleInTransactionMs: 100 });
      const error = await failureOf(() =>
        transaction(async (tx) => {
          const [{ pid }] = await tx.$queryRaw<[{ pid: number }]>`SELECT pg_backend_pid() AS pid`;
          await eventually(async () => {
            const { rows } = await database.pool.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [
              pid,
            ]);
            expect(rows).toEqual([]);
          });
          await tx.organization.count();
        }),
      );
      expect(isUnavailable(error)).toBe(true);
    });

    test('for a transaction, which is rolled back and lets others go on while its work does', async () => {
      const { transaction, use } = openWith({ transactionMs: 1_000 });
      const { id } = await database.prisma.organization.create({ data: organization() });
      const error = await failureOf(() =>
        transaction(async (tx) => {
          await tx.$executeRawUnsafe(`UPDATE organizations SET name = 'Late' WHERE id = $1::uuid`, id);
          // Waits for the row until the transaction has been rolled back.
          await database.pool.query(`UPDATE organizations SET name = 'Other' WHERE id = $1`, [id]);
          await tx.$executeRawUnsafe('SELECT 1');
        }),
      );
      expect(isUnavailable(error)).toBe(true);
      expect(await database.prisma.organization.findUnique({ where: { id } })).toMatchObject({
        name: 'Other',
      });
      expect(use().busy).toBe(0);
    });

    test('for a free connection', async () => {
      const { transaction, ping, pool } = openWith({ connectionMs: 2_000 });
      // On a busy machine a new connection may take longer: from here on the pool has all of its connections.
      await eventually(() => Promise.all([1, 2].map(() => ping())));
      const released = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      const holder = transaction(async (tx) => {
        await tx.organization.count();
        begun.resolve();
        await released.promise;
      });
      await begun.promise;
      const reader = await pool.connect();
      expect(isUnavailable(await failureOf(() => transaction((tx) => tx.organization.count())))).toBe(true);
      expect(isUnavailable(await failureOf(ping))).toBe(true);
      released.resolve();
      reader.release();
      await holder;
      await ping();
    });
  });

  test('other errors are in none of these classes', async () => {
    for (const work of [
      () => database.prisma.$queryRaw`SELECT nonsense`,
      () => database.pool.query('SELECT 1 / 0'),
      () => database.transaction(() => Promise.reject(new TypeError('an error in our code'))),
      () =>
        database.prisma.membership.create({
          data: { organizationId: newId(), accountId: newId(), createdAt },
        }),
      () => database.prisma.organization.findUniqueOrThrow({ where: { id: newId() } }),
    ]) {
      const error = await failureOf(work);
      expect([isUnavailable(error), isWriteConflict(error), isUniqueViolation(error)]).toEqual([
        false,
        false,
        false,
      ]);
    }
    for (const thrown of [undefined, null, 'text', 42, {}]) expect(isUnavailable(thrown)).toBe(false);
  });

  test('after disposal every call fails as unavailable, and disposing again does nothing', async () => {
    const other = openDatabase({ url: testDatabase.url, logger });
    await other.ping();
    await Promise.all([other.dispose(), other.dispose()]);
    for (const work of [() => other.ping(), () => other.prisma.account.count()]) {
      expect(isUnavailable(await failureOf(work))).toBe(true);
    }
  });

  test('disposal closes a connection that is in use', async () => {
    const deadlines = { ...generousDatabaseDeadlines, disposeMs: 100 };
    const other = openDatabase({ url: testDatabase.url, logger, deadlines });
    const client = await other.pool.connect();
    await other.dispose();
    await expect(client.query('SELECT 1')).rejects.toThrow();
  });
});

describe('on a database that stops and starts', () => {
  let postgres: OwnPostgres;
  let database: Database;

  beforeAll(async () => {
    postgres = await startOwnPostgres();
  });

  afterAll(() => postgres.dispose());

  beforeEach(async () => {
    database = openDatabase({ url: postgres.url, logger, poolSize: 4 });
    onTestFinished(() => database.dispose());
    await Promise.all([1, 2, 3].map(() => eventually(() => database.ping())));
  });

  const ways: [string, () => Promise<unknown>][] = [
    ['a query', () => database.prisma.account.count()],
    ['a raw query', () => database.prisma.$queryRaw`SELECT 1`],
    ['a transaction', () => database.transaction((tx) => tx.account.count())],
    ['the pool', () => database.pool.query('SELECT 1')],
    ['a ping', () => database.ping()],
  ];

  test('while it is stopped every call fails as unavailable; after its start every call works', async () => {
    await postgres.stop();
    for (const [name, work] of ways) expect(isUnavailable(await failureOf(work)), name).toBe(true);
    await postgres.start();
    for (const [, work] of ways) await eventually(work);
  });

  test('when it stops during a transaction, the transaction fails as unavailable', async () => {
    const error = await failureOf(() =>
      database.transaction(async (tx) => {
        await tx.account.count();
        await postgres.stop();
        await tx.account.count();
      }),
    );
    expect(isUnavailable(error)).toBe(true);
    await postgres.start();
    await eventually(() => database.ping());
  });

  test('while it does not answer every call fails as unavailable; afterwards every call works', async () => {
    await postgres.freeze();
    onTestFinished(() => postgres.thaw());
    const failures = await Promise.all(ways.map(([, work]) => failureOf(work)));
    // The first calls used open connections; these need new ones.
    failures.push(...(await Promise.all(ways.map(([, work]) => failureOf(work)))));
    for (const error of failures) expect(isUnavailable(error)).toBe(true);
    await postgres.thaw();
    for (const [, work] of ways) await eventually(work);
  });

  test('while it is read-only every call fails as unavailable, and no connection stays; afterwards every call works', async () => {
    const operator = new pg.Client({ connectionString: postgres.url });
    await operator.connect();
    onTestFinished(() => operator.end());
    const connections = async () => {
      const { rows } = await operator.query(
        `SELECT pid FROM pg_stat_activity WHERE application_name = 'latchkey' AND backend_type = 'client backend'`,
      );
      return rows.length;
    };
    expect(await connections()).toBeGreaterThan(0);
    await operator.query('ALTER SYSTEM SET default_transaction_read_only = on');
    await operator.query('SELECT pg_reload_conf()');
    // A connection notices it with its next statement.
    await eventually(async () => {
      await database.ping().catch(() => undefined);
      expect(await connections()).toBe(0);
    });
    for (const [name, work] of ways) {
      const error = await failureOf(work);
      expect(isUnavailable(error), `${name}: ${error}`).toBe(true);
    }
    await operator.query('ALTER SYSTEM RESET default_transaction_read_only');
    await operator.query('SELECT pg_reload_conf()');
    for (const [, work] of ways) await eventually(work);
  });

  test('a connection on which a write was refused because its server is read-only is not used again', async () => {
    let pid: unknown;
    const error = await failureOf(() =>
      database.transaction(async (tx) => {
        await tx.$executeRaw`SET TRANSACTION READ ONLY`;
        [pid] = await tx.$queryRaw<unknown[]>`SELECT pg_backend_pid() AS pid`;
        await tx.organization.create({ data: organization() });
      }),
    );
    expect(isUnavailable(error)).toBe(true);
    await eventually(async () => {
      const { rows } = await database.pool.query('SELECT pid FROM pg_stat_activity');
      expect(rows).not.toContainEqual(pid);
    });
  });

  test('while commits wait for a standby that is gone, reads go on, and the server gets no more of them', async () => {
    const operator = new pg.Client({ connectionString: postgres.url });
    await operator.connect();
    onTestFinished(() => operator.end());
    const waiting = async () => {
      const { rows } = await operator.query(`SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
      return rows.length;
    };
    const waitFor = async (standby: string) => {
      await operator.query(`ALTER SYSTEM SET synchronous_standby_names = '${standby}'`);
      await operator.query('SELECT pg_reload_conf()');
    };
    const decisive = openDatabase({
      ...{ url: postgres.url, logger, poolSize: 4 },
      deadlines: { ...generousDatabaseDeadlines, connectionMs: 1_000, answerMs: 1_000 },
    });
    onTestFinished(() => decisive.dispose());
    const read = () => decisive.prisma.organization.findMany({ where: { id: { in: ids } } });
    const decide = () => {
      const made = organization();
      ids.push(made.id);
      return decisive.transaction((tx) => tx.organization.create({ data: made }));
    };
    const ids: string[] = [];
    await eventually(read);
    onTestFinished(() => waitFor(''));
    await waitFor('gone');
    // The server reads its settings a moment later.
    await eventually(async () => {
      expect(isUnavailable(await failureOf(decide))).toBe(true);
      expect(await waiting()).toBeGreaterThan(0);
    });
    const before = (await eventually(read)).length;
    for (let round = 0; round < 3; round += 1) {
      const failures = await Promise.all([1, 2, 3, 4].map(() => failureOf(decide)));
      for (const error of failures) expect(isUnavailable(error), String(error)).toBe(true);
      // Nothing that a standby does not have is shown.
      expect(await eventually(read)).toHaveLength(before);
      await eventually(() => decisive.ping());
    }
    // Of four connections one is for reads.
    const waited = await waiting();
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThanOrEqual(3);
    await waitFor('');
    await eventually(decide);
    expect(await waiting()).toBe(0);
    expect((await eventually(read)).length).toBeGreaterThan(before + waited);
  });

  test('when it stops answering during a transaction, the rollback does not wait for another deadline', async () => {
    onTestFinished(() => postgres.thaw());
    const answerMs = 5_000;
    const patient = openDatabase({
      ...{ url: postgres.url, logger },
      deadlines: { ...generousDatabaseDeadlines, answerMs },
    });
    onTestFinished(() => patient.dispose());
    let failedAt = Number.NaN;
    const error = await failureOf(() =>
      patient.transaction(async (tx) => {
        await tx.account.count();
        await postgres.freeze();
        await tx.account.count().catch((reason: unknown) => {
          failedAt = performance.now();
          throw reason;
        });
      }),
    );
    expect(isUnavailable(error)).toBe(true);
    expect(performance.now() - failedAt).toBeLessThan(answerMs);
  });
});
