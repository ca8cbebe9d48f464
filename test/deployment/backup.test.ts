/** The commands of docs/operating.md by which a database is backed up and restored, with PostgreSQL as this machine has it. */
import { execFile } from 'node:child_process';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queryAt } from '../delivery/clusters.ts';
import { administer, databaseUrl } from '../support/databases.ts';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { type Json, startGateway, type TestGateway } from '../support/gateway.ts';
import { reservePort } from '../support/ports.ts';
import { fullSize } from '../support/size.ts';
import {
  createPostgresPlace,
  documented,
  folderIn,
  type PostgresPlace,
  postgresBin,
  type SystemServer,
  triedWith,
  urlAt,
} from '../support/system-postgres.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { createDatabaseWithWorld, type WorldContents } from '../support/world.ts';

type Subscriber = { events: number; error: unknown };

const [
  createSlot = '',
  receive = '',
  copy = '',
  waitForIt = '',
  prepare = '',
  until = '',
  start = '',
  dump = '',
] = documented('Backup');

describe.runIf(fullSize && postgresBin !== undefined)(`a database: ${triedWith}`, () => {
  const running = new AsyncDisposableStack();
  let place: PostgresPlace;
  let primary: SystemServer;
  let world: WorldContents;
  let gateway: TestGateway;
  let subscriber: Subscriber;
  /** To which the address of the gateway leads. */
  let leadsTo: number;
  let switchTo: (port: number) => void;
  /** The keys of the tickets whose filing was acknowledged. */
  const acknowledged: string[] = [];
  /** When some of them had been filed, and how many. */
  let middle: { at: string; count: number };

  /** A documented command with the folders of the place, for the server at `PGPORT`. */
  const here = (commands: string, restored = 'restored', wal = 'wal') =>
    commands
      .replaceAll('db.vendor.example', '127.0.0.1')
      .replaceAll('new.vendor.example', '127.0.0.1')
      .replaceAll('/backup/wal', join(place.folder, wal))
      .replaceAll('/backup', place.folder)
      .replaceAll('/var/lib/postgresql/restored', join(place.folder, restored));

  beforeAll(async () => {
    place = running.use(await createPostgresPlace());
    await place.create('primary');
    primary = await place.serve('primary');
    const filled = await createDatabaseWithWorld();
    world = filled.contents;
    await restoreInto(primary.url, await dumpOf(filled.url));
    await filled.dispose();

    const PGPORT = String(primary.port);
    await folderIn(place, 'wal');
    await place.run(here(createSlot), { PGPORT });
    const receiver = place.start(`exec ${here(receive)}`, { PGPORT });
    await query(primary.port, ...waitForIt.split(/;\n/));
    await eventually(async () => {
      const [row] = await query(primary.port, 'SELECT sync_state FROM pg_stat_replication');
      expect(row).toEqual({ sync_state: 'quorum' });
    });
    await place.run(here(copy), { PGPORT });

    leadsTo = primary.port;
    const proxy = running.adopt(await openTcpProxy(() => leadsTo), (opened) => opened.dispose());
    switchTo = (port) => {
      proxy.cut();
      leadsTo = port;
      proxy.resume();
    };
    gateway = running.use(await startGateway({ databaseUrl: urlAt(proxy.port), maintenance: false }));
    subscriber = await subscribe();

    await fileTicketsUntil(20);
    const [row] = await query(primary.port, 'SELECT now()::text AS at');
    middle = { at: String(row?.['at']), count: acknowledged.length };
    const filing = fileTicketsUntil(Number.POSITIVE_INFINITY);
    await eventually(() => expect(acknowledged.length).toBeGreaterThan(60));
    await primary.kill();
    proxy.cut();
    await filing;
    receiver.kill('SIGINT');
    await rename(join(place.folder, 'primary'), join(place.folder, 'lost'));
  }, 900_000);
  afterAll(() => running.disposeAsync());

  const query = (port: number, ...statements: string[]) => queryAt(urlAt(port), ...statements);

  /** Resolves when it has begun. */
  async function subscribe(): Promise<Subscriber> {
    const person = await gateway.as(world.services.watching);
    const begun = Promise.withResolvers<void>();
    const subscription: Subscriber = { events: 0, error: undefined };
    person.socket().subscribe<Json>(
      { query: 'subscription { grantEvents { id type } }' },
      {
        next() {
          subscription.events += 1;
          begun.resolve();
        },
        error(reason) {
          subscription.error = reason;
          begun.reject(reason);
        },
        complete: () => undefined,
      },
    );
    await begun.promise;
    return subscription;
  }

  /** Eight people file tickets with a request each until so many are acknowledged, or the first of them is not. */
  async function fileTicketsUntil(count: number): Promise<void> {
    const reporter = await gateway.as(world.acme.emails.reporter);
    const productId = world.acme.sites.main.products.jira;
    const file = async (): Promise<void> => {
      while (acknowledged.length < count) {
        const { data } = await reporter
          .send(
            `mutation ($input: CreateTicketInput!) { ticket: createTicket(input: $input) { ... on Ticket { key } } }`,
            { input: { productId, summary: 'It is slow', grantDataAccess: false } },
          )
          .catch(() => ({ data: null }));
        if (data === null) return;
        acknowledged.push(data.ticket.key);
      }
    };
    await Promise.all(Array.from({ length: 8 }, file));
  }

  /** Starts the prepared server by the documented command, with its WAL received as documented; returns its port. */
  async function startRestored(name: string): Promise<number> {
    const port = await reservePort();
    const PGPORT = String(port);
    running.defer(async () => {
      await place.run(`pg_ctl stop -m immediate -D ${join(place.folder, name)}`);
    });
    await place.run(here(start, name), { PGPORT });
    await folderIn(place, `wal-of-${name}`);
    await eventually(() => place.run(here(createSlot, name, `wal-of-${name}`), { PGPORT }));
    place.start(`exec ${here(receive, name, `wal-of-${name}`)}`, { PGPORT });
    await eventually(async () =>
      expect(await query(port, 'SELECT pg_is_in_recovery()')).toEqual([{ pg_is_in_recovery: false }]),
    );
    return port;
  }

  const keysAt = async (port: number) =>
    (await query(port, `SELECT key FROM tickets`)).map(({ key }) => String(key));
  const isReady = () =>
    eventually(async () => expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200));

  test('is restored without the loss of anything that was acknowledged, and subscribers go on', async () => {
    await place.run(here(prepare));
    const port = await startRestored('restored');
    const keys = new Set(await keysAt(port));
    expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
    switchTo(port);
    await isReady();
    const before = acknowledged.length;
    await eventually(async () => {
      await fileTicketsUntil(before + 8);
      expect(acknowledged.length).toBeGreaterThanOrEqual(before + 8);
    });
    await eventually(() => expect(subscriber.events).toBeGreaterThan(before));
    expect(subscriber.error).toBeUndefined();
  }, 300_000);

  test('is restored to an earlier moment, and subscribers start again', async () => {
    await place.run(here(prepare, 'earlier'));
    await place.run(here(until, 'earlier').replace('2026-11-26 13:19:00+00', middle.at));
    const port = await startRestored('earlier');
    const keys = new Set(await keysAt(port));
    expect(acknowledged.filter((key) => keys.has(key))).toEqual(acknowledged.slice(0, middle.count));
    switchTo(port);
    await eventually(() =>
      expect(subscriber.error).toMatchObject([{ extensions: { code: 'HISTORY_REPLACED' } }]),
    );
    await subscribe();
  }, 300_000);

  test('is restored from a dump', async () => {
    const port = await reservePort();
    await place.create('source');
    await place.create('target');
    const [source, target] = [await place.serve('source'), await place.serve('target', port)];
    for (const { url } of [source, target]) await administer(url, 'CREATE DATABASE latchkey');
    const filled = await createDatabaseWithWorld();
    await restoreInto(databaseUrl(source.url, 'latchkey'), await dumpOf(filled.url));
    await filled.dispose();
    const [make = '', ...load] = dump.split(/^(?=pg_restore|npm)/m);
    const [restore = '', setUp = ''] = load;
    await place.run(here(make), { PGPORT: String(source.port) });
    await place.run(here(restore), { PGPORT: String(target.port) });
    expect(setUp).toMatch(/^npm run database:setup -- --url \S+\n$/);
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const url = databaseUrl(target.url, 'latchkey');
    const { stdout } = await promisify(execFile)(process.execPath, ['src/database-setup.ts', '--url', url], {
      cwd: root,
    });
    const [, gatewaysUrl = ''] = /^DATABASE_URL=(.*)$/m.exec(stdout) ?? [];
    await using restored = await startGateway({ databaseUrl: gatewaysUrl, maintenance: false });
    const admin = await restored.as(world.acme.emails.organizationAdmin);
    expect(await admin.ask('{ viewer { account { email } } }')).toMatchObject({
      viewer: { account: { email: world.acme.emails.organizationAdmin } },
    });
  }, 300_000);
});
