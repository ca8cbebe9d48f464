import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';
import { bySize, rotating, seedOf } from '../support/size.ts';
import { done, doneByTwo } from '../support/world.ts';

const seed = seedOf('TOUR_SEED');

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startSampleGateway();
});
afterAll(() => gateway.dispose());

const tour = (...given: string[]) => runProgram('src/tour/main.ts', ...given).ended;

/** The open tickets, the open grants, the sites and the roles. */
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

test('meets every expectation, any number of times, and leaves everything as it was', async () => {
  const before = await whatIsOpen();
  for (const _ of bySize(['once'], ['once', 'twice'])) {
    const { code, stdout, stderr } = await tour(gateway.url);
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/Erin {6}receives ACTIVATED, [\d.]+ ms after the mutation was sent/);
    expect(stdout).toMatch(/Every expectation was met: (\d+) of \1 in [\d.]+ s\.\n$/);
  }
  expect(await whatIsOpen()).toEqual(before);
});

test('ends at an expectation that is not met, and closes its tickets', async () => {
  const gina = await gateway.as('gina@acme.example');
  const { site } = await gina.ask('{ site(url: "https://acme-vault.example") { id } }');
  const vera = await gateway.as('vera@acme.example');
  await doneByTwo(vera, gina, 'setSupportAccessRestrictions', { siteId: site.id, restricted: false });
  const before = await whatIsOpen();

  const { code, stdout, stderr } = await tour(gateway.url);

  expect(code).toBe(1);
  expect(stdout).not.toContain('Every expectation was met');
  expect(stderr).toContain(
    'Expected: the request waits for Guard: PENDING_GUARD_APPROVAL\nActual:   ACTIVE\n',
  );
  expect(await whatIsOpen()).toEqual(before);
  await done(gina, 'setSupportAccessRestrictions', { siteId: site.id, restricted: true });
});

const wrongArguments: [given: string[], line: string][] = [
  [
    ['http://127.0.0.1:1'],
    'Start the gateway with `npm start`. For one on another port, set PORT or give its URL.',
  ],
  [['nonsense'], '"nonsense" is neither the URL of a gateway nor an email: give one of them, both or none.'],
  [['erin@vendor.example'], 'The tour acts as everybody: give it a URL or nothing.'],
];

test.for(rotating(wrongArguments, seed))(
  `reports in one line what is wrong: %j, TOUR_SEED=${seed}`,
  async ([given, line]) => {
    const { code, stdout, stderr } = await tour(...given);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr).toContain(line);
  },
);
