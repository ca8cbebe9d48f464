/**
 * Streams of the audit log, and its seals, while whatever they depend on dies: gateways by `kill -9` while they seal and send, and
 * the database, of which a dump is restored into a fresh cluster. Every entry is sealed and arrives, in order; what comes twice is the
 * same message. And an endpoint over TLS is as trusted as its certificate.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { logName } from '../../src/audit/log-name.ts';
import { createHeads, createProof, parseLine } from '../../src/audit/verify-export.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { keysOfLog } from '../../src/transparency/log-keys.ts';
import { type Draw, drawSeeded } from '../api/tenancy-documents.ts';
import { strangeCertificate, strangeKey } from '../support/certificate.ts';
import { dumpOf, restoreInto } from '../support/dump.ts';
import { type Followed, followLog, type Transport } from '../support/followed-log.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { insertAuditEntries, rawId } from '../support/rows.ts';
import { logKeys, signingKeys } from '../support/sealing.ts';
import { accept, type Siem, startSiem } from '../support/siem.ts';
import { fullSize, seedOf } from '../support/size.ts';
import { createDatabaseWithWorld, done, withPeople } from '../support/world.ts';
import { createCluster } from './clusters.ts';
import { type Deployment, startDeployment } from './deployment.ts';

// A claim of a gateway that was killed runs out after a minute.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

/** As `eventually`, less often: what is looked at is long. */
const eventually = <Result>(assertion: () => Result | Promise<Result>): Promise<Result> =>
  vi.waitFor(assertion, { interval: 200, timeout: 180_000 });

const run = promisify(execFile);
const seed = seedOf('STREAMS_SEED');
const entryCount = 20_000;
const kills = 8;
const keyTexts = signingKeys();
const positions = (length: number) => Array.from({ length }, (_, at) => at + 1);

type Asking = Pick<Person, 'ask'>;

/** Sends operations to this gateway. */
function askerAt(port: number, token: string): Asking {
  return {
    async ask(query, variables) {
      const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = (await response.json()) as Json;
      if (errors !== undefined) throw new Error(JSON.stringify(errors));
      return data;
    },
  };
}

async function createStream(asker: Asking, organizationId: string, siem: Siem): Promise<string> {
  const { secret, auditStream } = await done(asker as Person, 'createAuditStream', {
    ...{ organizationId, name: siem.url, endpointUrl: siem.url, after: 0 },
  });
  siem.secrets.push(secret);
  return auditStream.id;
}

/** Expects that everything has arrived so far, in order, and that nothing came twice but as the same message. */
function expectArrived(siem: Siem, length: number): void {
  expect([...new Set(siem.accepted)]).toEqual(positions(length));
  for (const [, again] of Map.groupBy(siem.received, ({ id }) => id))
    expect(new Set(again.map(({ text }) => text)).size).toBe(1);
  const messageOf = new Map<number, string>();
  for (const { id, body } of siem.received)
    for (const { position } of body.data.entries) {
      if ((messageOf.get(position) ?? id) !== id)
        throw new Error(`Entry ${position} came in ${messageOf.get(position)} and in ${id}`);
      messageOf.set(position, id);
    }
  expect(siem.received.every(({ signatures }) => signatures > 0)).toBe(true);
}

/** Everything that a reader of the whole log downloads of it. */
async function downloaded(url: string, path: string, token: string): Promise<string> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  expect(response.status).toBe(200);
  const next = /<(.+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  return (await response.text()) + (next === undefined ? '' : await downloaded(url, next, token));
}

/** What is proved of an export, with heads that were kept. */
function proved(text: string, organizationId: string, kept: readonly string[] = []) {
  const { verifiers } = keysOfLog(logKeys(keyTexts), logName(rawId(organizationId)));
  const heads = createHeads(verifiers);
  const lines = text.trim().split('\n').map(parseLine);
  for (const note of kept) heads.add(note);
  for (const line of lines) if ('checkpoint' in line) heads.add(line.checkpoint);
  const proof = createProof(heads.inOrder(), verifiers);
  for (const line of lines) proof.read(line);
  return proof.end();
}

describe.runIf(fullSize)(`two gateways, STREAMS_SEED=${seed}`, () => {
  let running: AsyncDisposableStack;
  let deployment: Deployment;
  let sql: pg.Pool;
  let folder: string;
  let draw: Draw;
  let acme: string;

  beforeAll(async () => {
    await using begun = new AsyncDisposableStack();
    folder = await mkdtemp(join(tmpdir(), 'latchkey-streams-'));
    begun.defer(() => rm(folder, { recursive: true }));
    await makeAuthority();
    const database = begun.adopt(await createTestDatabase(), (made) => made.dispose());
    const redis = await startRedis();
    begun.defer(() => redis.stop());
    const environment = {
      AUDIT_SIGNING_KEYS: keyTexts.join(),
      AUDIT_STREAM_NETWORKS: '127.0.0.0/8',
      NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem'),
    };
    const redisUrl = `redis://127.0.0.1:${redis.port}`;
    deployment = begun.use(await startDeployment({ databaseUrl: database.url, redisUrl, environment }));
    sql = begun.adopt(new pg.Pool({ connectionString: database.url, max: 8 }), (pool) => pool.end());
    acme = deployment.world.acme.organizationId;
    draw = drawSeeded(seed);
    running = begun.move();
  });
  afterAll(() => running?.disposeAsync());

  const adminToken = () => deployment.tokenOf(deployment.world.acme.emails.organizationAdmin);
  const admin = async (): Promise<Asking> => askerAt(deployment.gateways[0].port, await adminToken());

  async function logLength(): Promise<number> {
    const { rows } = await sql.query(
      'SELECT count(*)::int AS entries FROM audit_entries WHERE organization_id = $1',
      [rawId(acme)],
    );
    return rows[0].entries;
  }

  /** Several writers, each with transactions of one to a hundred entries. */
  async function writeEntries(count: number): Promise<void> {
    let left = count;
    await Promise.all(
      positions(4).map(async () => {
        while (left > 0) {
          const some = Math.min(left, 1 + draw.below(100));
          left -= some;
          await insertAuditEntries({ sql } as unknown as TestGateway, rawId(acme), some);
        }
      }),
    );
  }

  async function expectSealed(): Promise<void> {
    const length = await logLength();
    const { rows } = await sql.query(
      `SELECT (SELECT max(position)::int FROM audit_positions WHERE organization_id = $1) AS positions,
              (SELECT max(size)::int FROM audit_checkpoints WHERE organization_id = $1) AS sealed`,
      [rawId(acme)],
    );
    expect(rows[0]).toEqual({ positions: length, sealed: length });
  }

  async function receivers(count: number): Promise<Siem[]> {
    const siems = await Promise.all(positions(count).map(() => startSiem()));
    for (const siem of siems) {
      const id = await createStream(await admin(), acme, siem);
      onTestFinished(async () => {
        await done((await admin()) as Person, 'deleteAuditStream', { auditStreamId: id });
        await siem[Symbol.asyncDispose]();
      });
    }
    return siems;
  }

  test('send the same streams in turn: nothing comes twice', async () => {
    const siems = await receivers(5);
    await writeEntries(5_000);
    await eventually(async () => {
      const length = await logLength();
      for (const siem of siems) expectArrived(siem, length);
    });
    for (const siem of siems) {
      expect(siem.accepted).toHaveLength(await logLength());
      expect(new Set(siem.received.map(({ id }) => id)).size).toBe(siem.received.length);
    }
    await eventually(expectSealed);
  });

  test('are killed while they seal and send: nothing is lost, and nothing stays unsealed', async () => {
    const siems = await receivers(3);
    let isWriting = true;
    const writing = writeEntries(entryCount).finally(() => {
      isWriting = false;
    });
    // Some messages are being sent, and some were accepted, when a gateway dies.
    for (const siem of siems)
      siem.respond = (response, message) => void setTimeout(() => accept(response, message), draw.below(10));
    for (let killed = 0; killed < kills; killed += 1) {
      const before = siems.reduce((sum, { received }) => sum + received.length, 0);
      await eventually(() =>
        expect(isWriting && siems.reduce((sum, { received }) => sum + received.length, 0) <= before).toBe(
          false,
        ),
      );
      const gateway = deployment.gateways[draw.below(2)] ?? deployment.gateways[0];
      await gateway.kill();
      await gateway.start();
    }
    await writing;
    // Those whose gateway has died are another's a minute later.
    await eventually(async () => {
      const length = await logLength();
      for (const siem of siems) expectArrived(siem, length);
    });
    await eventually(expectSealed);
    const again = siems.map(({ received }) => received.length - new Set(received.map(({ id }) => id)).size);
    process.stdout.write(`${kills} kills; messages that came again, by stream: ${again.join(', ')}\n`);
    const text = await downloaded(
      `http://127.0.0.1:${deployment.gateways[0].port}`,
      `/audit/log/${acme}/export`,
      await adminToken(),
    );
    expect(proved(text, acme)).toMatchObject({ entries: { first: 1, last: await logLength() } });
  });

  test('are killed under those who follow the log: each entry comes to everybody once, in order', async () => {
    const token = await adminToken();
    await eventually(expectSealed);
    const begun = await logLength();
    const follow = (transport: Transport, turn: number, after?: string) => {
      const url = `http://127.0.0.1:${deployment.gateways[turn % 2]?.port}`;
      return followLog(transport, { url, token, filter: '{ action: ORGANIZATION_CREATE }', after });
    };
    let [resumed, last] = [0, Number.POSITIVE_INFINITY];
    /** Follows at one gateway after the other, from the last cursor on, until the last entry has come. */
    const followAll = async (transport: Transport, first: number, from: Followed): Promise<Json[]> => {
      const events: Json[] = [];
      let followed = from;
      const hasAll = () => [...events, ...followed.events].at(-1)?.entry.position >= last;
      const all = eventually(() => expect(hasAll()).toBe(true)).then(() => true);
      for (let turn = first; !(await Promise.race([all, followed.ended.then(() => false)])); resumed += 1) {
        turn += 1;
        events.push(...followed.events);
        followed = follow(transport, turn, followed.cursor);
      }
      followed.end();
      return [...events, ...followed.events];
    };
    const firsts = (['event stream', 'WebSocket'] as const).flatMap((transport) =>
      [0, 1].map((turn) => ({ transport, turn, followed: follow(transport, turn) })),
    );
    await Promise.all(firsts.map(({ followed }) => followed.started));
    const following = Promise.all(
      firsts.map(({ transport, turn, followed }) => followAll(transport, turn, followed)),
    );
    const writing = writeEntries(5_000);
    for (let killed = 0; killed < 4; killed += 1) {
      const [before, gateway] = [resumed, deployment.gateways[killed % 2] ?? deployment.gateways[0]];
      await gateway.kill();
      await eventually(() => expect(resumed).toBeGreaterThan(before));
      await gateway.start();
    }
    await writing;
    await writeEntries(1);
    await eventually(expectSealed);
    const { rows } = await sql.query<{ id: string; position: number }>(
      `SELECT e.id, p.position::int FROM audit_entries e JOIN audit_positions p USING (txid, seq)
        WHERE e.organization_id = $1 AND p.organization_id = $1 AND e.action = 'organization.create' AND p.position > $2 ORDER BY p.position`,
      [rawId(acme), begun],
    );
    const due = rows.map(({ id, position }) => ({ id: encodeGlobalId('AuditEntry', id), position }));
    expect(due).toHaveLength(5_001);
    last = due.at(-1)?.position ?? 0;
    for (const events of await following)
      expect(events.map(({ entry: { id, position } }) => ({ id, position }))).toEqual(due);
    process.stdout.write(`${resumed} resumptions of four who follow the log\n`);
  });

  /** An authority that the gateways trust, and what it certifies for this machine. */
  async function makeAuthority(): Promise<void> {
    const at = (name: string) => join(folder, name);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    await writeFile(at('host.cnf'), 'subjectAltName=IP:127.0.0.1');
    await run('openssl', [
      ...['req', '-x509', ...key, '-keyout', at('authority.key'), '-out', at('authority.pem')],
      ...['-subj', '/CN=Authority of a test'],
    ]);
    await run('openssl', [
      ...['req', ...key, '-keyout', at('host.key'), '-out', at('host.csr'), '-subj', '/CN=siem'],
    ]);
    await run('openssl', [
      ...['x509', '-req', '-in', at('host.csr'), '-CA', at('authority.pem'), '-CAkey', at('authority.key')],
      ...['-CAcreateserial', '-days', '2', '-extfile', at('host.cnf'), '-out', at('host.pem')],
    ]);
  }

  test('send over TLS to whom a trusted authority certifies, and to nobody else', async () => {
    const certified = {
      key: await readFile(join(folder, 'host.key')),
      cert: await readFile(join(folder, 'host.pem')),
    };
    const [trusted, strange] = await Promise.all([
      startSiem(certified),
      startSiem({ key: strangeKey, cert: strangeCertificate }),
    ]);
    onTestFinished(async () => {
      await Promise.all([trusted, strange].map((siem) => siem[Symbol.asyncDispose]()));
    });
    const ids = [
      await createStream(await admin(), acme, trusted),
      await createStream(await admin(), acme, strange),
    ];
    const healthOf = async (id: string | undefined): Promise<Json> => {
      const { node } = await (await admin()).ask(
        'query ($id: ID!) { node(id: $id) { ... on AuditStream { health { status failedAttempts lastError } } } }',
        { id },
      );
      return node.health;
    };
    await eventually(async () => expectArrived(trusted, await logLength()));
    await eventually(async () => expect((await healthOf(ids[1])).failedAttempts).toBeGreaterThan(0));
    expect(await healthOf(ids[1])).toMatchObject({
      status: 'FAILING',
      lastError: expect.stringMatching(/^The certificate or the TLS of the endpoint was not accepted/),
    });
    expect(strange.received).toEqual([]);
    for (const auditStreamId of ids)
      await done((await admin()) as Person, 'deleteAuditStream', { auditStreamId });
  });
});

test.runIf(fullSize)('a dump in a fresh cluster goes on: order, cursors, proofs and streams', async () => {
  await using begun = new AsyncDisposableStack();
  const siem = begun.use(await startSiem());
  const config = { auditSigningKeys: keyTexts, auditStreamNetworks: ['127.0.0.0/8'] };
  const original = begun.adopt(await createDatabaseWithWorld(), (made) => made.dispose());
  const first = await startGateway({ databaseUrl: original.url, config });
  const acme = original.contents.acme.organizationId;
  const { admins } = await withPeople(first, original.contents);
  const auditStreamId = await createStream(admins.acme, acme, siem);
  await insertAuditEntries(first, rawId(acme), 500);
  const entriesOf = async ({ sql }: Pick<TestGateway, 'sql'>): Promise<Json[]> =>
    (
      await sql.query(
        `SELECT p.position::int, e.id FROM audit_entries e LEFT JOIN audit_positions p USING (txid, seq)
          WHERE e.organization_id = $1 ORDER BY p.position`,
        [rawId(acme)],
      )
    ).rows;
  const sealedOf = async ({ sql }: Pick<TestGateway, 'sql'>): Promise<number> =>
    (
      await sql.query('SELECT max(size)::int AS size FROM audit_checkpoints WHERE organization_id = $1', [
        rawId(acme),
      ])
    ).rows[0].size;
  await eventually(async () => {
    const entries = await entriesOf(first);
    expectArrived(siem, entries.length);
    expect(await sealedOf(first)).toBe(entries.length);
  });
  const streamed = async (gateway: TestGateway, { token }: Person, query: string) => {
    const response = await fetch(`${gateway.url}/audit/stream?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(200);
    const lines = (await response.text()).split('\n').filter((line) => line !== '');
    const cursor = response.headers.get('latchkey-next-cursor') ?? '';
    return { lines: lines.map((line) => JSON.parse(line) as Json), cursor };
  };
  const { cursor } = await streamed(first, admins.acme, 'limit=400');
  const kept = await downloaded(first.url, `/audit/log/${acme}/checkpoint`, admins.acme.token);
  // What waits to be sent when the dump is made.
  await done(admins.acme, 'pauseAuditStream', { auditStreamId });
  await insertAuditEntries(first, rawId(acme), 100);
  await eventually(async () => expect(await sealedOf(first)).toBe((await entriesOf(first)).length));
  const before = await entriesOf(first);
  await first.dispose();
  const dump = await dumpOf(original.url);

  const cluster = begun.adopt(await createCluster(), (made) => made.dispose());
  await restoreInto(cluster.url, dump);
  const second = begun.adopt(await startGateway({ databaseUrl: cluster.url, config }), (gateway) =>
    gateway.dispose(),
  );
  const people = await withPeople(second, original.contents);
  await done(people.admins.acme, 'resumeAuditStream', { auditStreamId });
  await insertAuditEntries(second, rawId(acme), 300);
  await eventually(async () => {
    const entries = await entriesOf(second);
    expect(entries.map(({ position }) => position)).toEqual(positions(entries.length));
    expect(entries.slice(0, before.length)).toEqual(before);
    expect(entries.length).toBeGreaterThanOrEqual(before.length + 301);
    expectArrived(siem, entries.length);
    expect(await sealedOf(second)).toBe(entries.length);
  });
  // Nothing was sent again.
  expect(siem.accepted).toHaveLength((await entriesOf(second)).length);
  const { lines } = await streamed(second, people.admins.acme, `limit=5&cursor=${cursor}`);
  expect(lines.map(({ position }) => position)).toEqual([401, 402, 403, 404, 405]);
  const text = await downloaded(second.url, `/audit/log/${acme}/export`, people.admins.acme.token);
  expect(proved(text, acme, [kept])).toMatchObject({
    entries: { first: 1, last: (await entriesOf(second)).length },
  });
});
