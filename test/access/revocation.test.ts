/** A revocation that was acknowledged is never followed by a yes, however many ask at the same time. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { bySize } from '../support/size.ts';
import { codeOf, type Office, openOffice, type Use } from './office.ts';

vi.setConfig({ testTimeout: bySize(240_000, 3_600_000) });

const engineers = bySize(4, 50);
const decisions = Number(process.env['DECISIONS'] ?? bySize(800, 1_000_000));

let office: Office;

beforeAll(async () => {
  office = await openOffice();
});
afterAll(async () => await office[Symbol.asyncDispose]());

/** What an engineer works on. It is revoked from the acknowledgement of a revocation until access is granted again. */
type Desk = { use: Use; revoked: boolean };

test(`none of ${decisions} decisions of two gateways is a yes after the revocation`, async () => {
  const gateways = [office.openEvaluator({ database: office.connect() }), office.openEvaluator()] as const;
  const desks: Desk[] = [];
  for (let at = 0; at < engineers; at += 1) desks.push({ use: await office.startWork(), revoked: false });
  let asked = 0;
  const seen = { yes: 0, no: 0, late: 0 };

  async function askAbout(desk: Desk): Promise<void> {
    const [answer] = await gateways[asked++ % 2 === 0 ? 0 : 1]([{ context: { ticket: desk.use.key } }]);
    if (answer?.decision === true) {
      seen.yes += 1;
      if (desk.revoked) seen.late += 1;
      return;
    }
    seen.no += 1;
    expect(['NO_OPEN_SESSION', 'GRANT_NOT_ACTIVE']).toContain(codeOf(answer));
  }
  async function engineer(desk: Desk): Promise<void> {
    while (asked < decisions) await askAbout(desk);
  }
  async function customer(desk: Desk): Promise<void> {
    while (asked < decisions) {
      await office.run(revokeDataAccess, { grantId: desk.use.grantId, expectedVersion: null, reason: null });
      desk.revoked = true;
      for (let at = 0; at < 3; at += 1) await askAbout(desk);
      desk.revoked = false;
      const grant = await office.approve(desk.use.ticketId);
      desk.use = { ...desk.use, grantId: grant.id, sessionId: await office.startSession(grant.id) };
      for (let at = 0; at < 3; at += 1) await askAbout(desk);
    }
  }
  await Promise.all(desks.flatMap((desk) => [customer(desk), engineer(desk), engineer(desk)]));
  expect(seen.late).toBe(0);
  expect(seen.yes).toBeGreaterThan(decisions / 20);
  expect(seen.no).toBeGreaterThan(decisions / 20);
});
