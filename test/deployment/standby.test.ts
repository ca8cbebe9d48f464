/** A standby of PostgreSQL as this machine has it: followed, lost, brought back, promoted, as docs/operating.md says. */
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { eventually } from '../support/eventually.ts';
import { startGateway } from '../support/gateway.ts';
import { reservePort } from '../support/ports.ts';
import { fullSize } from '../support/size.ts';
import { createPostgresPlace, documented, postgresBin, triedWith } from '../support/system-postgres.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { attempt, createDatabaseWithWorld, fileTicket, withPeople } from '../support/world.ts';

const poolSize = 8;

test.runIf(fullSize && postgresBin !== undefined)(
  `a standby is lost, comes back and takes over: ${triedWith}`,
  async () => {
    await using place = await createPostgresPlace();
    await place.create('primary');
    const primary = await place.serve('primary');
    const filled = await createDatabaseWithWorld();
    await restoreInto(primary.url, await dumpOf(filled.url));
    await filled.dispose();
    const superuser = new pg.Pool({ connectionString: primary.url, max: 1 });
    superuser.on('error', () => undefined);
    onTestFinished(() => superuser.end());

    const [follow = '', waitForIt = '', promote = ''] = documented('Failover');
    const here = (commands: string) =>
      commands
        .replaceAll('db.vendor.example', '127.0.0.1')
        .replaceAll('/var/lib/postgresql', place.folder)
        .replace(/^pg_ctl start .*$/m, '');
    await place.run(here(follow), { PGPORT: String(primary.port) });
    const standbyPort = await reservePort();
    let standby = await place.serve('standby', standbyPort);

    let leadsTo = primary.port;
    const proxy = await openTcpProxy(() => leadsTo);
    onTestFinished(() => proxy.dispose());
    const address = new URL(primary.url);
    address.port = String(proxy.port);
    await using gateway = await startGateway({
      databaseUrl: address.href,
      maintenance: false,
      config: { databasePoolSize: poolSize },
      databaseDeadlines: { ...generousDatabaseDeadlines, connectionMs: 2_000, answerMs: 2_000 },
    });
    const world = await withPeople(gateway, filled.contents);
    const ready = async () => {
      const response = await fetch(`${gateway.url}/readyz`);
      return [response.status, await response.json()];
    };
    const switchTo = (port: number): void => {
      proxy.cut();
      leadsTo = port;
      proxy.resume();
    };
    const isReady = () => eventually(async () => expect(await ready()).toEqual([200, { status: 'READY' }]));
    await isReady();

    switchTo(standbyPort);
    const notReady = [503, { status: 'NOT_READY', notReady: ['database'] }];
    await eventually(async () => expect(await ready()).toEqual(notReady));
    switchTo(primary.port);
    await isReady();

    // The standby is lost.
    const { ticketId } = await eventually(() => fileTicket(gateway, world));
    for (const statement of waitForIt.split(/;\n/)) await superuser.query(statement);
    await eventually(async () => {
      const { rows } = await superuser.query('SELECT sync_state FROM pg_stat_replication');
      expect(rows).toEqual([{ sync_state: 'sync' }]);
    });
    await standby.kill();
    const approval = { ticketId, idempotencyKey: 'while-the-standby-is-gone' };
    const decide = (key: string) =>
      world.admins.acme.send(
        `mutation ($input: ApproveDataAccessInput!) { approveDataAccess(input: $input) { __typename } }`,
        { input: { ...approval, idempotencyKey: key } },
      );
    const waiting = async () => {
      const { rows } = await superuser.query(`SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'`);
      return rows.length;
    };
    const others = await Promise.all(
      Array.from({ length: 3 * poolSize }, () => eventually(() => newTicket())),
    );
    async function newTicket() {
      const reporter = await gateway.as(world.acme.emails.reporter);
      const productId = world.acme.sites.main.products.jira;
      return await reporter.send(
        'mutation ($input: CreateTicketInput!) { createTicket(input: $input) { __typename } }',
        { input: { productId, summary: 'It waits', grantDataAccess: false } },
      );
    }
    for (const answer of [await decide(approval.idempotencyKey), ...others])
      expect(
        answer.errors.map(({ extensions }) => extensions['code']),
        JSON.stringify(answer),
      ).toEqual(['SERVICE_UNAVAILABLE']);
    expect(await waiting()).toBeGreaterThan(0);
    expect(await waiting()).toBeLessThanOrEqual(Math.floor(poolSize * 0.75) + Math.ceil(poolSize * 0.3) + 2);
    for (let reads = 0; reads < 10; reads += 1)
      await eventually(async () => {
        const { errors } = await world.admins.acme.send('{ tickets(first: 5) { edges { node { key } } } }');
        expect(errors).toEqual([]);
      });
    await isReady();

    // It comes back.
    standby = await place.serve('standby', standbyPort);
    await eventually(async () => expect(await waiting()).toBe(0));
    const repeated = await eventually(() => attempt(world.admins.acme, 'approveDataAccess', approval));
    expect(repeated).toMatchObject({ state: 'ACTIVE' });
    const kept = await eventually(() => fileTicket(gateway, world));

    // It takes over.
    await primary.kill();
    switchTo(standbyPort);
    await eventually(async () => expect(await ready()).toEqual(notReady));
    await place.run(here(promote));
    await isReady();
    const { ticket } = await eventually(() =>
      world.admins.acme.ask('query ($key: String!) { ticket(key: $key) { key } }', { key: kept.key }),
    );
    expect(ticket).toEqual({ key: kept.key });
    await eventually(() => fileTicket(gateway, world));
  },
  900_000,
);
