/** docs/examples/prometheus-rules.yml: by promtool where it is installed, and at full size in a Prometheus that reads a gateway. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Json, startGateway } from '../support/gateway.ts';
import { reservePort } from '../support/ports.ts';
import { fullSize } from '../support/size.ts';
import { openTcpProxy } from '../support/tcp-proxy.ts';
import { createDatabaseWithWorld, withPeople } from '../support/world.ts';

const isInstalled = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const file = fileURLToPath(new URL('../../docs/examples/prometheus-rules.yml', import.meta.url));

let folder: string;
let rules: string;
beforeAll(async () => {
  rules = await readFile(file, 'utf8');
  folder = await mkdtemp(join(tmpdir(), 'latchkey-prometheus-'));
  return () => rm(folder, { recursive: true, force: true });
});

/** What goes wrong, as samples of every minute. */
const causes: Record<string, Record<string, string>[]> = {
  LatchkeyIsDown: [{ 'up{job="latchkey"}': '1x10 0x20' }],
  LatchkeyRevocationsAreSlow: [
    {
      'latchkey_revocation_duration_seconds_bucket{until="told",le="0.5"}': '0x30',
      'latchkey_revocation_duration_seconds_bucket{until="told",le="1"}': '0+10x30',
      'latchkey_revocation_duration_seconds_bucket{until="told",le="+Inf"}': '0+10x30',
    },
  ],
  LatchkeyCannotDecide: [
    { 'latchkey_operations_total{field="tickets",outcome="SERVICE_UNAVAILABLE"}': '0+60x30' },
    { 'latchkey_operations_total{field="tickets",outcome="TOOK_TOO_LONG"}': '0+60x30' },
    { 'latchkey_refused_total{reason="SERVICE_UNAVAILABLE"}': '0+60x30' },
    { 'latchkey_evaluations_total{outcome="UNANSWERED"}': '0+60x30' },
  ],
  LatchkeyCommitsWait: [
    { 'latchkey_database_connections{pool="operations",state="abandoned"}': '0x10 3x20' },
  ],
  LatchkeyHasUnexpectedErrors: [
    { 'latchkey_operations_total{field="tickets",outcome="INTERNAL_SERVER_ERROR"}': '_x20 1x10' },
    { 'latchkey_operations_total{field="tickets",outcome="INTERNAL_SERVER_ERROR"}': '1x20 2x10' },
    { 'latchkey_refused_total{reason="INTERNAL_SERVER_ERROR"}': '_x20 1x10' },
    { 'latchkey_refused_total{reason="INTERNAL_SERVER_ERROR"}': '1x20 2x10' },
  ],
  LatchkeyConnectionsAreShort: [{ 'latchkey_database_waiting{pool="operations"}': '0x10 2x20' }],
  LatchkeyTurnsTakeLong: [
    {
      'latchkey_queue_duration_seconds_bucket{queue="operations",le="1"}': '0x30',
      'latchkey_queue_duration_seconds_bucket{queue="operations",le="2.5"}': '0+10x30',
      'latchkey_queue_duration_seconds_bucket{queue="operations",le="+Inf"}': '0+10x30',
    },
  ],
  LatchkeyEventsAreNotRead: [
    { latchkey_relay_lag_seconds: '0x10 0+60x20' },
    { latchkey_relay_failures: '0x10 6+1x20' },
  ],
  LatchkeySkipsEvents: [{ latchkey_relay_unreadable_events: '0x20 1x10' }],
  LatchkeyUpkeepIsBehind: [{ 'latchkey_backlog{work="grants_to_end"}': '0x10 2000x20' }],
  LatchkeyAuditPositionsAreLate: [{ latchkey_audit_position_lag_seconds: '0x10 20+60x20' }],
  LatchkeyAuditLogsAreNotSealed: [{ latchkey_audit_sealing_lag_seconds: '0x10 70+60x20' }],
  LatchkeyAuditStreamsAreSilent: [{ latchkey_audit_stream_lag_seconds: '0x5 400x20' }],
  LatchkeyMailIsNotDelivered: [
    { 'latchkey_mails_given_up_total{kind="guard_request"}': '_x20 1x10' },
    { 'latchkey_mails_given_up_total{kind="guard_request"}': '1x20 2x10' },
    { 'latchkey_backlog{work="mails_overdue"}': '0x10 200x20' },
  ],
  LatchkeyEventLoopIsLate: [{ nodejs_eventloop_lag_p99_seconds: '0x10 0.5x20' }],
  LatchkeyIsFlooded: [{ 'latchkey_refused_total{reason="TOO_MANY_OPERATIONS"}': '0+6000x30' }],
};

/** Samples of every minute of a gateway that is well. */
const quiet: Record<string, string> = {
  'up{job="latchkey"}': '1x90',
  'latchkey_revocation_duration_seconds_bucket{until="told",le="0.5"}': '0+10x90',
  'latchkey_revocation_duration_seconds_bucket{until="told",le="+Inf"}': '0+10x90',
  'latchkey_operations_total{field="tickets",outcome="OK"}': '0+600x90',
  'latchkey_operations_total{field="tickets",outcome="INTERNAL_SERVER_ERROR"}': '1x90',
  'latchkey_refused_total{reason="INTERNAL_SERVER_ERROR"}': '1x90',
  'latchkey_refused_total{reason="UNAUTHENTICATED"}': '_x20 1x70',
  'latchkey_evaluations_total{outcome="ALLOWED"}': '0+600x90',
  'latchkey_database_connections{pool="operations",state="abandoned"}': '0x90',
  'latchkey_database_waiting{pool="operations"}': '0x90',
  latchkey_relay_lag_seconds: '1x90',
  latchkey_relay_failures: '0x90',
  latchkey_audit_position_lag_seconds: '0.3x90',
  latchkey_audit_sealing_lag_seconds: '1.2x90',
  latchkey_audit_stream_lag_seconds: '2x90',
  latchkey_relay_unreadable_events: '3x90',
  'latchkey_backlog{work="mails_to_send"}': '2000x90',
  'latchkey_backlog{work="mails_overdue"}': '0x90',
  'latchkey_mails_given_up_total{kind="guard_request"}': '1x90',
  nodejs_eventloop_lag_p99_seconds: '0.02x90',
};

const alertNames = () => [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

test('every alarm has a cause that is tried', () => {
  expect(Object.keys(causes)).toEqual(alertNames());
});

test.runIf(isInstalled('promtool'))(
  'each alarm is raised by its causes, and none by a gateway that is well',
  async () => {
    const firing = (alert: string) => `count(ALERTS{alertname="${alert}",alertstate="firing"})`;
    const tried = (samples: Record<string, string>, minute: number, expected: Record<string, boolean>) => ({
      interval: '1m',
      input_series: Object.entries(samples).map(([series, values]) => ({ series, values })),
      promql_expr_test: Object.entries(expected).map(([alert, fires]) => ({
        ...{ expr: firing(alert), eval_time: `${minute}m` },
        exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
      })),
    });
    const none = Object.fromEntries(Object.keys(causes).map((alert) => [alert, false]));
    const tests = Object.entries(causes).flatMap(([alert, each]) =>
      each.map((samples) => tried(samples, 29, { ...none, [alert]: true })),
    );
    const unit = { rule_files: [file], evaluation_interval: '1m', tests: [tried(quiet, 89, none), ...tests] };
    await writeFile(join(folder, 'unit.yml'), JSON.stringify(unit));
    for (const parameters of [
      ['check', 'rules', file],
      ['test', 'rules', join(folder, 'unit.yml')],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', parameters, { encoding: 'utf8' });
      expect(status, stdout + stderr).toBe(0);
    }
  },
);

describe.runIf(fullSize && isInstalled('prometheus'))('in a Prometheus that reads a gateway', () => {
  test('alarms are raised by what they name', async () => {
    const filled = await createDatabaseWithWorld();
    onTestFinished(() => filled.dispose());
    const server = new URL(filled.url);
    const proxy = await openTcpProxy(Number(server.port));
    onTestFinished(() => proxy.dispose());
    server.port = String(proxy.port);
    let metricsUrl = '';
    const gateway = await startGateway({
      databaseUrl: server.href,
      config: { metrics: { host: '127.0.0.1', port: 0 } },
      // As in production: while the database is away, a reading waits for it no longer than Prometheus does.
      databaseDeadlines: {},
      onMetricsServed: (url) => {
        metricsUrl = url;
      },
    });
    onTestFinished(() => gateway.dispose());
    const { operator } = await withPeople(gateway, filled.contents);
    const prometheus = await startPrometheus(new URL(metricsUrl).host);

    await eventually(async () => {
      const evaluated = await prometheus.rules();
      expect(evaluated.map(({ name }) => name)).toEqual(alertNames());
      for (const { name, health, lastError } of evaluated)
        expect([name, health, lastError]).toEqual([name, 'ok', undefined]);
    });
    expect(await prometheus.firing()).not.toContain('LatchkeyIsDown');

    // A defect, where nobody expects an error.
    const { sql } = gateway;
    await sql.query(`CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
      CREATE TRIGGER broken BEFORE INSERT ON organizations EXECUTE FUNCTION break()`);
    const create = `mutation { createOrganization(input: { name: "Initech", hasGuard: true }) { __typename } }`;
    await eventually(async () => {
      const { errors } = await operator.send(create);
      expect(errors[0]?.extensions['code']).toBe('INTERNAL_SERVER_ERROR');
    });
    await prometheus.untilFiring('LatchkeyHasUnexpectedErrors');

    proxy.cut();
    let isOver = false;
    const asking = (async () => {
      while (!isOver) await operator.send('{ viewer { id } }').catch(() => undefined);
    })();
    await prometheus.untilFiring('LatchkeyCannotDecide', 'LatchkeyEventsAreNotRead');
    isOver = true;
    proxy.resume();
    await asking;
    await eventually(async () => expect(await prometheus.firing()).not.toContain('LatchkeyEventsAreNotRead'));

    await gateway.dispose();
    await prometheus.untilFiring('LatchkeyIsDown');
  });
});

type Rule = { name: string; health: string; lastError?: string; state: string };

/** Starts a Prometheus that reads this gateway and evaluates the rules every second, with shorter times in them. */
async function startPrometheus(target: string) {
  const sooner = rules.replaceAll(/for: \d+m/g, 'for: 2s').replaceAll(/\[\d+[mh]\]/g, '[30s]');
  await writeFile(join(folder, 'rules.yml'), sooner.replaceAll(/offset \d+[mh]/g, 'offset 30s'));
  const configuration = {
    global: { scrape_interval: '5s', scrape_timeout: '5s', evaluation_interval: '1s' },
    rule_files: ['rules.yml'],
    scrape_configs: [{ job_name: 'latchkey', static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(configuration));
  const address = `127.0.0.1:${await reservePort()}`;
  const parameters = [
    '--config.file=prometheus.yml',
    '--storage.tsdb.path=data',
    `--web.listen-address=${address}`,
  ];
  const server = spawn('prometheus', parameters, { cwd: folder, stdio: 'ignore' });
  const ended = once(server, 'close');
  onTestFinished(async () => {
    server.kill('SIGKILL');
    await ended;
  });
  const rulesNow = async (): Promise<Rule[]> => {
    const { data } = (await (await fetch(`http://${address}/api/v1/rules`)).json()) as Json;
    return data.groups[0].rules;
  };
  const firing = async (): Promise<string[]> =>
    (await rulesNow()).filter(({ state }) => state === 'firing').map(({ name }) => name);
  return {
    rules: rulesNow,
    firing,
    untilFiring: (...names: string[]) =>
      eventually(async () => expect(await firing()).toEqual(expect.arrayContaining(names))),
  };
}
