/** How long a customer's revocation takes while another account does its worst: docs/benchmarks.md. */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { tokenOf } from '../decisions/asking.ts';
import type { Infrastructure } from '../realtime/infrastructure.ts';
import { startProcess } from '../realtime/processes.ts';
import { say, withInfrastructure } from '../realtime/rounds.ts';
import { median, quantile } from '../realtime/statistics.ts';
import type { AttackerHandlers } from './attackers.ts';
import { type Attack, attacks } from './attacks.ts';
import { insertCustomers } from './customers.ts';
import type { GatewayHandlers } from './gateway.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const samples = values.quick ? 40 : 200;
/** The first revocations open connections and compile code. */
const warmUp = values.quick ? 30 : 60;
const pauseMs = 30;
/** From the start of an attack to the first revocation that counts. */
const rampUpMs = 2_000;
const goal = { ratio: 5, p99: 500 };

type Measured = { took: number[]; failed: string[]; unready: number };
type Victim = { url: string; token: string };

const mutation =
  'mutation ($grantId: ID!) { revokeDataAccess(input: { grantId: $grantId }) { __typename ... on Grant { state } } }';

async function revoke({ url, token }: Victim, grantId: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: mutation, variables: { grantId } }),
    signal: AbortSignal.timeout(20_000),
  });
  return await response.text();
}

/** Revokes these grants, one after the other, and asks in between whether the gateway is ready. */
async function revokeAll(
  victim: Victim,
  grantIds: readonly string[],
  before: (index: number) => Promise<void> = async () => undefined,
): Promise<Measured> {
  const measured: Measured = { took: [], failed: [], unready: 0 };
  for (const [index, grantId] of grantIds.entries()) {
    await before(index);
    await wait(pauseMs * (0.5 + Math.random()));
    const begun = performance.now();
    const answer = await revoke(victim, grantId).catch(String);
    measured.took.push(performance.now() - begun);
    if (!answer.includes('"state":"REVOKED"')) measured.failed.push(answer.slice(0, 200));
    if (index % 10 === 0) {
      const ready = await fetch(`${victim.url}/readyz`).catch(() => undefined);
      if (ready?.status !== 200) measured.unready += 1;
    }
  }
  return measured;
}

async function measure(infrastructure: Infrastructure, name: string, attack: Attack): Promise<string[]> {
  await using running = new AsyncDisposableStack();
  const database = running.use(await infrastructure.createDatabase());
  const count = warmUp + 2 * samples;
  const people = await insertCustomers(database.url, infrastructure.people, count + 300);
  const gateway = running.use(startProcess<GatewayHandlers>('../fairness/gateway.ts'));
  const attackers = running.use(startProcess<AttackerHandlers>('../fairness/attackers.ts'));
  const url = await gateway.ask('start', database.url, 60_000);
  const victim = { url, token: await tokenOf(url, people.victim) };
  const token = attack.by === 'nobody' ? null : await tokenOf(url, people[attack.by]);
  await revokeAll(victim, people.grantIds.slice(0, warmUp));
  const quiet = await revokeAll(victim, people.grantIds.slice(warmUp, warmUp + samples));

  const grantIds = people.grantIds.slice(warmUp + samples);
  const memory: number[] = [await gateway.ask('memory', undefined)];
  await attackers.ask('start', { name, url, token, grantIds });
  await wait(rampUpMs);
  const attacked = await revokeAll(victim, grantIds.slice(0, samples), async (index) => {
    await attackers.ask('aim', index);
    if (index % 20 === 0) memory.push(await gateway.ask('memory', undefined, 60_000));
  });
  const outcomes = await attackers.ask('stop', undefined, 60_000);
  const [before = 0] = memory;
  for (const failed of attacked.failed.slice(0, 3)) say(`  ! ${name}: ${failed}`);
  say(`  ${name}: ${attack.title}: ${JSON.stringify(outcomes)}`);
  const [quietP99, p99] = [quantile(quiet.took, 0.99), quantile(attacked.took, 0.99)];
  const isMet =
    attacked.failed.length === 0 && attacked.unready === 0 && p99 <= goal.p99 && p99 <= goal.ratio * quietP99;
  if (!isMet) process.exitCode = 1;
  return [
    name,
    ...[median(quiet.took), quietP99, median(attacked.took), p99].map((ms) => ms.toFixed(1)),
    `${(p99 / quietP99).toFixed(1)}×`,
    ...[attacked.failed.length, attacked.unready].map(String),
    `${before.toFixed(0)} → ${Math.max(...memory).toFixed(0)}`,
    isMet ? 'met' : 'NOT MET',
  ];
}

const unknown = positionals.find((name) => attacks[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`There is no attack ${unknown}: ${Object.keys(attacks).join(', ')}\n`);
  process.exit(2);
}

await withInfrastructure({}, async (infrastructure) => {
  const rows = [
    [
      'attack',
      'quiet p50',
      'p99, ms',
      'attacked p50',
      'p99, ms',
      'ratio',
      'failed',
      'not ready',
      'MiB',
      'goal',
    ],
  ];
  for (const [name, attack] of Object.entries(attacks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    rows.push(await measure(infrastructure, name, attack));
  }
  say(
    `\nRevocations, ${samples} quiet and ${samples} during each attack. Goal: none fails, p99 ≤ ${goal.ratio}× quiet and ≤ ${goal.p99} ms, always ready\n`,
  );
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  for (const row of rows) say(row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  '));
});
