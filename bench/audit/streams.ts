/** How fast a stream of the audit log is sent, and how soon after its commit an entry arrives: docs/benchmarks.md. */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { newId } from '../../src/platform/ids.ts';
import type { Infrastructure } from '../realtime/infrastructure.ts';
import { type Process, startProcess } from '../realtime/processes.ts';
import { say, withInfrastructure } from '../realtime/rounds.ts';
import { median, quantile } from '../realtime/statistics.ts';
import type { GatewayHandlers } from './gateway.ts';
import type { PosterHandlers } from './poster.ts';
import type { ReceiverHandlers } from './receiver.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
/** Entries that wait when the stream begins. */
const backlog = values.quick ? 20_000 : 100_000;
const rounds = values.quick ? 1 : 3;
/** Entries a second that are written while the stream is sent, and for how many seconds. */
const [perSecond, seconds] = [1_000, values.quick ? 5 : 20];
const goal = { entriesPerSecond: 5_000, p99: 2_000 };
const patience = 120_000;

const formats = [
  { format: 'RECORD', maxBatchBytes: 20_000 },
  { format: 'RECORD', maxBatchBytes: 1_000_000 },
  { format: 'OCSF', maxBatchBytes: 20_000 },
] as const;

type Testbed = {
  client: pg.Client;
  organizationId: string;
  receiver: Process<ReceiverHandlers>;
  poster: Process<PosterHandlers>;
  gateway: Process<GatewayHandlers>;
  url: string;
};

/** Decisions on grants, as the log has them most. */
async function insertEntries({ client, organizationId }: Testbed, count: number): Promise<void> {
  await client.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_id, actor_kind, actor_email, actor_name, resource_type,
                                resource_id, organization_id, grant_id, client_address, request_id, user_agent, details)
     SELECT gen_random_uuid(), clock_timestamp(), 'grant.approve', 'SUCCEEDED', gen_random_uuid(), 'USER', 'rita@acme.example', 'Rita',
            'Grant', id::text, $1::uuid, id, '192.0.2.1', gen_random_uuid()::text, 'Mozilla/5.0 (X11; Linux x86_64; rv:150.0)',
            '{"from": "PENDING_APPROVAL", "to": "ACTIVE", "version": 2, "scope": {"kind": "PRODUCT_DATA"}, "engineerId": null}'
       FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $2::int)) AS grants`,
    [organizationId, count],
  );
}

async function insertStream(
  { client, organizationId, url }: Testbed,
  createdById: string,
  { format, maxBatchBytes }: (typeof formats)[number],
  position: number,
): Promise<string> {
  const id = newId();
  await client.query(
    `INSERT INTO audit_streams (id, organization_id, name, url, format, filter, max_batch_bytes, state, created_by_id, created_at, version)
     VALUES ($1, $2, 'SIEM', $3, $4, '{}', $5, 'ACTIVE', $6, now(), 1)`,
    [id, organizationId, url, format, maxBatchBytes, createdById],
  );
  await client.query(
    `INSERT INTO audit_stream_secrets (id, organization_id, stream_id, secret) VALUES ($1, $2, $3, $4)`,
    [newId(), organizationId, id, `whsec_${Buffer.alloc(32, 7).toString('base64')}`],
  );
  await client.query(
    `INSERT INTO audit_stream_progress (stream_id, organization_id, position, generation, attempts, due_at, batch_ends)
     VALUES ($1, $2, $3, 1, 0, now(), '{}')`,
    [id, organizationId, position],
  );
  return id;
}

async function logLength({ client, organizationId }: Testbed): Promise<number> {
  const { rows } = await client.query<{ length: string }>(
    'SELECT COALESCE(max(position), 0) AS length FROM audit_positions WHERE organization_id = $1',
    [organizationId],
  );
  return Number(rows[0]?.length);
}

/** How many entries are sealed. */
async function sealedLength({ client, organizationId }: Testbed): Promise<number> {
  const { rows } = await client.query<{ length: string }>(
    'SELECT COALESCE(max(size), 0) AS length FROM audit_checkpoints WHERE organization_id = $1',
    [organizationId],
  );
  return Number(rows[0]?.length);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + patience;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error('It takes too long');
    await wait(50);
  }
}

/** Sends the backlog, then the same messages by the bare loop. Returns entries a second, of each. */
async function measureBacklog(testbed: Testbed, createdById: string, how: (typeof formats)[number]) {
  const { client, receiver, poster, gateway, url } = testbed;
  await receiver.ask('forget', undefined);
  const before = await gateway.ask('usage', undefined);
  const id = await insertStream(testbed, createdById, how, 0);
  await until(async () => (await receiver.ask('received', undefined)).entries >= backlog);
  const used = (await gateway.ask('usage', undefined)) - before;
  const sent = await receiver.ask('received', undefined);
  await client.query('DELETE FROM audit_streams WHERE id = $1', [id]);
  const messages = await receiver.ask('messages', undefined, patience);
  await receiver.ask('forget', undefined);
  await poster.ask('post', { url, messages }, patience);
  const bare = await receiver.ask('received', undefined);
  return {
    rate: sent.entries / sent.seconds,
    bareRate: bare.entries / bare.seconds,
    cpu: (used / sent.entries) * 1e6,
    messages: sent.messages,
  };
}

/** Milliseconds from the commit of each entry until it came, while entries are written evenly. */
async function measureLag(testbed: Testbed, createdById: string): Promise<number[]> {
  const { client, receiver } = testbed;
  await receiver.ask('forget', undefined);
  const id = await insertStream(testbed, createdById, formats[0], await logLength(testbed));
  const begun = performance.now();
  const each = perSecond / 50;
  for (let written = 0; written < perSecond * seconds; written += each) {
    await insertEntries(testbed, each);
    await wait(Math.max(0, begun + ((written + each) / perSecond) * 1_000 - performance.now()));
  }
  await until(async () => (await receiver.ask('received', undefined)).entries >= perSecond * seconds);
  await client.query('DELETE FROM audit_streams WHERE id = $1', [id]);
  return await receiver.ask('lags', undefined, patience);
}

async function measure(infrastructure: Infrastructure): Promise<void> {
  await using running = new AsyncDisposableStack();
  const database = running.use(await infrastructure.createDatabase());
  const client = running.adopt(new pg.Client(database.url), (opened) => opened.end());
  await client.connect();
  const { organizationId, admins } = infrastructure.people;
  const createdById = admins[0]?.id ?? '';
  await client.query('UPDATE organizations SET has_guard = true WHERE id = $1', [organizationId]);
  const receiver = running.use(startProcess<ReceiverHandlers>('../audit/receiver.ts'));
  const poster = running.use(startProcess<PosterHandlers>('../audit/poster.ts'));
  const gateway = running.use(startProcess<GatewayHandlers>('../audit/gateway.ts'));
  const url = await receiver.ask('start', undefined);
  const testbed = { client, organizationId, receiver, poster, gateway, url };
  await insertEntries(testbed, backlog);
  await client.query('ANALYZE');
  await gateway.ask('start', { databaseUrl: database.url, isUnsealed: false }, 60_000);
  await until(async () => (await sealedLength(testbed)) >= backlog);
  // The first one opens connections and compiles code.
  await measureBacklog(testbed, createdById, formats[0]);
  say(`\nA backlog of ${backlog} entries. Goal: ${goal.entriesPerSecond} entries/s\n`);
  for (const how of formats) {
    const measured: Awaited<ReturnType<typeof measureBacklog>>[] = [];
    for (let round = 0; round < rounds; round += 1)
      measured.push(await measureBacklog(testbed, createdById, how));
    const of = (name: keyof (typeof measured)[number]) => median(measured.map((one) => one[name]));
    const isMet = of('rate') >= goal.entriesPerSecond;
    if (!isMet) process.exitCode = 1;
    say(
      `${how.format.padEnd(6)} ${String(how.maxBatchBytes).padStart(9)} bytes, ${of('messages')} messages: ${of('rate').toFixed(0)} entries/s, ${of('cpu').toFixed(0)} µs of the gateway each; a bare loop of fetch ${of('bareRate').toFixed(0)} (${(of('rate') / of('bareRate')).toFixed(2)}×)  ${isMet ? 'met' : 'NOT MET'}`,
    );
  }
  const lags = await measureLag(testbed, createdById);
  const p99 = quantile(lags, 0.99);
  if (p99 > goal.p99) process.exitCode = 1;
  say(
    `\n${perSecond} entries/s for ${seconds} s: commit → received p50 ${median(lags).toFixed(0)} ms, p99 ${p99.toFixed(0)} ms. Goal: p99 ≤ ${goal.p99} ms  ${p99 <= goal.p99 ? 'met' : 'NOT MET'}`,
  );
}

await withInfrastructure({}, measure);
