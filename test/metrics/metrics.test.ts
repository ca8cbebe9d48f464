/** What a gateway counts of itself, read as Prometheus reads it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { eventually } from '../support/eventually.ts';
import type { TestGateway } from '../support/gateway.ts';
import { signingKeys } from '../support/sealing.ts';
import {
  addRovoBackend,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let metricsUrl = '';

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    // So that a service account is refused from its second operation on: the first one tells the gateway what it is.
    limits: { operationsPerServiceAccount: 0 },
    config: { metrics: { host: '127.0.0.1', port: 0 }, auditSigningKeys: signingKeys() },
    onMetricsServed: (url) => {
      metricsUrl = url;
    },
  }));
});
afterAll(() => gateway?.dispose());

/** The samples by name and labels. A line that is none of Prometheus' format fails the test. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n').filter((each) => each !== '')) {
    if (/^# (HELP|TYPE) [a-z_0-9]+ /.test(line)) continue;
    const [, name = '', value = ''] = /^([a-z_0-9]+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    expect(name, line).not.toBe('');
    samples.set(name, value === 'Nan' ? Number.NaN : Number(value));
  }
  return samples;
}

const read = async () => await (await fetch(metricsUrl)).text();

test('operations, commands, refusals and revocations are counted', async () => {
  const { grantId } = await fileTicket(gateway, world, { customer: 'acme' });
  const reporter = await gateway.as(world.acme.emails.reporter);
  const engineer = await gateway.as(world.engineer.email);
  await done(world.admins.acme, 'approveDataAccess', { grantId });
  await done(world.admins.acme, 'revokeDataAccess', { grantId });
  expect((await attempt(engineer, 'withdrawDataAccessRequest', { grantId })).code).toBeDefined();
  await gateway.withToken(null).send('{ viewer { id } }');
  await reporter.send('query Mine { nonsense }');
  await reporter.send('query Mine { viewer { id } mine: viewer { id } }');
  await eventually(async () => {
    const samples = samplesOf(await read());
    expect(samples.get('latchkey_operations_total{field="revokeDataAccess",outcome="OK"}')).toBe(1);
    expect(samples.get('latchkey_operations_total{field="viewer",outcome="OK"}')).toBe(1);
    expect(samples.get('latchkey_commands_total{operation="revokeDataAccess",outcome="DONE"}')).toBe(1);
    expect(samples.get('latchkey_revocation_duration_seconds_count{until="committed"}')).toBe(1);
    expect(samples.get('latchkey_revocation_duration_seconds_count{until="told"}')).toBe(1);
    expect(samples.get('latchkey_refused_total{reason="UNAUTHENTICATED"}')).toBe(1);
    expect(samples.get('latchkey_refused_total{reason="GRAPHQL_VALIDATION_FAILED"}')).toBe(1);
    expect(samples.get('latchkey_queue_duration_seconds_count{queue="transactions"}')).toBeGreaterThan(1);
  });
});

test('what admission refuses, and how long operations have waited for their turns, is counted', async () => {
  const before = samplesOf(await read());
  const { token } = await gateway.as(world.services.ticketing);
  const service = gateway.withToken(token);
  await service.send('{ viewer { id } }');
  expect((await service.send('{ viewer { id } }')).status).toBe(429);
  const { grantId } = await fileTicket(gateway, world, { customer: 'acme' });
  await done(world.admins.acme, 'denyDataAccess', { grantId });
  const samples = samplesOf(await read());
  const grown = (name: string) => (samples.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown('latchkey_refused_total{reason="TOO_MANY_OPERATIONS"}')).toBe(1);
  expect(grown('latchkey_queue_duration_seconds_count{queue="operations"}')).toBeGreaterThan(0);
  expect(grown('latchkey_queue_duration_seconds_count{queue="operations_ending_access"}')).toBe(1);
});

test('evaluations, and what is refused on other paths, are counted', async () => {
  const { token } = await addRovoBackend(gateway);
  const ask = async (
    body: object,
    headers: Record<string, string> = { authorization: `Bearer ${token}` },
  ) => {
    const response = await fetch(`${gateway.url}/access/v1/evaluations`, {
      ...{ method: 'POST', body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', ...headers },
    });
    return response.status;
  };
  const before = samplesOf(await read());
  expect(await ask({ evaluations: [{ subject: 1 }, { subject: 2 }] })).toBe(200);
  expect(await ask({}, {})).toBe(401);
  expect((await fetch(`${gateway.url}/admin.php`)).status).toBe(404);
  const samples = samplesOf(await read());
  const grown = (name: string) => (samples.get(name) ?? 0) - (before.get(name) ?? 0);
  expect(grown('latchkey_evaluations_total{outcome="INVALID_QUESTION"}')).toBe(2);
  expect(grown('latchkey_refused_total{reason="UNAUTHENTICATED"}')).toBe(1);
  expect(grown('latchkey_refused_total{reason="NOT_FOUND"}')).toBe(1);
});

test('closed WebSockets are counted by who closed them', async () => {
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    return socket;
  };
  const before = samplesOf(await read()).get('latchkey_refused_total{reason="UNAUTHENTICATED"}') ?? 0;
  const [refused, left, odd] = await Promise.all([open(), open(), open()]);
  refused.send('{"type":"connection_init"}');
  left.close(1000);
  // The code of the gateway for an invalid token.
  odd.close(4403);
  await eventually(async () => {
    const samples = samplesOf(await read());
    expect(samples.get('latchkey_websockets_closed_total{by="gateway",code="4401"}')).toBe(1);
    expect(samples.get('latchkey_websockets_closed_total{by="client",code="1000"}')).toBe(1);
    expect(samples.get('latchkey_websockets_closed_total{by="client",code="other"}')).toBe(1);
    expect(samples.get('latchkey_refused_total{reason="UNAUTHENTICATED"}')).toBe(before + 1);
  });
});

test('what the gateway holds and what waits is shown', async () => {
  const samples = samplesOf(await read());
  for (const name of [
    'latchkey_subscriptions',
    'latchkey_relay_lag_seconds',
    'latchkey_database_connections{pool="operations",state="busy"}',
    'latchkey_database_connections{pool="evaluations",state="abandoned"}',
    'latchkey_database_waiting{pool="operations"}',
    'latchkey_backlog{work="mails_to_send"}',
    'latchkey_backlog{work="grants_to_end"}',
    'latchkey_backlog{work="audit_entries_without_position"}',
    'latchkey_audit_position_lag_seconds',
    'latchkey_audit_sealing_lag_seconds',
    'nodejs_eventloop_lag_p99_seconds',
  ])
    expect(samples.get(name), name).toBeTypeOf('number');
});

test('nobody can be found in the metrics, and they are not where the API is', async () => {
  const text = await read();
  for (const person of [world.engineer.email, world.acme.organizationId, 'Mine'])
    expect(text).not.toContain(person);
  expect((await fetch(`${gateway.url}/metrics`)).status).toBe(404);
  expect((await fetch(new URL('/graphql', metricsUrl))).status).toBe(404);
});

test('promtool finds nothing to complain about, where it is installed', async () => {
  const promtool = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const complaints: string[] = [];
  for (const output of [promtool.stdout, promtool.stderr])
    output.on('data', (chunk) => void complaints.push(String(chunk)));
  promtool.stdin.on('error', () => undefined);
  const isInstalled = await Promise.race([
    once(promtool, 'spawn').then(() => true),
    once(promtool, 'error').then(() => false),
  ]);
  if (!isInstalled) return;
  promtool.stdin.end(await read());
  const [code] = await once(promtool, 'close');
  expect(complaints.join('')).toBe('');
  expect(code).toBe(0);
});

test('a backlog that cannot be read is no number, and holds up nothing else', async () => {
  const metrics = createMetrics();
  let backlog: Record<string, number> | undefined;
  metrics.watch({
    feed: () => ({ subscriptions: 1, queued: 0 }),
    relay: () => ({ readAt: null, failures: 0, unreadable: 0 }),
    pools: {},
    auditStreams: async () => ({ states: {}, lagSeconds: 0 }),
    positionLag: () => Promise.reject(new Error('The database is away')),
    backlog: async () => backlog ?? Promise.reject(new Error('The database is away')),
  });
  const read = async () => samplesOf((await metrics.read()).text);
  expect((await read()).get('latchkey_subscriptions')).toBe(1);
  backlog = { mails_to_send: 2 };
  expect((await read()).get('latchkey_backlog{work="mails_to_send"}')).toBe(2);
  expect((await read()).get('latchkey_audit_position_lag_seconds')).toBeNaN();
  backlog = undefined;
  expect((await read()).get('latchkey_backlog{work="mails_to_send"}')).toBeNaN();
});

test('a label has a bounded number of values', async () => {
  const metrics = createMetrics();
  for (let count = 0; count < 1_000; count += 1) metrics.refused(`CODE_${count}`);
  const samples = samplesOf((await metrics.read()).text);
  const reasons = [...samples].filter(([name]) => name.startsWith('latchkey_refused_total'));
  expect(reasons).toHaveLength(301);
  expect(samples.get('latchkey_refused_total{reason="other"}')).toBe(700);
});
