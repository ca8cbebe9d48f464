/** Concurrent commands through two gateways on one database leave a legal history, in whichever order they commit. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { bySize } from '../support/size.ts';
import {
  assignRole,
  done,
  doneByTwo,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';
import { expectLegalHistories, type Outcome, tryTo } from './races-history.ts';

let one: TestGateway;
let two: TestGateway;
let world: World;
/** Organization admins, alternately on the two gateways. */
let deciders: Person[];
let deciderRoles: string[];
let organizationAdmin: Person;
/** How many transactions of both gateways were rolled back: in a deadlock, PostgreSQL ends one of the two. */
let rolledBack = 0;

const seed = Number(process.env['RACES_SEED'] ?? Date.now() % 2 ** 31);
const rounds = Number(process.env['RACES_ROUNDS'] ?? bySize(1, 25));

beforeAll(async () => {
  const onStatement = (sql: string) => {
    if (sql === 'ROLLBACK') rolledBack += 1;
  };
  ({ gateway: one, world } = await startGatewayWithWorld({ onStatement }));
  two = await startGateway({ databaseUrl: one.databaseUrl, onStatement });
  deciders = [];
  deciderRoles = [];
  for (let index = 0; index < 10; index += 1) {
    const email = `decider-${index}@acme.example`;
    const { organizationId } = world.acme;
    const { id } = await done(world.operator, 'addUser', { organizationId, email, name: `Judge ${index}` });
    const role = { userId: id, role: 'ORGANIZATION_ADMIN', organizationId };
    deciderRoles.push((await assignRole(world, role)).id);
    deciders.push(await (index % 2 === 0 ? one : two).as(email));
  }
  organizationAdmin = await two.as(world.acme.emails.organizationAdmin);
});
afterEach(async () => {
  expect(await expectLegalHistories(one)).toBeGreaterThan(0);
});
afterAll(async () => {
  await two.dispose();
  await one.dispose();
});

/** Every outcome is success (`done`) or a refusal: returns its code. */
function codesOf(outcomes: readonly Outcome[]): string[] {
  for (const outcome of outcomes) expect(outcome).not.toHaveProperty('unavailable');
  return outcomes.map((outcome) => ('refused' in outcome ? outcome.refused : 'done'));
}

async function grantsOf(ticketId: string) {
  const { rows } = await one.sql.query(
    'SELECT id, state, end_reason, engineer_id, version FROM grants WHERE ticket_id = $1 ORDER BY id',
    [localId(ticketId)],
  );
  return rows;
}

function localId(globalId: string): string {
  return Buffer.from(globalId, 'base64').toString().split(':')[1] ?? '';
}

/** Counts the audit entries about the ticket's grants by outcome. */
async function auditOutcomesOf(ticketId: string) {
  const { rows } = await one.sql.query(
    `SELECT outcome, count(*)::int AS entries FROM audit_entries WHERE ticket_id = $1
        AND action IN ('grant.approve', 'grant.deny', 'grant.revoke') GROUP BY outcome`,
    [localId(ticketId)],
  );
  return Object.fromEntries(rows.map(({ outcome, entries }) => [outcome, entries]));
}

describe.each(['main', 'restricted'] as const)('on the %s site', (site) => {
  const presses = fc.array(
    fc.constantFrom('approve the ticket', 'approve the grant', 'deny', 'revoke', 'approve a version'),
    { minLength: 10, maxLength: 10 },
  );

  test(`ten people approve, deny and revoke at once (RACES_SEED=${seed})`, async () => {
    for (const pressed of fc.sample(presses, { seed, numRuns: rounds })) {
      const { ticketId, grantId } = await fileTicket(one, world, { site });
      const outcomes = await Promise.all(
        deciders.map((decider, index) => {
          // With an idempotency key too: claiming it is a write, which must come after the locks.
          const key = index % 3 === 0 ? {} : { idempotencyKey: `${ticketId.slice(-20)}-${index}` };
          switch (pressed[index]) {
            case 'approve the ticket':
              return tryTo(decider, 'approveDataAccess', { ticketId, ...key });
            case 'approve the grant':
              return tryTo(decider, 'approveDataAccess', { grantId, ...key });
            case 'approve a version':
              return tryTo(decider, 'approveDataAccess', { ticketId, expectedVersion: 2, ...key });
            case 'deny':
              return tryTo(decider, 'denyDataAccess', { grantId, ...key });
            default:
              return tryTo(decider, 'revokeDataAccess', { grantId, ...key });
          }
        }),
      );
      const codes = codesOf(outcomes);
      const succeeded = codes.filter((code) => code === 'done').length;
      expect(await auditOutcomesOf(ticketId)).toEqual({
        ...(succeeded === 0 ? {} : { SUCCEEDED: succeeded }),
        ...(succeeded === 10 ? {} : { REFUSED: 10 - succeeded }),
      });
      expect(
        codes.every((code) => expected.has(code)),
        codes.join(),
      ).toBe(true);
    }
  });

  const expected = new Set([
    ...['done', 'ALREADY_ACTIVE', 'ALREADY_APPROVED', 'ALREADY_OVER', 'NOT_APPROVED_YET', 'VERSION_CONFLICT'],
  ]);

  test('concurrent approvals of a ticket without a request open exactly one', async () => {
    for (let round = 0; round < rounds; round += 1) {
      const { ticketId, grantId } = await fileTicket(one, world, { site });
      await done(organizationAdmin, 'denyDataAccess', { grantId });
      const outcomes = await Promise.all(
        deciders.map((decider) => tryTo(decider, 'approveDataAccess', { ticketId })),
      );
      const codes = codesOf(outcomes);
      expect(codes.filter((code) => code === 'done')).toHaveLength(1);
      expect(
        codes.every((code) => expected.has(code)),
        codes.join(),
      ).toBe(true);
      expect(await grantsOf(ticketId)).toHaveLength(2);
    }
  });
});

test('an engineer who requests access twice at once gets one request of each scope', async () => {
  const engineers = [await one.as(world.engineer.email), await two.as(world.engineer.email)];
  for (let round = 0; round < rounds; round += 1) {
    const { ticketId, grantId } = await fileTicket(one, world);
    await done(organizationAdmin, 'denyDataAccess', { grantId });
    const asked = engineers.flatMap((engineer) => [
      tryTo(engineer, 'requestDataAccess', { ticketId }),
      tryTo(engineer, 'requestDataAccess', { ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['a'] }),
    ]);
    const codes = codesOf(await Promise.all(asked));
    expect(codes.toSorted()).toEqual(['ALREADY_REQUESTED', 'ALREADY_REQUESTED', 'done', 'done']);
  }
});

test('an approval while the ticket closes leaves no open grant on it', async () => {
  for (let round = 0; round < rounds; round += 1) {
    const { ticketId } = await fileTicket(one, world);
    const closer = await (round % 2 === 0 ? two : one).as(world.acme.emails.reporter);
    const [closing, ...approving] = await Promise.all([
      tryTo(closer, 'closeTicket', { ticketId }),
      ...deciders.map((decider) => tryTo(decider, 'approveDataAccess', { ticketId })),
    ]);
    expect(closing).toHaveProperty('done');
    for (const code of codesOf(approving))
      expect(['done', 'ALREADY_ACTIVE', 'TICKET_CLOSED']).toContain(code);
    for (const { state, end_reason } of await grantsOf(ticketId))
      expect(['REVOKED TICKET_CLOSED', 'WITHDRAWN TICKET_CLOSED']).toContain(`${state} ${end_reason}`);
  }
});

/**
 * Prepares tickets on the main site, half with a denied request. Returns commands of deciders and reporters on them.
 */
async function prepareCommands(people: readonly Person[]): Promise<(() => Promise<Outcome>)[]> {
  const { jira } = world.acme.sites.main.products;
  const reporters = [await one.as(world.acme.emails.reporter), await two.as(world.acme.emails.reporter)];
  const filings = [0, 1, 2, 3].map((index) => () => {
    const ticket = { productId: jira, summary: `And now? ${index}`, grantDataAccess: true };
    return tryTo(reporters[index % 2] ?? organizationAdmin, 'createTicket', ticket);
  });
  const approvals: (() => Promise<Outcome>)[] = [];
  for (const [index, decider] of people.entries()) {
    const { ticketId, grantId } = await fileTicket(one, world);
    // Where no request is open, the approval opens the one that it approves.
    if (index % 2 === 0) await done(organizationAdmin, 'denyDataAccess', { grantId });
    approvals.push(() => tryTo(decider, 'approveDataAccess', { ticketId }));
  }
  return [...filings, ...approvals];
}

/** Runs all of them concurrently, with one more act at this place among them. */
async function amid(
  commands: readonly (() => Promise<Outcome>)[],
  place: number,
  act: () => Promise<Outcome>,
): Promise<{ codes: string[]; acted: Outcome }> {
  const sent = [...commands.slice(0, place), act, ...commands.slice(place)].map((send) => send());
  const outcomes = await Promise.all(sent);
  const [acted] = outcomes.splice(place, 1);
  if (acted === undefined) throw new Error('The act has no outcome');
  return { codes: codesOf(outcomes), acted };
}

test('approvals and new tickets while the site is deactivated leave no open grant on it', async () => {
  const siteId = world.acme.sites.main.id;
  for (let place = 0; place < rounds / 2; place += 1) {
    const commands = await prepareCommands(deciders);
    const { codes, acted } = await amid(commands, (place * 2) % commands.length, () =>
      tryTo(organizationAdmin, 'deactivateSite', { siteId }),
    );
    expect(acted).toHaveProperty('done');
    for (const code of codes) expect(['done', 'NOT_ELIGIBLE']).toContain(code);
    const { rows } = await one.sql.query(
      'SELECT count(*)::int AS open FROM grants WHERE site_id = $1 AND ended_at IS NULL',
      [localId(siteId)],
    );
    expect(rows).toEqual([{ open: 0 }]);
    await done(organizationAdmin, 'reactivateSite', { siteId });
  }
});

test('approvals and new tickets while the licence ends leave no open grant for the product', async () => {
  const { id: siteId, products } = world.acme.sites.main;
  for (let place = 0; place < rounds / 2; place += 1) {
    const commands = await prepareCommands(deciders);
    const { codes, acted } = await amid(commands, (place * 2) % commands.length, () =>
      tryTo(world.operator, 'unlicenseProduct', { productId: products.jira }),
    );
    expect(acted).toHaveProperty('done');
    for (const code of codes) expect(['done', 'NOT_ELIGIBLE']).toContain(code);
    const { rows } = await one.sql.query(
      `SELECT count(*)::int AS open FROM grants g JOIN tickets t ON t.id = g.ticket_id
        WHERE t.product_id = $1 AND g.ended_at IS NULL`,
      [localId(products.jira)],
    );
    expect(rows).toEqual([{ open: 0 }]);
    await done(world.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
  }
});

test('an approval comes before or after a change of restrictions, never between', async () => {
  const { id: siteId } = world.acme.sites.main;
  const guardAdmin = await two.as(world.acme.emails.guardAdmin);
  for (let round = 0; round < Math.ceil(rounds / 5); round += 1) {
    const tickets: string[] = [];
    for (const _ of deciders) tickets.push((await fileTicket(one, world)).ticketId);
    await Promise.all([
      (async () => {
        for (const restricted of [true, false, true, false])
          await doneByTwo(guardAdmin, organizationAdmin, 'setSupportAccessRestrictions', {
            ...{ siteId, restricted },
          });
      })(),
      ...deciders.map((decider, index) => tryTo(decider, 'approveDataAccess', { ticketId: tickets[index] })),
    ]);
  }
  const { rows } = await one.sql.query(
    `SELECT details->>'supportAccessRestricted' AS restricted, details->>'to' AS "to" FROM audit_entries
      WHERE site_id = $1 AND outcome = 'SUCCEEDED' AND action IN ('grant.approve', 'site.set_support_access_restrictions')
      ORDER BY txid, seq`,
    [localId(siteId)],
  );
  let isRestricted = 'false';
  for (const { restricted, to } of rows) {
    if (restricted !== null) isRestricted = restricted;
    else expect(to).toBe(isRestricted === 'true' ? 'PENDING_GUARD_APPROVAL' : 'ACTIVE');
  }
});

test('a removed role allows no decision after its removal', async () => {
  const { organizationId } = world.acme;
  for (let round = 0; round < rounds; round += 1) {
    const tickets: string[] = [];
    for (let index = 0; index < 5; index += 1) tickets.push((await fileTicket(one, world)).ticketId);
    const decider = deciders[round % deciders.length];
    const roleAssignmentId = deciderRoles[round % deciders.length];
    if (decider === undefined) throw new Error('ten deciders');
    const [removal, ...approving] = await Promise.all([
      tryTo(round % 2 === 0 ? world.operator : organizationAdmin, 'removeRole', { roleAssignmentId }),
      ...tickets.map((ticketId) => tryTo(decider, 'approveDataAccess', { ticketId })),
    ]);
    expect(removal).toHaveProperty('done');
    for (const code of codesOf(approving)) expect(['done', 'NOT_ELIGIBLE', 'NOT_FOUND']).toContain(code);
    const { rows } = await one.sql.query(
      `SELECT action FROM audit_entries WHERE outcome = 'SUCCEEDED' AND
         (actor_email = $1 AND action = 'grant.approve' OR action = 'role.remove' AND resource_id = $2)
        ORDER BY txid, seq`,
      [decider.email, localId(roleAssignmentId ?? '')],
    );
    expect(rows.map(({ action }) => action).indexOf('role.remove')).toBe(rows.length - 1);
    const { rows: accounts } = await one.sql.query('SELECT id FROM accounts WHERE email = $1', [
      decider.email,
    ]);
    const userId = Buffer.from(`User:${accounts[0].id}`).toString('base64');
    const role = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
    deciderRoles[round % deciders.length] = (await assignRole(world, role)).id;
  }
});

test('a role that is given while its holder leaves is given before, or refused', async () => {
  const { organizationId, emails } = world.acme;
  const admins = [await one.as(emails.organizationAdmin), organizationAdmin];
  const email = 'leaver@acme.example';
  const user = { organizationId, email, name: 'Leaver' };
  for (let round = 0; round < rounds; round += 1) {
    const { id: userId } = await done(world.operator, 'addUser', user);
    const giving = ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'].flatMap((role) =>
      admins.map((admin) => tryTo(admin, 'assignRole', { organizationId, userId, role })),
    );
    const outcomes = await Promise.all([
      ...giving.slice(0, 2),
      tryTo(world.operator, 'removeUser', { organizationId, userId }),
      ...giving.slice(2),
    ]);
    expect(outcomes[2]).toHaveProperty('done');
    for (const code of codesOf(outcomes)) expect(['done', 'ALREADY_EXISTS', 'INVALID_INPUT']).toContain(code);
    const { rows } = await one.sql.query('SELECT 1 FROM role_assignments WHERE account_id = $1', [
      localId(userId),
    ]);
    expect(rows).toEqual([]);
    expect(
      await tryTo(organizationAdmin, 'assignRole', { organizationId, userId, role: 'GUARD_ADMIN' }),
    ).toEqual({
      refused: 'INVALID_INPUT',
    });
  }
});

test('two people who take away rights of each other do not wait for each other', async () => {
  const { organizationId } = world.acme;
  const before = rolledBack;
  for (let round = 0; round < rounds; round += 1) {
    const pair = await Promise.all(
      [one, two].map(async (gateway, index) => {
        const email = `rival-${round}-${index}@acme.example`;
        const { id: userId } = await done(world.operator, 'addUser', {
          organizationId,
          email,
          name: 'Rival',
        });
        const role = { organizationId, userId, role: 'ORGANIZATION_ADMIN' };
        const { id } = await assignRole(world, role);
        return { person: await gateway.as(email), roleAssignmentId: id };
      }),
    );
    const [first, second] = pair;
    if (first === undefined || second === undefined) throw new Error('a pair');
    const codes = codesOf(
      await Promise.all([
        tryTo(first.person, 'removeRole', { roleAssignmentId: second.roleAssignmentId }),
        tryTo(second.person, 'removeRole', { roleAssignmentId: first.roleAssignmentId }),
      ]),
    );
    // Whoever is second has lost the role by then.
    expect(codes.toSorted()).toEqual(['NOT_FOUND', 'done']);
  }
  expect(rolledBack).toBe(before);
});

test('a ticket is not assigned to an engineer who has been deactivated', async () => {
  const ticketing = [await one.as(world.services.ticketing), await two.as(world.services.ticketing)];
  for (let round = 0; round < rounds; round += 1) {
    const email = `engineer-${round}@vendor.example`;
    const { id: engineerId } = await done(world.operator, 'addSupportEngineer', { email, name: 'Engineer' });
    const tickets = await Promise.all(Array.from({ length: 4 }, () => fileTicket(one, world)));
    const outcomes = await Promise.all([
      tryTo(world.operator, 'deactivateAccount', { accountId: engineerId }),
      ...tickets.map(({ ticketId }, index) =>
        tryTo(ticketing[index % 2] ?? world.operator, 'assignTicket', { ticketId, engineerId }),
      ),
    ]);
    const [deactivated, ...codes] = codesOf(outcomes);
    expect(deactivated).toBe('done');
    for (const code of codes) expect(['done', 'INVALID_INPUT']).toContain(code);
    const { rows } = await one.sql.query(
      `SELECT action FROM audit_entries WHERE outcome = 'SUCCEEDED'
         AND (action = 'ticket.assign' AND details->>'engineerId' = $1 OR action = 'account.deactivate' AND resource_id = $1)
        ORDER BY txid, seq`,
      [localId(engineerId)],
    );
    expect(rows.at(-1)).toEqual({ action: 'account.deactivate' });
  }
});

test('the last assigned engineer has the grants, whatever approvals came in between', async () => {
  const ticketing = [await one.as(world.services.ticketing), await two.as(world.services.ticketing)];
  for (let round = 0; round < rounds; round += 1) {
    const { ticketId } = await fileTicket(one, world);
    const outcomes = await Promise.all([
      ...[world.otherEngineer.id, world.engineer.id, null].map((engineerId, index) =>
        tryTo(ticketing[index % 2] ?? world.operator, 'assignTicket', { ticketId, engineerId }),
      ),
      ...deciders.slice(0, 4).map((decider) => tryTo(decider, 'approveDataAccess', { ticketId })),
    ]);
    const codes = codesOf(outcomes);
    expect(codes.slice(0, 3)).toEqual(['done', 'done', 'done']);
    expect(codes.slice(3).filter((code) => code === 'done')).toHaveLength(1);
    const { rows } = await one.sql.query('SELECT assignee_id FROM tickets WHERE id = $1', [
      localId(ticketId),
    ]);
    for (const { engineer_id } of await grantsOf(ticketId)) expect(engineer_id).toBe(rows[0].assignee_id);
  }
});

test('concurrent bulks over the same grants decide each grant once', async () => {
  const [first, second] = [deciders[0] ?? organizationAdmin, deciders[1] ?? organizationAdmin];
  for (let round = 0; round < rounds / 5; round += 1) {
    const grantIds: string[] = [];
    for (let index = 0; index < 12; index += 1) grantIds.push((await fileTicket(one, world)).grantId ?? '');
    const bulks = await Promise.all([
      done(first, 'approveDataAccessInBulk', { grantIds }),
      done(second, 'approveDataAccessInBulk', { grantIds: grantIds.toReversed() }),
      done(organizationAdmin, 'revokeDataAccessInBulk', { grantIds, idempotencyKey: `bulk-${round}` }),
    ]);
    const [approved, approvedToo, revoked] = bulks.map(
      ({ results }) =>
        new Map<string, string>(
          results.map(({ grantId, result }: Json) => [grantId, result.state ?? result.code]),
        ),
    );
    for (const grantId of grantIds) {
      const codes = [approved?.get(grantId), approvedToo?.get(grantId)];
      expect(codes.filter((code) => code === 'ACTIVE')).toHaveLength(1);
      expect(['ACTIVE', 'ALREADY_ACTIVE', 'ALREADY_OVER']).toContain(
        codes.find((code) => code !== 'ACTIVE') ?? 'ACTIVE',
      );
      expect(['REVOKED', 'NOT_APPROVED_YET']).toContain(revoked?.get(grantId));
    }
  }
});

test('tickets filed at the same time have different keys', async () => {
  const reporters = [await one.as(world.acme.emails.reporter), await two.as(world.acme.emails.reporter)];
  const { jira } = world.acme.sites.main.products;
  const filed = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      done(reporters[index % 2] ?? world.operator, 'createTicket', {
        ...{ productId: jira, summary: `It is slow ${index}`, grantDataAccess: false },
      }),
    ),
  );
  expect(new Set(filed.map(({ key }) => key)).size).toBe(20);
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(one.sql));
