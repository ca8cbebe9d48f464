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
  await watch.printed('Erin (erin@vendor.example) is told what happens to grants.');

  const approval = await approve();
  expect(approval).toMatchObject({ code: 0, stderr: '' });
  expect(approval.stdout).toMatch(/^Jack \(jack@acme\.example\) approves access on SUP-\d+ "The board takes/);
  expect(approval.stdout).toMatch(/Erin has access from now on\. The answer took \d+ ms\.\n$/);
  expect(await watch.printed('ACTIVATED')).toMatch(
    /ACTIVATED {2}SUP-\d+ "The board takes a minute to load", Jira on acme\.example {2}told \d+ ms after it was decided\n/,
  );

  // With nothing left to approve, there is a new ticket, and so it goes on.
  const second = await approve();
  expect(second.stdout).toMatch(/^Nothing waits, so Rita files SUP-\d+, and Erin is assigned\.\n/);
  await watch.printed('"A board has lost its columns", Jira on acme.example  told');
  expect(await watch.printed('ACTIVATED  SUP-1009')).toContain('REASSIGNED');

  watch.interrupt();
  expect(await watch.ended).toMatchObject({ code: 0, stderr: '' });
});

test('others may be approved for, or have nothing to decide', async () => {
  const vera = await approve('vera@acme.example');
  expect(vera.stdout).toContain('No request waits for Vera to decide.');
  const sid = await approve('sid@acme.example');
  expect(sid.stdout).toContain('Whoever is assigned has access from now on.');
});

test('somebody unknown is told who is known', async () => {
  const { code, stderr } = await approve('nobody@acme.example');
  expect(code).toBe(1);
  expect(stderr).toContain('Nobody here has the email "nobody@acme.example". Ask for one of:');
});
