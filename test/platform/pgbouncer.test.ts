import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { prepareDatabase } from '../../src/platform/prepare-database.ts';
import { requireSessions } from '../../src/platform/startup-connection.ts';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { findProgram } from '../support/find-program.ts';
import { reservePort } from '../support/ports.ts';
import { createTestDatabase, gatewayUrl } from '../support/postgres.ts';

const logger = createLogger('silent');

/** Starts PgBouncer as it comes, in front of a new database; returns the database's URL through it, as a gateway. */
async function startPgBouncer(poolMode: string, settings = ''): Promise<string> {
  const program = await findProgram('pgbouncer', 'PGBOUNCER');
  if ('missing' in program) throw new Error(program.missing);
  const database = await createTestDatabase();
  const { hostname, port, username, password, pathname } = new URL(gatewayUrl(database.url));
  const name = pathname.slice(1);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-pgbouncer-'));
  await chmod(folder, 0o755);
  const listenPort = await reservePort();
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
${name} = host=${hostname} port=${port || 5432} user=${username} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
${settings}
`,
  );
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const server = spawnWatched(...watched(program.path, [file]), {
    ...user,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const exited = once(server, 'exit');
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await exited;
    await database.dispose();
    await rm(folder, { recursive: true, force: true });
  });
  server.stdout?.resume();
  const lines = createInterface({ input: server.stderr ?? Readable.from([]) });
  const said: string[] = [];
  await new Promise<void>((ready, failed) => {
    lines.on('line', (line) => {
      said.push(line);
      if (line.includes('process up')) ready();
    });
    lines.once('close', () => failed(new Error(`PgBouncer did not start: ${said.join('\n')}`)));
  });
  return `postgresql://anybody:anything@127.0.0.1:${listenPort}/${name}`;
}

test('behind PgBouncer with session pooling a database works, with its settings', async () => {
  const url = await startPgBouncer('session');
  await requireSessions(url);
  expect(await prepareDatabase({ url, owner: null })).toMatchObject({ waysAround: [] });
  await using stack = new AsyncDisposableStack();
  const database = stack.adopt(
    openDatabase({
      ...{ url, logger, poolSize: 3, deadlines: { ...generousDatabaseDeadlines, statementMs: 123_456 } },
      settings: { plan_cache_mode: 'force_generic_plan' },
    }),
    (opened) => opened.dispose(),
  );
  const organization = { id: newId(), name: 'Acme', hasGuard: true, createdAt: new Date() };
  await database.transaction((tx) => tx.organization.create({ data: organization }));
  const { id } = organization;
  expect(await database.prisma.organization.findMany({ where: { id } })).toMatchObject([organization]);
  const names = ['statement_timeout', 'default_transaction_isolation', 'plan_cache_mode', 'application_name'];
  const { rows } = await database.pool.query(
    `SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`)}`,
  );
  expect(rows).toEqual([
    {
      statement_timeout: '123456ms',
      default_transaction_isolation: 'read committed',
      plan_cache_mode: 'force_generic_plan',
      application_name: 'latchkey',
    },
  ]);
});

test.each(['transaction', 'statement'])(
  'PgBouncer with %s pooling is refused, with the setting that is needed',
  async (poolMode) => {
    await expect(requireSessions(await startPgBouncer(poolMode))).rejects.toThrow(
      /^DATABASE_URL leads to a connection pooler that does not keep sessions: set pool_mode = session [^\n]*$/,
    );
  },
);

test('PgBouncer with too few connections is refused, with the setting that is needed', async () => {
  const url = await startPgBouncer('session', 'default_pool_size = 1\nquery_wait_timeout = 1');
  await expect(requireSessions(url)).rejects.toThrow(
    /^DATABASE_URL .*\(default_pool_size in PgBouncer, [^\n]*$/,
  );
});
