import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { runProgram } from '../support/program.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startSampleGateway();
});
afterAll(() => gateway.dispose());

const approve = (...given: string[]) => runProgram('src/tour/approve.ts', gateway.url, ...given).ended;

test('a customer approves in one terminal, and the engineer sees it in another, with the latency', async () => {
  const watch = runProgram('src/tour/watch.ts', gateway.url);
  await watch.printed('Watching grant events as Erin (erin@vendor.example).');

  const before = await waiting();
  // Each run files a ticket of its own, so the second one does the same.
  const keys = new Set<string>();
  for (const round of [1, 2]) {
    const approval = await approve();
    expect(approval).toMatchObject({ code: 0, stderr: '' });
    const [filed, approved, result] = approval.stdout.split('\n');
    const key = /SUP-\d+/.exec(filed ?? '')?.[0] ?? 'no key';
    expect(filed).toBe(`Rita files ${key} about Jira on acme.example. Erin is assigned.`);
    expect(keys.add(key).size).toBe(round);
    expect(approved).toMatch(/^Jack \(jack@acme\.example\) approves\. The answer took \d+ ms\.$/);
    expect(result).toBe('Erin has access from now on.');
    expect(await watch.printed(`ACTIVATED   ${key}`)).toMatch(
      new RegExp(
        `REASSIGNED {2}${key} [\\s\\S]*ACTIVATED {3}${key} "Every page loads slowly", Jira on acme\\.example`,
      ),
    );
  }
  expect(await watch.printed('ms after the decision\n')).toMatch(/received \d+ ms after the decision\n/);
  expect(await waiting()).toEqual(before);

  watch.interrupt();
  expect(await watch.ended).toMatchObject({ code: 0, stderr: '' });
});

test('other people may approve for their products, or not at all', async () => {
  const vera = await approve('vera@acme.example');
  expect(vera.stdout).toContain('Nobody has access before a Guard admin approves as well.');
  const gus = await approve('gus@globex.example');
  expect(gus.stdout).toMatch(/^Gil files SUP-\d+ about Jira on globex\.example\./);
  const rita = await approve('rita@acme.example');
  expect(rita).toMatchObject({ code: 1, stdout: '' });
  expect(rita.stderr).toContain('Rita may not approve. These people may: jack@acme.example');
});

test('an unknown person is answered with the known ones', async () => {
  const { code, stderr } = await approve('nobody@acme.example');
  expect(code).toBe(1);
  expect(stderr).toContain('No active account has the email "nobody@acme.example". Ask for one of:');
});

/** The keys of the tickets whose requests wait for a customer. */
async function waiting(): Promise<unknown> {
  const { rows } = await gateway.sql.query(
    `SELECT key FROM tickets JOIN grants ON ticket_id = tickets.id WHERE state = 'PENDING_APPROVAL' ORDER BY 1`,
  );
  return rows;
}
