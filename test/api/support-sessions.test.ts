/** Support sessions through the API: how they start, every way in which they end, what is recorded, and who sees it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endDueSessions } from '../../src/commands/end-due-sessions.ts';
import { endExpiredGrants } from '../../src/commands/end-expired-grants.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { decide, type Session } from '../../src/sessions/session.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { globalId, rawId } from '../support/rows.ts';
import { attempt, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const minute = 60_000;
const year = 365 * 24 * 60 * minute;

let now = Date.parse('2026-03-02T10:00:00.000Z');
const clock = () => new Date(now);
const logger = createLogger('silent');

let gateway: TestGateway;
let world: World;
/** The databases of two gateways, to run the job concurrently. */
let sweepers: Database[];
let people: Record<'reporter' | 'admin' | 'engineer' | 'operator', Person>;

beforeAll(async () => {
  // Tokens are issued in the future, so that they outlive the tests.
  now += year;
  ({ gateway, world } = await startGatewayWithWorld({
    ...{ clock, maintenance: false },
    config: { vendorSites: { processingRegions: [], engineerCountries: ['DE', 'IE'] } },
  }));
  people = {
    reporter: await gateway.as(world.acme.emails.reporter),
    admin: await gateway.as(world.acme.emails.organizationAdmin),
    engineer: await gateway.as(world.engineer.email),
    operator: world.operator,
  };
  now -= year;
  sweepers = [1, 2].map(() =>
    openDatabase({ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines }),
  );
  await gateway.sql.query('UPDATE role_assignments SET created_at = $1', [clock()]);
});
afterAll(async () => {
  await Promise.all(sweepers.map((sweeper) => sweeper.dispose()));
  await gateway.dispose();
});

const why = { reason: 'INVESTIGATE_PROBLEM', note: 'To see the board', country: 'DE' };

/** A ticket of the engineer with an active grant. */
async function granted(more: Parameters<typeof fileTicket>[2] & { expiresAt?: Date } = {}) {
  const { expiresAt, ...options } = more;
  const { ticketId, grantId } = await fileTicket(gateway, world, options);
  await done(people.admin, 'approveDataAccess', { grantId, expiresAt: expiresAt?.toISOString() ?? null });
  return { ticketId, grantId: grantId ?? '' };
}

async function inUse(more: Parameters<typeof granted>[0] = {}) {
  const on = await granted(more);
  const { id } = await done(people.engineer, 'startSupportSession', { grantId: on.grantId, ...why });
  return { ...on, sessionId: id as string };
}
type InUse = Awaited<ReturnType<typeof inUse>>;

const dependencies = (database: Database) => ({ database, clock, logger, announce: () => undefined });
const sweepSessions = (gateways = 1) =>
  Promise.all(sweepers.slice(0, gateways).map((database) => endDueSessions(dependencies(database))));
const sweepGrants = () => Promise.all(sweepers.map((database) => endExpiredGrants(dependencies(database))));

const fields = 'id state endedAt endReason endedBy { email }';
const look = async (sessionId: string, by: Person = people.admin): Promise<Json> =>
  (
    await by.ask(`query ($id: ID!) { node(id: $id) { ... on SupportSession { ${fields} } } }`, {
      id: sessionId,
    })
  ).node;

async function rowOf(sessionId: string): Promise<Session> {
  const [database] = sweepers;
  return (await database?.prisma.supportSession.findUniqueOrThrow({
    where: { id: rawId(sessionId) },
  })) as Session;
}

/** What the transaction that ended the session wrote about it and its grant: the entries and the events, in order. */
async function writtenWith(sessionId: string): Promise<{ entries: string[]; events: string[] }> {
  const id = rawId(sessionId);
  const { rows: entries } = await gateway.sql.query(
    `SELECT action, actor_email FROM audit_entries WHERE (session_id = $1 OR action LIKE 'grant.%')
        AND txid = (SELECT txid FROM audit_entries WHERE session_id = $1 AND action = 'support_session.end') ORDER BY seq`,
    [id],
  );
  const { rows: events } = await gateway.sql.query(
    `SELECT type FROM events WHERE txid = (SELECT txid FROM events WHERE type = 'SESSION_ENDED'
        AND payload -> 'session' ->> 'id' = $1) AND payload ->> 'kind' <> 'access' ORDER BY seq`,
    [id],
  );
  return {
    entries: entries.map((entry) => `${entry.action} by ${entry.actor_email ?? 'nobody'}`),
    events: events.map(({ type }) => type),
  };
}

/** Each ends the session, and says by whom. */
const endings: Record<string, (session: InUse) => Promise<string | null>> = {
  ENDED_BY_ENGINEER: async ({ sessionId }) => {
    await done(people.engineer, 'endSupportSession', { supportSessionId: sessionId });
    return world.engineer.email;
  },
  GRANT_REVOKED: async ({ grantId }) => {
    await done(people.reporter, 'revokeDataAccess', { grantId });
    return people.reporter.email;
  },
  GRANT_RELEASED: async ({ grantId }) => {
    await done(people.engineer, 'releaseDataAccess', { grantId });
    return world.engineer.email;
  },
  TICKET_CLOSED: async ({ ticketId }) => {
    await done(people.reporter, 'closeTicket', { ticketId });
    return people.reporter.email;
  },
  TICKET_REASSIGNED: async ({ ticketId }) => {
    await done(people.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
    return people.operator.email;
  },
  PRODUCT_CHANGED: async ({ ticketId }) => {
    await done(people.engineer, 'updateTicket', { ticketId, productKey: 'confluence' });
    return world.engineer.email;
  },
  ENGINEER_DEACTIVATED: async () => {
    await done(people.operator, 'deactivateAccount', { accountId: leaving.id });
    return people.operator.email;
  },
  SITE_DEACTIVATED: async () => {
    await done(people.operator, 'deactivateSite', { siteId: world.acme.sites.original.id });
    return people.operator.email;
  },
  PRODUCT_UNLICENSED: async () => {
    await done(people.operator, 'unlicenseProduct', { productId: world.acme.sites.main.products.confluence });
    return people.operator.email;
  },
  GRANT_EXPIRED: async () => {
    now += 10 * minute;
    await sweepGrants();
    return null;
  },
  IDLE_LIMIT: async () => {
    now += 31 * minute;
    await sweepSessions();
    return null;
  },
  TIME_LIMIT: async ({ sessionId }) => {
    // Used all the time.
    await gateway.sql.query(
      'UPDATE support_sessions SET due_at = expires_at, last_used_at = $2 WHERE id = $1',
      [rawId(sessionId), new Date(now + 479 * minute)],
    );
    now += 480 * minute;
    await sweepSessions();
    return null;
  },
};

/** An engineer whose account is deactivated. */
let leaving: { id: string; person: Person };

/** The session that ends in a certain way. */
async function sessionToEnd(reason: string): Promise<InUse> {
  if (reason === 'SITE_DEACTIVATED') return await inUse({ site: 'original' });
  if (reason === 'PRODUCT_UNLICENSED') return await inUse({ product: 'confluence' });
  if (reason === 'GRANT_EXPIRED') return await inUse({ expiresAt: new Date(now + 10 * minute) });
  if (reason !== 'ENGINEER_DEACTIVATED') return await inUse();
  const email = 'leaving@vendor.example';
  const { id } = await done(people.operator, 'addSupportEngineer', { email, name: 'Leaving' });
  leaving = { id, person: await gateway.as(email) };
  const on = await granted();
  await done(people.operator, 'assignTicket', { ticketId: on.ticketId, engineerId: id });
  const session = await done(leaving.person, 'startSupportSession', { grantId: on.grantId, ...why });
  return { ...on, sessionId: session.id };
}

const grantEntries: Record<string, [entry: string, event: string]> = {
  GRANT_REVOKED: ['grant.revoke', 'REVOKED'],
  GRANT_RELEASED: ['grant.release', 'ENDED'],
  TICKET_CLOSED: ['grant.revoke', 'REVOKED'],
  TICKET_REASSIGNED: ['grant.reassign', 'REASSIGNED'],
  PRODUCT_CHANGED: ['grant.end', 'ENDED'],
  ENGINEER_DEACTIVATED: ['grant.reassign', 'REASSIGNED'],
  SITE_DEACTIVATED: ['grant.end', 'ENDED'],
  PRODUCT_UNLICENSED: ['grant.end', 'ENDED'],
  GRANT_EXPIRED: ['grant.end', 'ENDED'],
};

describe('a session ends, with its entry and its event right after those of its grant', () => {
  test.each(Object.keys(endings))('%s', async (reason) => {
    const session = await sessionToEnd(reason);
    expect(await look(session.sessionId)).toMatchObject({ state: 'OPEN', endReason: null, endedBy: null });
    const by = await endings[reason]?.(session);

    const endedBy = by === null ? null : { email: by };
    expect(await look(session.sessionId)).toMatchObject({ state: 'ENDED', endReason: reason, endedBy });
    const [entry, event] = grantEntries[reason] ?? [];
    expect(await writtenWith(session.sessionId)).toEqual({
      entries: [entry, 'support_session.end']
        .filter(Boolean)
        .map((action) => `${action} by ${by ?? 'nobody'}`),
      events: [event, 'SESSION_ENDED'].filter(Boolean),
    });
  });

  test('every reason is tried', async () => {
    const { __type } = await people.admin.ask(
      '{ __type(name: "SupportSessionEndReason") { enumValues { name } } }',
    );
    expect(__type.enumValues.map(({ name }: Json) => name).toSorted()).toEqual(
      Object.keys(endings).toSorted(),
    );
  });
});

describe('the statement that ends the use of a grant decides as the rules do', () => {
  const moments = [-1, 0, 1].flatMap((ms) => [true, false].map((isIdle) => [ms, isIdle] as const));

  test.each(moments)('due %i ms after it, idle: %s', async (ms, isIdle) => {
    const { grantId, sessionId } = await inUse();
    now += 10 * minute;
    const dueAt = new Date(now + ms);
    // As a superuser, past the rule that a limit does not change.
    await gateway.sql.query(
      `BEGIN; SET LOCAL session_replication_role = replica;
       UPDATE support_sessions SET due_at = '${dueAt.toISOString()}',
              expires_at = '${new Date(dueAt.getTime() + (isIdle ? 1 : 0)).toISOString()}' WHERE id = '${rawId(sessionId)}';
       COMMIT`,
    );
    const before = await rowOf(sessionId);
    await done(people.reporter, 'revokeDataAccess', { grantId });
    const after = await rowOf(sessionId);
    const by = (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [people.reporter.email]))
      .rows[0].id;
    expect({ changed: { event: 'ENDED', session: after } }).toEqual(
      decide(before, { type: 'EndUse', endReason: 'GRANT_REVOKED', by }, clock()),
    );
  });
});

describe('a start', () => {
  test('sets the limits of the site, and at the latest the end of the grant', async () => {
    const { sessionId } = await inUse({ expiresAt: new Date(now + 60 * minute) });
    expect(await rowOf(sessionId)).toMatchObject({
      ...{ startedAt: clock(), lastUsedAt: clock(), dueAt: new Date(now + 30 * minute) },
      ...{ expiresAt: new Date(now + 60 * minute), idleSeconds: 1800, endedAt: null },
    });
  });

  test('is refused while one is open, and names it', async () => {
    const { grantId, sessionId } = await inUse();
    const again = await attempt(people.engineer, 'startSupportSession', { grantId, ...why, country: 'IE' });
    expect(again).toMatchObject({ code: 'SESSION_ALREADY_OPEN', supportSession: { id: sessionId } });
  });

  test('records the end of the one before, whose time has run out', async () => {
    const { grantId, sessionId } = await inUse();
    now += 30 * minute;
    const next = await done(people.engineer, 'startSupportSession', { grantId, ...why });
    expect(next).toMatchObject({ state: 'OPEN', endedAt: null });
    expect(await writtenWith(sessionId)).toEqual({
      entries: ['support_session.end by nobody'],
      events: ['SESSION_ENDED', 'SESSION_STARTED'],
    });
    expect(await look(sessionId)).toMatchObject({ endReason: 'IDLE_LIMIT', endedAt: clock().toISOString() });
  });

  test('is refused from a country that the vendor or the site does not admit', async () => {
    const { grantId } = await granted();
    const from = async (country: string) =>
      (await attempt(people.engineer, 'startSupportSession', { grantId, ...why, country })).code ?? 'started';
    await gateway.sql.query(`UPDATE sites SET engineer_countries = '{IE,FR}'`);
    const codes = [await from('FR'), await from('DE'), await from('XX'), await from('ie'), await from('IE')];
    await gateway.sql.query(`UPDATE sites SET engineer_countries = '{}'`);
    expect(codes).toEqual([
      ...['COUNTRY_NOT_ALLOWED', 'COUNTRY_NOT_ALLOWED', 'INVALID_INPUT', 'INVALID_INPUT', 'started'],
    ]);
  });

  test('tells the reporter and the approver, the first time only', async () => {
    const { grantId, sessionId } = await inUse();
    await done(people.engineer, 'endSupportSession', { supportSessionId: sessionId });
    const { id } = await done(people.engineer, 'startSupportSession', { grantId, ...why });
    const { rows } = await gateway.sql.query(
      `SELECT a.email, m.kind FROM mails m JOIN accounts a ON a.id = m.recipient_id
        WHERE m.about_id = ANY ($1) ORDER BY a.email`,
      [[rawId(sessionId), rawId(id)]],
    );
    expect(rows).toEqual(
      [people.admin.email, people.reporter.email].map((email) => ({ email, kind: 'grant-first-used' })),
    );
  });
});

describe('a session that is over', () => {
  test('ends again without a change', async () => {
    const { sessionId, grantId } = await inUse();
    await done(people.reporter, 'revokeDataAccess', { grantId });
    const first = await look(sessionId);
    now += minute;
    expect(await done(people.engineer, 'endSupportSession', { supportSessionId: sessionId })).toMatchObject({
      ...{ id: sessionId, state: 'ENDED', endReason: 'GRANT_REVOKED' },
    });
    expect(await look(sessionId)).toEqual(first);
    // The only end on record.
    const by = people.reporter.email;
    expect((await writtenWith(sessionId)).entries).toEqual([
      `grant.revoke by ${by}`,
      `support_session.end by ${by}`,
    ]);
  });

  test.each([
    ['IDLE_LIMIT', undefined, 30],
    ['GRANT_EXPIRED', 5, 5],
  ] as const)('is shown so before that is recorded: %s', async (reason, expires, after) => {
    const expiry = expires === undefined ? {} : { expiresAt: new Date(now + expires * minute) };
    const { sessionId, ticketId } = await inUse(expiry);
    const lists = async () => {
      const answer = await people.reporter.ask(
        `query ($ticketId: ID!) { open: supportSessions(filter: { ticketId: $ticketId, open: true }) { edges { node { id } } }
           over: supportSessions(filter: { ticketId: $ticketId, open: false }) { edges { node { id } } } }`,
        { ticketId },
      );
      return { open: answer.open.edges.length, over: answer.over.edges.length };
    };
    expect(await lists()).toEqual({ open: 1, over: 0 });
    now += after * minute;
    expect(await lists()).toEqual({ open: 0, over: 1 });
    const shown = await look(sessionId);
    expect(shown).toMatchObject({ state: 'ENDED', endReason: reason, endedAt: clock().toISOString() });
    // Whichever job comes first.
    await sweepSessions(2);
    await sweepGrants();
    expect(await look(sessionId)).toEqual(shown);
    expect((await writtenWith(sessionId)).entries).toContain('support_session.end by nobody');
  });
});

test('several gateways record the ends together, and a locked ticket delays only its own', async () => {
  await sweepSessions();
  const sessions = [await inUse(), await inUse(), await inUse(), await inUse()];
  const [locked] = sessions;
  now += 30 * minute;
  const holder = await gateway.sql.connect();
  try {
    await holder.query('SELECT pg_advisory_lock(hashtextextended($1, 2))', [rawId(locked?.ticketId ?? '')]);
    const counts = await sweepSessions(2);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(sessions.length - 1);
  } finally {
    await holder.query('SELECT pg_advisory_unlock_all()');
    holder.release();
  }
  expect(await sweepSessions()).toEqual([1]);
  const { rows } = await gateway.sql.query(
    `SELECT session_id AS id FROM audit_entries WHERE action = 'support_session.end' AND session_id = ANY ($1)`,
    [sessions.map(({ sessionId }) => rawId(sessionId))],
  );
  expect(rows.map(({ id }) => globalId('SupportSession', id)).toSorted()).toEqual(
    sessions.map(({ sessionId }) => sessionId).toSorted(),
  );
});

describe('who sees a session', () => {
  const everything = `query ($id: ID!, $ticketId: ID!) {
    node(id: $id) { ... on SupportSession { id note actions { edges { node { action actor { email } } } } } }
    supportSessions(filter: { ticketId: $ticketId }) { edges { node { id } } } }`;

  test('its engineer and the customer see it with what happened in it, an engineer who has the grant now does not', async () => {
    const { sessionId, ticketId, grantId } = await inUse();
    const id = rawId(sessionId);
    await gateway.sql.query(
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
              organization_id, session_id, details)
       SELECT $1, now(), 'page.read', 'SUCCEEDED', 'SUPPORT_ENGINEER', 'Erin', 'page', '1', organization_id, id, '{}'
         FROM support_sessions WHERE id = $2`,
      [newId(), id],
    );
    const seen = async (by: Person) => {
      const { node, supportSessions } = await by.ask(everything, { id: sessionId, ticketId });
      expect(supportSessions.edges.map((edge: Json) => edge.node.id)).toEqual(
        node === null ? [] : [sessionId],
      );
      return node?.actions.edges.map((edge: Json) => edge.node.action);
    };
    const actions = ['PAGE_READ', 'SUPPORT_SESSION_START'];
    expect(await seen(people.engineer)).toEqual(actions);
    expect(await seen(people.reporter)).toEqual(actions);
    await done(people.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
    expect(await seen(await gateway.as(world.otherEngineer.email))).toBe(undefined);
    expect(await seen(people.engineer)).toBe(undefined);
    expect(await seen(people.reporter)).toEqual(['SUPPORT_SESSION_END', ...actions]);
    const pages = async (args: string) => {
      const { node } = await people.reporter.ask(
        `query ($id: ID!) { node(id: $id) { ... on SupportSession { actions(${args}) { edges { node { action } }
           pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } } } }`,
        { id: sessionId },
      );
      const { edges, pageInfo } = node.actions;
      return { ...pageInfo, actions: edges.map((edge: Json) => edge.node.action) };
    };
    const first = await pages('first: 1');
    expect(first).toMatchObject({ actions: ['SUPPORT_SESSION_END'], hasNextPage: true });
    const rest = await pages(`first: 2, after: "${first.endCursor}"`);
    expect(rest).toMatchObject({ actions, hasNextPage: false, hasPreviousPage: true });
    expect(await pages('last: 1')).toMatchObject({
      actions: ['SUPPORT_SESSION_START'],
      hasPreviousPage: true,
    });
    const other = await attempt(await gateway.as(world.otherEngineer.email), 'endSupportSession', {
      supportSessionId: sessionId,
    });
    expect(other.code).toBe('NOT_FOUND');
    const { grant } = await people.reporter.ask(
      'query ($id: ID!) { grant: node(id: $id) { ... on Grant { sessions { edges { node { id } } } ticket { supportSessions { edges { node { id } } } } } } }',
      { id: grantId },
    );
    const one = { edges: [{ node: { id: sessionId } }] };
    expect(grant).toEqual({ sessions: one, ticket: { supportSessions: one } });
  });
});
