/** Requests and grants end at their time for every read and every decision, whenever the end is recorded. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import { expireChangeRequests } from '../../src/commands/expire-change-requests.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import {
  attempt,
  done,
  doneByTwo,
  fileTicket,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';
import { expectLegalHistories } from './races-history.ts';

const ms = 1;
const second = 1000 * ms;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

let now = Date.parse('2026-03-02T10:00:00.000Z');
const clock = () => new Date(now);
const logger = createLogger('silent');

let gateway: TestGateway;
let world: World;
/** The databases of two gateways, to run the job concurrently. */
let sweepers: Database[];

beforeAll(async () => {
  // The operator's token is issued in the future, so that it outlives the tests.
  now += 20 * 365 * day;
  ({ gateway, world } = await startGatewayWithWorld({ clock, maintenance: false }));
  now -= 20 * 365 * day;
  sweepers = [1, 2].map(() =>
    openDatabase({ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines }),
  );
  await gateway.sql.query('UPDATE role_assignments SET created_at = $1', [new Date(now)]);
});
afterEach(async () => {
  for (const site of changedPolicies) await setPolicy(site, {});
  changedPolicies.clear();
});
afterAll(async () => {
  await gateway.sql.query(
    `DELETE FROM grants WHERE ticket_id IN (SELECT id FROM tickets WHERE key LIKE 'MANY-%')`,
  );
  expect(await expectLegalHistories(gateway)).toBeGreaterThan(0);
  await Promise.all(sweepers.map((sweeper) => sweeper.dispose()));
  await gateway.dispose();
});

const asAdmin = () => gateway.as(world.acme.emails.organizationAdmin);
const asGuardAdmin = () => gateway.as(world.acme.emails.guardAdmin);
const asEngineer = () => gateway.as(world.engineer.email);

/** Runs the job on this many gateways at once. Returns the number of ends that each recorded. */
async function sweep(gateways = 1): Promise<number[]> {
  const sweeping = sweepers
    .slice(0, gateways)
    .map((database) => endExpiredGrants({ database, clock, logger, announce: () => undefined }));
  return await Promise.all(sweeping);
}

/** The sites whose policy a test has changed. */
const changedPolicies = new Set<SiteName>();

async function setPolicy(
  site: SiteName,
  policy: {
    requestWaitSeconds?: number;
    maxGrantSeconds?: number | null;
    samePersonMayApproveTwice?: boolean;
  },
): Promise<void> {
  changedPolicies.add(site);
  await doneByTwo(await asGuardAdmin(), await asAdmin(), 'setSupportAccessPolicy', {
    siteId: world.acme.sites[site].id,
    ...{ requestWaitSeconds: (14 * day) / second, maxGrantSeconds: null, samePersonMayApproveTwice: false },
    ...policy,
  });
}

async function openTicket(site: SiteName = 'main'): Promise<{ ticketId: string; grantId: string }> {
  const { ticketId, grantId } = await fileTicket(gateway, world, { site });
  if (grantId === null) throw new Error('An unticked ticket has an outstanding request');
  return { ticketId, grantId };
}

const listedStates = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE', 'EXPIRED', 'ENDED', 'REVOKED'];
const listsByState = listedStates
  .map(
    (state) =>
      `${state}: grants(filter: { ticketId: $ticketId, states: [${state}] }) { edges { node { id } } }`,
  )
  .join(' ');

/** Reads a grant by its id, on its ticket and in the lists by state, and checks that all agree. */
async function look(grantId: string): Promise<Json> {
  const reader = await asAdmin();
  const { node } = await reader.ask(
    `query Look($id: ID!) { node(id: $id) { ... on Grant { state version endReason endedAt expiresAt activatedAt ticket {
       id grants(first: 100) { edges { node { id state version } } } } } } }`,
    { id: grantId },
  );
  const { ticket, ...grant } = node;
  const onTicket = ticket.grants.edges.find(({ node: one }: Json) => one.id === grantId).node;
  expect(onTicket).toEqual({ id: grantId, state: grant.state, version: grant.version });
  const lists = await reader.ask(`query Lists($ticketId: ID!) { ${listsByState} }`, { ticketId: ticket.id });
  const statesOf = Object.entries<Json>(lists).filter(([, { edges }]) =>
    edges.some(({ node: one }: Json) => one.id === grantId),
  );
  expect(statesOf.map(([state]) => state)).toEqual([grant.state].filter((state) => state in lists));
  return grant;
}

/** The audit entries and the events of a grant. */
async function historyOf(grantId: string): Promise<{ entries: string[]; events: string[] }> {
  const id = localId(grantId);
  const { rows: entries } = await gateway.sql.query(
    `SELECT actor_kind, action, coalesce(refusal_code, 'SUCCEEDED') AS outcome FROM audit_entries
      WHERE grant_id = $1 ORDER BY txid, seq`,
    [id],
  );
  const { rows: events } = await gateway.sql.query(
    `SELECT type FROM events WHERE payload->>'grantId' = $1 ORDER BY txid, seq`,
    [id],
  );
  return {
    entries: entries.map(({ actor_kind, action, outcome }) => `${actor_kind} ${action} ${outcome}`),
    events: events.map(({ type }) => type),
  };
}

function localId(globalId: string): string {
  return Buffer.from(globalId, 'base64').toString().split(':')[1] ?? '';
}

const at = (moment: number) => new Date(moment).toISOString();

describe('a request', () => {
  test('waits until the last millisecond of its fourteen days', async () => {
    const { ticketId, grantId } = await openTicket();
    now += 14 * day - ms;
    expect(await look(grantId)).toMatchObject({ state: 'PENDING_APPROVAL', version: 2, endReason: null });
    expect(await attempt(await asAdmin(), 'approveDataAccess', { ticketId })).toMatchObject({
      id: grantId,
      state: 'ACTIVE',
    });
  });

  test('is over exactly at its deadline, even before that is recorded', async () => {
    const { grantId } = await openTicket();
    now += 14 * day;
    const over = { state: 'EXPIRED', version: 3, endReason: 'APPROVAL_TIMED_OUT', endedAt: at(now) };
    expect(await look(grantId)).toMatchObject(over);
    expect((await historyOf(grantId)).events).toEqual(['REQUESTED', 'REASSIGNED']);
    const ended = now;
    now += 3 * day;
    expect(await attempt(await asAdmin(), 'approveDataAccess', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
    expect(await look(grantId)).toMatchObject({ ...over, endedAt: at(ended) });
    expect(await historyOf(grantId)).toEqual({
      entries: [
        'USER grant.request SUCCEEDED',
        'OPERATOR grant.reassign SUCCEEDED',
        'SYSTEM grant.expire SUCCEEDED',
        'USER grant.approve ALREADY_OVER',
      ],
      events: ['REQUESTED', 'REASSIGNED', 'EXPIRED'],
    });
    expect(await sweep()).toEqual([0]);
  });

  test('that is over prevents neither an approval on the ticket nor a new request', async () => {
    const { ticketId, grantId } = await openTicket();
    const asked = await openTicket();
    now += 14 * day;
    const approved = await done(await asAdmin(), 'approveDataAccess', { ticketId });
    expect(approved).toMatchObject({ state: 'ACTIVE' });
    expect(approved.id).not.toBe(grantId);
    const again = await done(await asEngineer(), 'requestDataAccess', { ticketId: asked.ticketId });
    expect(again).toMatchObject({ state: 'PENDING_APPROVAL' });
    expect(await look(grantId)).toMatchObject({ state: 'EXPIRED' });
    expect(await look(asked.grantId)).toMatchObject({ state: 'EXPIRED' });
  });

  test("waits as long as the site's policy said at the time of the request", async () => {
    await setPolicy('main', { requestWaitSeconds: 60 });
    const { grantId } = await openTicket();
    await setPolicy('main', { requestWaitSeconds: 3600 });
    now += minute - ms;
    expect(await look(grantId)).toMatchObject({ state: 'PENDING_APPROVAL' });
    now += ms;
    expect(await look(grantId)).toMatchObject({ state: 'EXPIRED' });
  });

  test("waits less long once its site's policy says so, and no longer once that is loosened", async () => {
    const [first, active] = [await openTicket(), await openTicket()];
    await done(await asAdmin(), 'approveDataAccess', { ticketId: active.ticketId });
    now += hour;
    const second = await openTicket();
    await setPolicy('main', { requestWaitSeconds: 1800 });
    expect(await look(first.grantId)).toMatchObject({ state: 'EXPIRED', endedAt: at(now) });
    const { entries, events } = await historyOf(first.grantId);
    expect([entries.at(-1), events.at(-1)]).toEqual(['USER grant.shorten_wait SUCCEEDED', 'WAIT_SHORTENED']);
    expect((await historyOf(active.grantId)).events.at(-1)).toBe('ACTIVATED');
    expect(await look(active.grantId)).toMatchObject({ state: 'ACTIVE' });
    await setPolicy('main', {});
    now += hour / 2 - ms;
    expect(await look(second.grantId)).toMatchObject({ state: 'PENDING_APPROVAL' });
    now += ms;
    expect(await look(second.grantId)).toMatchObject({ state: 'EXPIRED', endedAt: at(now) });
    await sweep();
    expect((await historyOf(first.grantId)).events.slice(-2)).toEqual(['WAIT_SHORTENED', 'EXPIRED']);
  });

  test('that awaits the Guard waits less long once two people have changed the policy', async () => {
    const { ticketId, grantId } = await openTicket('restricted');
    await done(await asAdmin(), 'approveDataAccess', { ticketId });
    await setPolicy('restricted', { requestWaitSeconds: 60, samePersonMayApproveTwice: true });
    now += minute - ms;
    expect(await look(grantId)).toMatchObject({ state: 'PENDING_GUARD_APPROVAL' });
    const { entries, events } = await historyOf(grantId);
    expect([entries.at(-1), events.at(-1)]).toEqual(['USER grant.shorten_wait SUCCEEDED', 'WAIT_SHORTENED']);
    now += ms;
    expect(await attempt(await asGuardAdmin(), 'approveGuardRequest', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
  });

  test.each([
    ['closeTicket', 'TICKET_CLOSED'],
    ['deactivateSite', 'SITE_DEACTIVATED'],
    ['unlicenseProduct', 'PRODUCT_UNLICENSED'],
  ])('that ran out before %s is recorded as that', async (name, reason) => {
    const lapsed = await openTicket();
    now += 13 * day;
    const waiting = await openTicket();
    now += day;
    const { id: siteId, products } = world.acme.sites.main;
    const inputs: Record<string, object[]> = {
      closeTicket: [{ ticketId: lapsed.ticketId }, { ticketId: waiting.ticketId }],
      deactivateSite: [{ siteId }],
      unlicenseProduct: [{ productId: products.jira }],
    };
    const by = name === 'closeTicket' ? await gateway.as(world.acme.emails.reporter) : world.operator;
    for (const input of inputs[name] ?? []) await done(by, name, { ...input });
    expect(await look(lapsed.grantId)).toMatchObject({ state: 'EXPIRED', endedAt: at(now) });
    const { rows } = await gateway.sql.query('SELECT state, end_reason FROM grants WHERE id = $1', [
      localId(waiting.grantId),
    ]);
    expect(rows).toEqual([{ state: 'WITHDRAWN', end_reason: reason }]);
    if (name === 'deactivateSite') await done(world.operator, 'reactivateSite', { siteId });
    if (name === 'unlicenseProduct')
      await done(world.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
  });
});

describe('access', () => {
  test('without an end lasts until its ticket is closed', async () => {
    const { ticketId, grantId } = await openTicket();
    await done(await asAdmin(), 'approveDataAccess', { ticketId });
    now += 9 * 365 * day;
    await sweep();
    expect(await look(grantId)).toMatchObject({ state: 'ACTIVE', expiresAt: null, endedAt: null });
    await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId });
    expect(await look(grantId)).toMatchObject({ state: 'REVOKED', endReason: 'TICKET_CLOSED' });
  });

  test('ends at the moment that the approver chose', async () => {
    const { ticketId, grantId } = await openTicket();
    const expiresAt = at(now + hour);
    await done(await asAdmin(), 'approveDataAccess', { ticketId, expiresAt });
    now += hour - ms;
    expect(await look(grantId)).toMatchObject({ state: 'ACTIVE', expiresAt });
    now += ms;
    expect(await look(grantId)).toMatchObject({
      ...{ state: 'ENDED', endReason: 'TIME_ELAPSED', endedAt: expiresAt, version: 4 },
    });
    expect(await attempt(await asAdmin(), 'revokeDataAccess', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
    expect(await attempt(await asEngineer(), 'releaseDataAccess', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
    expect((await historyOf(grantId)).events.slice(2)).toEqual(['ACTIVATED', 'ENDED']);
  });

  test("ends at the limit of the site's policy, and may not be approved for longer", async () => {
    await setPolicy('main', { maxGrantSeconds: 3600 });
    const { ticketId, grantId } = await openTicket();
    const approve = async (expiresAt: number) =>
      attempt(await asAdmin(), 'approveDataAccess', { ticketId, expiresAt: at(expiresAt) });
    expect(await approve(now + hour + ms)).toMatchObject({ code: 'EXPIRES_AT_BEYOND_POLICY' });
    expect(await approve(now)).toMatchObject({ code: 'EXPIRES_AT_IN_THE_PAST' });
    expect(await approve(now - ms)).toMatchObject({ code: 'EXPIRES_AT_IN_THE_PAST' });
    expect(await look(grantId)).toMatchObject({ state: 'PENDING_APPROVAL' });
    const unlimited = await openTicket();
    await done(await asAdmin(), 'approveDataAccess', { ticketId: unlimited.ticketId });
    expect(await look(unlimited.grantId)).toMatchObject({ expiresAt: at(now + hour) });
    expect(await approve(now + hour)).toMatchObject({ state: 'ACTIVE' });
    await setPolicy('main', { maxGrantSeconds: 1 });
    now += hour - ms;
    expect(await look(grantId)).toMatchObject({ state: 'ACTIVE' });
    now += ms;
    expect(await look(grantId)).toMatchObject({ state: 'ENDED' });
    expect(await look(unlimited.grantId)).toMatchObject({ state: 'ENDED' });
  });

  test('to conversations and access to product data end independently', async () => {
    const { ticketId, grantId } = await openTicket();
    const rovo = await done(await asEngineer(), 'requestDataAccess', {
      ...{ ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['conversation-1'] },
    });
    const admin = await asAdmin();
    await done(admin, 'approveDataAccess', { ticketId, expiresAt: at(now + 2 * minute) });
    await done(admin, 'approveDataAccess', { grantId: rovo.id, expiresAt: at(now + minute) });
    now += minute;
    expect(await look(rovo.id)).toMatchObject({ state: 'ENDED' });
    expect(await look(grantId)).toMatchObject({ state: 'ACTIVE', version: 3 });
    await sweep();
    expect(await look(rovo.id)).toMatchObject({ state: 'ENDED' });
    expect(await look(grantId)).toMatchObject({ state: 'ACTIVE', version: 3 });
    now += minute;
    expect(await look(grantId)).toMatchObject({ state: 'ENDED' });
  });
});

describe('on a restricted site', () => {
  test('access starts with the second approval, and ends when the customer chose', async () => {
    await setPolicy('restricted', { maxGrantSeconds: 3600 });
    const late = await openTicket('restricted');
    const chosen = await openTicket('restricted');
    await done(await asAdmin(), 'approveDataAccess', { ticketId: late.ticketId });
    now += day;
    await done(await asGuardAdmin(), 'approveGuardRequest', { grantId: late.grantId });
    expect(await look(late.grantId)).toMatchObject({
      state: 'ACTIVE',
      activatedAt: at(now),
      expiresAt: at(now + hour),
    });

    const expiresAt = at(now + 30 * minute);
    await done(await asAdmin(), 'approveDataAccess', { ticketId: chosen.ticketId, expiresAt });
    now += 29 * minute;
    await done(await asGuardAdmin(), 'approveGuardRequest', { grantId: chosen.grantId });
    expect(await look(chosen.grantId)).toMatchObject({ state: 'ACTIVE', expiresAt });
  });

  test('a grant cannot become active after the end that the customer chose', async () => {
    const { ticketId, grantId } = await openTicket('restricted');
    const expiresAt = at(now + 30 * minute);
    await done(await asAdmin(), 'approveDataAccess', { ticketId, expiresAt });
    now += 30 * minute;
    const over = { state: 'EXPIRED', endReason: 'APPROVAL_TIMED_OUT', endedAt: expiresAt, activatedAt: null };
    expect(await look(grantId)).toMatchObject(over);
    expect(await attempt(await asGuardAdmin(), 'approveGuardRequest', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
    expect(await look(grantId)).toMatchObject(over);
    expect((await historyOf(grantId)).events.slice(2)).toEqual(['AWAITING_GUARD', 'EXPIRED']);
  });

  test("the customer's approval does not make the request wait longer", async () => {
    const { ticketId, grantId } = await openTicket('restricted');
    now += 13 * day;
    await done(await asAdmin(), 'approveDataAccess', { ticketId });
    now += day - ms;
    expect(await look(grantId)).toMatchObject({ state: 'PENDING_GUARD_APPROVAL' });
    now += ms;
    expect(await look(grantId)).toMatchObject({ state: 'EXPIRED', endedAt: at(now) });
    expect(await attempt(await asGuardAdmin(), 'denyGuardRequest', { grantId })).toMatchObject({
      code: 'ALREADY_OVER',
    });
  });
});

describe('the background job for expired grants', () => {
  test('records every end once, even if several gateways run it at the same time', async () => {
    await sweep();
    const requests: string[] = [];
    const [requested, approved] = bySize([4, 3], [15, 10]);
    for (let index = 0; index < requested; index += 1) requests.push((await openTicket()).grantId);
    const access: string[] = [];
    for (let index = 0; index < approved; index += 1) {
      const { ticketId, grantId } = await openTicket();
      await done(await asAdmin(), 'approveDataAccess', { ticketId, expiresAt: at(now + hour + index) });
      access.push(grantId);
    }
    const begun = now;
    now += 20 * day;
    const [first = 0, other = 0] = await sweep(2);
    expect(first + other).toBe(requested + approved);
    expect(await sweep(2)).toEqual([0, 0]);
    for (const grantId of requests) {
      const { entries, events } = await historyOf(grantId);
      expect(entries.slice(2)).toEqual(['SYSTEM grant.expire SUCCEEDED']);
      expect(events.slice(2)).toEqual(['EXPIRED']);
    }
    for (const [index, grantId] of access.entries()) {
      const { entries, events } = await historyOf(grantId);
      expect(entries.slice(3)).toEqual(['SYSTEM grant.end SUCCEEDED']);
      expect(events.slice(3)).toEqual(['ENDED']);
      // The end has its own time, however late it is recorded.
      expect(await look(grantId)).toMatchObject({ endedAt: at(begun + hour + index) });
    }
  });

  test('and a simultaneous command record an end once', async () => {
    for (let round = 0; round < bySize(3, 8); round += 1) {
      const { ticketId, grantId } = await openTicket();
      const expiresAt = at(now + minute);
      await done(await asAdmin(), 'approveDataAccess', { ticketId, expiresAt });
      now += minute;
      const [admin, engineer] = [await asAdmin(), await asEngineer()];
      const [revoked, released] = await Promise.all([
        attempt(admin, 'revokeDataAccess', { grantId }),
        attempt(engineer, 'releaseDataAccess', { grantId }),
        sweep(2),
        attempt(engineer, 'requestDataAccess', { ticketId }),
      ]);
      expect([revoked.code, released.code]).toEqual(['ALREADY_OVER', 'ALREADY_OVER']);
      expect((await historyOf(grantId)).events.slice(2)).toEqual(['ACTIVATED', 'ENDED']);
      expect(await look(grantId)).toMatchObject({ state: 'ENDED', endedAt: expiresAt, version: 4 });
    }
  });

  test('records all ends, however many there are', async () => {
    await gateway.sql.query(
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
       SELECT ('01900000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'MANY-' || n, 'One of many', t.site_id,
              t.product_id, t.reporter_id, $1 FROM generate_series(1, 250) AS n, (SELECT * FROM tickets LIMIT 1) AS t`,
      [clock()],
    );
    await gateway.sql.query(
      `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                           approval_due_at, version)
       SELECT ('01900000-0000-7000-8001-' || right(t.id::text, 12))::uuid, t.id, t.site_id, 'PRODUCT_DATA', '{}',
              'PENDING_APPROVAL', t.reporter_id, $1, $2, 1 FROM tickets t WHERE t.key LIKE 'MANY-%'`,
      [clock(), new Date(now + minute)],
    );
    now += minute;
    const swept: number[] = [];
    for (let round = 0; round < 2; round += 1) swept.push(...(await sweep()));
    expect(swept).toEqual([250, 0]);
  });

  test('runs by itself, and subscribers receive the events', async () => {
    // A running clock that can be set forward: sockets use the real time.
    let ahead = 0;
    const running = () => new Date(Date.now() + ahead);
    await using filled = await startGatewayWithWorld({ clock: running });
    const { gateway: own, world: ownWorld } = filled;
    const { ticketId, grantId } = await fileTicket(own, ownWorld);
    const admin = await own.as(ownWorld.acme.emails.organizationAdmin);
    await done(admin, 'approveDataAccess', { ticketId, expiresAt: at(running().getTime() + minute) });
    const engineer = await own.as(ownWorld.engineer.email);
    const events = engineer.socket().iterate({
      query: `subscription Watch($ticketId: ID!) {
        grantEvents(filter: { ticketId: $ticketId }, withCurrentState: true) { type grant { id state endReason } } }`,
      variables: { ticketId },
    });
    expect(await nextOfGrant(events)).toMatchObject({ type: 'CURRENT' });
    ahead += minute;
    expect(await nextOfGrant(events)).toEqual({
      type: 'ENDED',
      grant: { id: grantId, state: 'ENDED', endReason: 'TIME_ELAPSED' },
    });
    await events.return?.();
  });
});

describe('a change request', () => {
  async function requestChange(until: number): Promise<{ changeRequestId: string; ticketId: string }> {
    const { ticketId } = await openTicket();
    const { id } = await done(await asEngineer(), 'requestChange', {
      ...{ ticketId, kind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
      ...{ description: 'Let support browse it', justification: 'The board cannot be opened' },
      validUntil: new Date(until).toISOString(),
    });
    return { changeRequestId: id, ticketId };
  }
  const stateOf = async (id: string, states: string): Promise<Json> => {
    const { node, changeRequests } = await (await asAdmin()).ask(
      `query ($id: ID!, $states: [ChangeRequestState!]!) {
         node(id: $id) { ... on ChangeRequest { state version endedAt endReason ticket { id } } }
         changeRequests(filter: { states: $states }, first: 100) { edges { node { id } } } }`,
      { id, states: [states] },
    );
    expect(changeRequests.edges.map((edge: Json) => edge.node.id)).toContain(id);
    return node;
  };

  test('expires exactly at its time, consented to or not, and that is recorded once', async () => {
    const until = now + hour;
    const [undecided, consented] = [await requestChange(until), await requestChange(until)];
    now = until - ms;
    await done(await asAdmin(), 'consentToChange', { changeRequestId: consented.changeRequestId });
    await stateOf(undecided.changeRequestId, 'PENDING_CONSENT');
    await stateOf(consented.changeRequestId, 'CONSENTED');
    now = until;
    const over = { endReason: 'TIME_ELAPSED', endedAt: new Date(until).toISOString() };
    for (const { changeRequestId, ticketId } of [undecided, consented]) {
      const expected = { ...over, state: 'EXPIRED', ticket: { id: ticketId } };
      expect(await stateOf(changeRequestId, 'EXPIRED')).toMatchObject(expected);
      const refusal = { code: 'CHANGE_REQUEST_OVER' };
      expect(await attempt(await asAdmin(), 'consentToChange', { changeRequestId })).toMatchObject(refusal);
      expect(await attempt(await asAdmin(), 'revokeChangeConsent', { changeRequestId })).toMatchObject(
        refusal,
      );
    }
    now += day;
    const counts = await Promise.all(
      sweepers.map((database) =>
        expireChangeRequests({ database, clock, logger, announce: () => undefined }),
      ),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(2);
    expect(await stateOf(consented.changeRequestId, 'EXPIRED')).toMatchObject({ ...over, version: 3 });
    const { rows } = await gateway.sql.query(
      `SELECT resource_id, actor_kind, details ->> 'from' AS "from" FROM audit_entries
        WHERE action = 'change_request.expire' ORDER BY resource_id`,
    );
    expect(rows).toEqual([
      { resource_id: rawId(undecided.changeRequestId), actor_kind: 'SYSTEM', from: 'PENDING_CONSENT' },
      { resource_id: rawId(consented.changeRequestId), actor_kind: 'SYSTEM', from: 'CONSENTED' },
    ]);
  });

  test('is answered again as it is by then, by its idempotency key', async () => {
    const { ticketId } = await openTicket();
    const input = {
      ...{ ticketId, kind: 'PERMISSIONS', resourceType: 'project', resourceId: 'ACME' },
      ...{ description: 'Let support browse it', justification: 'The board cannot be opened' },
      ...{ validUntil: new Date(now + hour).toISOString(), idempotencyKey: 'change' },
    };
    const engineer = await asEngineer();
    const first = await done(engineer, 'requestChange', input);
    expect(first.state).toBe('PENDING_CONSENT');
    expect(await done(engineer, 'requestChange', input)).toEqual(first);
    now += hour;
    const again = await done(engineer, 'requestChange', input);
    expect(again).toMatchObject({ id: first.id, state: 'EXPIRED' });
  });

  test('is withdrawn when its engineer is deactivated, and mail about it went to the reporter', async () => {
    const { changeRequestId } = await requestChange(now + day);
    const { rows: mails } = await gateway.sql.query(
      `SELECT a.email, m.kind, m.state FROM mails m JOIN accounts a ON a.id = m.recipient_id WHERE m.about_id = $1`,
      [rawId(changeRequestId)],
    );
    expect(mails).toEqual([
      { email: world.acme.emails.reporter, kind: 'change-requested', state: 'WAITING' },
    ]);
    await done(world.operator, 'deactivateAccount', { accountId: world.engineer.id });
    expect(await stateOf(changeRequestId, 'WITHDRAWN')).toMatchObject({ endReason: 'TICKET_REASSIGNED' });
    await done(world.operator, 'reactivateAccount', { accountId: world.engineer.id });
  });
});

test('a grant in a final state refuses every command and does not change', async () => {
  const reporter = await gateway.as(world.acme.emails.reporter);
  const over: Record<string, string> = {};
  const end = async (
    state: string,
    how: (ids: { ticketId: string; grantId: string }) => Promise<unknown>,
  ) => {
    const ids = await openTicket('restricted');
    await how(ids);
    over[state] = ids.grantId;
  };
  const approve = async ({ ticketId, grantId }: { ticketId: string; grantId: string }) => {
    await done(await asAdmin(), 'approveDataAccess', { ticketId });
    await done(await asGuardAdmin(), 'approveGuardRequest', { grantId });
  };
  await end('DENIED', async ({ grantId }) => done(await asAdmin(), 'denyDataAccess', { grantId }));
  await end('WITHDRAWN', async ({ grantId }) =>
    done(await asEngineer(), 'withdrawDataAccessRequest', { grantId }),
  );
  await end('REVOKED', async (ids) => {
    await approve(ids);
    await done(reporter, 'revokeDataAccess', { grantId: ids.grantId });
  });
  await end('ENDED', async (ids) => {
    await approve(ids);
    await done(await asEngineer(), 'releaseDataAccess', { grantId: ids.grantId });
  });
  await setPolicy('restricted', { requestWaitSeconds: 1 });
  await end('EXPIRED', async () => {
    now += second;
  });

  const commands: [string, Person][] = [
    ['approveDataAccess', await asAdmin()],
    ['denyDataAccess', await asAdmin()],
    ['approveGuardRequest', await asGuardAdmin()],
    ['denyGuardRequest', await asGuardAdmin()],
    ['revokeDataAccess', reporter],
    ['withdrawDataAccessRequest', await asEngineer()],
    ['releaseDataAccess', await asEngineer()],
  ];
  for (const [state, grantId] of Object.entries(over)) {
    const before = await look(grantId);
    expect(before).toMatchObject({ state });
    for (const [name, by] of commands) {
      const { code } = await attempt(by, name, { grantId });
      expect({ state, name, code }).toEqual({ state, name, code: 'ALREADY_OVER' });
    }
    expect(await look(grantId)).toEqual(before);
  }
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
