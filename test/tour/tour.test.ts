import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';
import { done } from '../support/world.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startSampleGateway();
});
afterAll(() => gateway.dispose());

const tour = (...given: string[]) => runProgram('src/tour/main.ts', ...given).ended;

/** What a person would notice: open tickets, open grants, sites, roles. */
async function whatIsOpen(): Promise<unknown> {
  const { rows } = await gateway.sql.query(
    `SELECT 'ticket' AS of, key AS it, status::text AS is FROM tickets WHERE status <> 'CLOSED'
     UNION ALL SELECT 'grant', id::text, state::text FROM grants WHERE state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE')
     UNION ALL SELECT 'site', url, status::text || support_access_restricted FROM sites
     UNION ALL SELECT 'role', id::text, sync_state::text FROM role_assignments
     ORDER BY 1, 2`,
  );
  return rows;
}

test('goes by the rules, any number of times, and leaves everything as it found it', async () => {
  const before = await whatIsOpen();
  for (const _ of ['once', 'twice']) {
    const { code, stdout, stderr } = await tour(gateway.url);
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/Erin {6}is told: ACTIVATED, [\d.]+ ms after the mutation was sent/);
    expect(stdout).toMatch(/Everything went by the rules: (\d+) of \1 in [\d.]+ s\.\n$/);
  }
  expect(await whatIsOpen()).toEqual(before);
}, 60_000);

test('ends with the expectation that was not met, and closes its tickets all the same', async () => {
  const gina = await gateway.as('gina@acme.example');
  const { site } = await gina.ask('{ site(url: "https://acme-vault.example") { id } }');
  await done(gina, 'setSupportAccessRestrictions', { siteId: site.id, restricted: false });
  const before = await whatIsOpen();

  const { code, stdout, stderr } = await tour(gateway.url);

  expect(code).toBe(1);
  expect(stdout).not.toContain('Everything went by the rules');
  expect(stderr).toContain('Expected: it waits for Guard: PENDING_GUARD_APPROVAL\nCame:     ACTIVE\n');
  expect(await whatIsOpen()).toEqual(before);
  await done(gina, 'setSupportAccessRestrictions', { siteId: site.id, restricted: true });
});

test.for([
  [['http://127.0.0.1:1'], 'Is the gateway running? Start it with `npm start`, or give its URL.'],
  [['nonsense'], `What is "nonsense"? Give a gateway's URL, an email, or neither.`],
  [['erin@vendor.example'], 'The tour plays everybody: give it a URL, or nothing.'],
] as const)('says in one line what is wrong: %j', async ([given, line]) => {
  const { code, stdout, stderr } = await tour(...given);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).toContain(line);
});
