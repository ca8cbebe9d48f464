/**
 * Sites and licences that end with more open than one transaction ends: access ends at once, the rest is written behind in
 * batches, and until then everything is shown and treated as it will be written.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Dependencies } from '../../src/commands/execute.ts';
import { settlePlaces } from '../../src/commands/settle-places.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { activateGrants, globalId, insertOpenRequests, insertOpenSessions, rawId } from '../support/rows.ts';
import { attempt, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const endedAtOnce = 3;
const clock = (readAt?: Date) => readAt ?? new Date();
const logger = createLogger('silent');

let gateway: TestGateway;
let world: World;
/** The databases of two gateways, to run the job concurrently. */
let sweepers: Database[];
let people: Record<'reporter' | 'admin' | 'engineer' | 'operator', Person>;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false, endedAtOnce }));
  people = {
    reporter: await gateway.as(world.acme.emails.reporter),
    admin: await gateway.as(world.acme.emails.organizationAdmin),
    engineer: await gateway.as(world.engineer.email),
    operator: world.operator,
  };
  sweepers = [1, 2].map(() =>
    openDatabase({ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines }),
  );
});
afterAll(async () => {
  await Promise.all(sweepers.map((sweeper) => sweeper.dispose()));
  await gateway.dispose();
});

const settling = (database: Database): Dependencies => ({
  ...{ database, clock, logger, announce: () => undefined },
  rules: { appointmentWaitMs: 0, vendorSites: { processingRegions: [], engineerCountries: [] }, endedAtOnce },
});
/** Both gateways settle, until nothing is left: what each of them kept from the other is left to the next run. */
async function settle(): Promise<void> {
  do await Promise.all(sweepers.map((database) => settlePlaces(settling(database))));
  while ((await marks()) !== 0);
}

type Filed = { ticketId: string; grantId: string };
type InUse = Filed & { sessionId: string };

/** What is open for a product of a site: used grants, requests, and change requests on their tickets. */
let open: { used: InUse[]; pending: Filed[]; changes: string[] };
let siteId: string;
let productId: string;

const why = { reason: 'INVESTIGATE_PROBLEM', note: 'To see the board', country: 'DE' };
const change = { kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME', description: 'On' };

let projects = 0;

async function openSome(): Promise<typeof open> {
  projects += 1;
  const { rows: accounts } = await gateway.sql.query('SELECT id, email FROM accounts');
  const idOf = (email: string): string => accounts.find((account) => account.email === email)?.id;
  const of = {
    ...{ project: `MANY${'A'.repeat(projects)}`, siteId: rawId(siteId), productId: rawId(productId) },
    ...{ reporterId: idOf(people.reporter.email), engineerId: idOf(world.engineer.email) },
  };
  const ids = await insertOpenRequests(gateway, of, 10, 'The board does not load');
  await activateGrants(gateway, ids.slice(0, 6), idOf(people.admin.email));
  await insertOpenSessions(gateway, ids.slice(0, 6));
  const { rows } = await gateway.sql.query(
    `SELECT g.id, g.ticket_id, s.id AS session_id FROM grants g LEFT JOIN support_sessions s ON s.grant_id = g.id
      WHERE g.id = ANY ($1::uuid[]) ORDER BY g.id`,
    [ids],
  );
  const filed = rows.map(({ id, ticket_id: ticketId, session_id: sessionId }) => ({
    ...{ grantId: globalId('Grant', id), ticketId: globalId('Ticket', ticketId) },
    sessionId: globalId('SupportSession', sessionId),
  }));
  const changes: string[] = [];
  for (const { ticketId } of filed.slice(0, 4)) {
    const validUntil = new Date(Date.now() + 3_600_000).toISOString();
    const asked = { ...change, ticketId, justification: 'It is off', validUntil };
    changes.push((await done(people.engineer, 'requestChange', asked)).id);
  }
  return { used: filed.slice(0, 6), pending: filed.slice(6), changes };
}

afterEach(async () => {
  await settle();
  await attempt(people.operator, 'reactivateSite', { siteId });
  await done(people.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
});

beforeEach(async () => {
  const site = world.acme.sites.main;
  siteId = site.id;
  productId = site.products.jira;
  open = await openSome();
});

/** Both ends, with how they are undone. */
const ends = {
  SITE_DEACTIVATED: {
    end: () => done(people.operator, 'deactivateSite', { siteId }),
    undo: (by: typeof done | typeof attempt) => by(people.operator, 'reactivateSite', { siteId }),
  },
  PRODUCT_UNLICENSED: {
    end: () => done(people.operator, 'unlicenseProduct', { productId }),
    undo: (by: typeof done | typeof attempt) =>
      by(people.operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' }),
  },
} as const;

const grantFields =
  'id state endReason endedAt version endedBy { email } viewerMay { revokeDataAccess { allowed } }';
const look = async (grantId: string): Promise<Json> =>
  (
    await people.admin.ask(`query ($id: ID!) { node(id: $id) { ... on Grant { ${grantFields} } } }`, {
      id: grantId,
    })
  ).node;
const idsOf = ({ edges }: Json): string[] => edges.map(({ node }: Json) => node.id).toSorted();

/** What a customer sees of the grants, sessions and change requests. */
async function seen(): Promise<Json> {
  const listed = await people.admin.ask(
    `query ($site: ID!, $url: String!) {
       open: grants(first: 100, filter: { siteId: $site, states: [PENDING_APPROVAL, PENDING_GUARD_APPROVAL, ACTIVE] }) { edges { node { id } } }
       ended: grants(first: 100, filter: { siteId: $site, states: [ENDED] }) { edges { node { id state } } }
       withdrawn: grants(first: 100, filter: { siteId: $site, states: [WITHDRAWN] }) { edges { node { id state } } }
       waiting: changeRequests(first: 100, filter: { siteId: $site, states: [PENDING_CONSENT] }) { edges { node { id } } }
       over: changeRequests(first: 100, filter: { siteId: $site, states: [WITHDRAWN] }) { edges { node { id state endReason } } }
       site(url: $url) { status activeAccess { edges { node { id } } } }
     }`,
    { site: siteId, url: world.acme.sites.main.url },
  );
  const sessions = await Promise.all(
    open.used.map(({ sessionId: id }) =>
      people.admin.ask(
        'query ($id: ID!) { node(id: $id) { ... on SupportSession { state endReason endedAt } } }',
        { id },
      ),
    ),
  );
  return { ...listed, sessions: sessions.map(({ node }) => node) };
}

/** What is written of them: of each grant its state, reason, end, version, and whose doing it was. */
async function written(): Promise<Json[]> {
  const ids = [...open.used, ...open.pending].map(({ grantId }) => rawId(grantId));
  const { rows } = await gateway.sql.query(
    `SELECT g.id, g.state, g.end_reason AS reason, g.ended_at AS "endedAt", g.version, a.email AS by,
            (SELECT count(*)::int FROM support_sessions s WHERE s.grant_id = g.id AND s.ended_at IS NULL) AS sessions,
            (SELECT count(*)::int FROM change_requests c WHERE c.ticket_id = g.ticket_id AND c.ended_at IS NULL) AS changes
       FROM grants g LEFT JOIN accounts a ON a.id = g.ended_by_id WHERE g.id = ANY ($1::uuid[]) ORDER BY g.id`,
    [ids],
  );
  return rows;
}

const marks = async () =>
  (
    await gateway.sql.query(
      `SELECT id FROM sites WHERE unsettled_since IS NOT NULL
       UNION ALL SELECT id FROM products WHERE unsettled_since IS NOT NULL`,
    )
  ).rowCount;

describe.each(Object.keys(ends) as (keyof typeof ends)[])('%s with more open than a batch', (reason) => {
  const { end, undo } = ends[reason];

  test('access has ended before anything of it is written', async () => {
    await end();
    expect(await marks()).toBe(1);
    expect((await written()).map(({ state }) => state).toSorted()).toEqual([
      ...Array<string>(6).fill('ACTIVE'),
      ...Array<string>(4).fill('PENDING_APPROVAL'),
    ]);

    const { site, ...shown } = await seen();
    expect(site.activeAccess.edges).toEqual([]);
    expect(idsOf(shown.open)).toEqual([]);
    expect(idsOf(shown.waiting)).toEqual([]);
    expect(idsOf(shown.ended)).toEqual(expect.arrayContaining(open.used.map(({ grantId }) => grantId)));
    expect(idsOf(shown.withdrawn)).toEqual(
      expect.arrayContaining(open.pending.map(({ grantId }) => grantId)),
    );
    expect(shown.ended.edges.map(({ node }: Json) => node.state)).not.toContain('ACTIVE');
    expect(idsOf(shown.over)).toEqual(expect.arrayContaining(open.changes));
    const ended = shown.over.edges.filter(({ node }: Json) => open.changes.includes(node.id));
    expect(new Set(ended.map(({ node }: Json) => `${node.state} ${node.endReason}`))).toEqual(
      new Set([`WITHDRAWN ${reason}`]),
    );
    expect(new Set(shown.sessions.map((one: Json) => `${one.state} ${one.endReason}`))).toEqual(
      new Set([`ENDED ${reason}`]),
    );

    // As it is shown, so it will be written.
    const [grant] = open.used;
    const before = await look(grant?.grantId ?? '');
    expect(before).toMatchObject({ state: 'ENDED', endReason: reason, version: 3 });
    expect(before.viewerMay.revokeDataAccess.allowed).toBe(false);
    await settle();
    const after = await look(grant?.grantId ?? '');
    expect(after).toEqual({ ...before, endedBy: { email: people.operator.email } });
    await undo(done);
  });

  test('nothing begins there, and a command on a ticket settles the ticket', async () => {
    await end();
    const [revoked, closed, passed, left] = open.used as [InUse, InUse, InUse, InUse];
    const [approved] = open.pending as [Filed];
    const codes = async (person: Person, name: string, input: Record<string, unknown>) =>
      (await attempt(person, name, input)).code;
    expect(await codes(people.admin, 'approveDataAccess', { grantId: approved.grantId })).toBe(
      'NOT_ELIGIBLE',
    );
    expect(await codes(people.engineer, 'startSupportSession', { grantId: revoked.grantId, ...why })).toBe(
      'ALREADY_OVER',
    );
    expect(await codes(people.reporter, 'revokeDataAccess', { grantId: revoked.grantId })).toBe(
      'ALREADY_OVER',
    );
    expect(await codes(people.engineer, 'withdrawChangeRequest', { changeRequestId: open.changes[0] })).toBe(
      'CHANGE_REQUEST_OVER',
    );
    expect(await codes(people.engineer, 'requestDataAccess', { ticketId: revoked.ticketId })).toBe(
      reason === 'SITE_DEACTIVATED' ? 'SITE_DEACTIVATED' : 'PRODUCT_NOT_LICENSED',
    );
    await done(people.reporter, 'closeTicket', { ticketId: closed.ticketId });
    const other = { ticketId: passed.ticketId, engineerId: world.otherEngineer.id };
    await done(people.operator, 'assignTicket', other);
    const over = await people.engineer.ask(
      `mutation ($input: EndSupportSessionInput!) { endSupportSession(input: $input) {
         ... on SupportSession { state endReason } ... on Error { code } } }`,
      { input: { supportSessionId: left.sessionId } },
    );
    expect(over.endSupportSession).toEqual({ state: 'ENDED', endReason: reason });

    const touched = new Set([revoked, closed, passed, left, approved].map(({ grantId }) => rawId(grantId)));
    const rows = await written();
    expect(new Set(rows.filter(({ id }) => touched.has(id)).map((row) => `${row.reason} ${row.by}`))).toEqual(
      new Set([`${reason} ${people.operator.email}`]),
    );
    expect(rows.filter(({ id }) => !touched.has(id)).every(({ endedAt }) => endedAt === null)).toBe(true);
    const { rows: withdrawn } = await gateway.sql.query(
      'SELECT DISTINCT state, end_reason AS reason FROM change_requests WHERE ticket_id = ANY ($1::uuid[])',
      [[closed, passed].map(({ ticketId }) => rawId(ticketId))],
    );
    expect(withdrawn).toEqual([{ state: 'WITHDRAWN', reason }]);

    expect(await undo(attempt)).toMatchObject({ code: 'NOT_SETTLED_YET' });
    await settle();
    await undo(done);
  });

  test('a change request whose time had run out before has expired', async () => {
    const id = newId();
    await gateway.sql.query(
      `INSERT INTO change_requests (id, ticket_id, site_id, organization_id, kind, resource_type, resource_id, description,
                                    justification, requested_by_id, requested_at, valid_until, state, version)
       SELECT $1, t.id, t.site_id, s.organization_id, 'SETTINGS', 'project', 'ACME', 'On', 'It is off', t.assignee_id,
              now() - interval '2 hours', now() - interval '1 hour', 'PENDING_CONSENT', 1
         FROM tickets t JOIN sites s ON s.id = t.site_id WHERE t.id = $2`,
      [id, rawId(open.used[0]?.ticketId ?? '')],
    );
    await end();
    await settle();
    const { rows } = await gateway.sql.query(
      'SELECT state, end_reason AS reason, ended_by_id AS by FROM change_requests WHERE id = $1',
      [id],
    );
    expect(rows).toEqual([{ state: 'EXPIRED', reason: 'TIME_ELAPSED', by: null }]);
  });

  test('two gateways settle it in batches, each of them recorded and told once', async () => {
    await end();
    const { rows: before } = await gateway.sql.query('SELECT max(seq) AS seq FROM events');
    // Stopped after its first batch, as a gateway that ends.
    const stop = new AbortController();
    const first = { ...settling(sweepers[0] as Database), announce: () => stop.abort() };
    expect(await settlePlaces(first, { signal: stop.signal })).toBeLessThanOrEqual(2 * endedAtOnce);
    expect(await marks()).toBe(1);
    expect(await undo(attempt)).toMatchObject({ code: 'NOT_SETTLED_YET' });

    await settle();
    expect(await marks()).toBe(0);
    const rows = await written();
    expect(rows.map((row) => [row.state, row.reason, row.by, row.sessions, row.changes])).toEqual(
      rows.map(({ version }) => [
        version === 3 ? 'ENDED' : 'WITHDRAWN',
        ...[reason, people.operator.email, 0, 0],
      ]),
    );
    expect(new Set(rows.map(({ endedAt }) => endedAt.getTime())).size).toBe(1);

    const ids = [...open.used, ...open.pending].map(({ grantId }) => rawId(grantId));
    const { rows: entries } = await gateway.sql.query(
      `SELECT action, actor_email AS by, count(*)::int, count(DISTINCT COALESCE(session_id, grant_id))::int AS things
         FROM audit_entries WHERE grant_id = ANY ($1::uuid[]) AND action IN ('grant.end', 'grant.withdraw', 'support_session.end')
        GROUP BY action, actor_email ORDER BY action`,
      [ids],
    );
    const by = people.operator.email;
    expect(entries).toEqual([
      { action: 'grant.end', by, count: 6, things: 6 },
      { action: 'grant.withdraw', by, count: 4, things: 4 },
      { action: 'support_session.end', by, count: 6, things: 6 },
    ]);
    const { rows: batches } = await gateway.sql.query(
      `SELECT count(*)::int FROM audit_entries WHERE grant_id = ANY ($1::uuid[]) AND action IN ('grant.end', 'grant.withdraw')
        GROUP BY txid`,
      [ids],
    );
    expect(Math.max(...batches.map(({ count }) => count))).toBeLessThanOrEqual(endedAtOnce);
    const { rows: events } = await gateway.sql.query(
      `SELECT payload->>'kind' AS kind, type, count(*)::int FROM events WHERE seq > $1
        GROUP BY kind, type ORDER BY kind, type`,
      [before[0].seq],
    );
    expect(events).toEqual([
      { kind: 'change_request', type: 'WITHDRAWN', count: 4 },
      { kind: 'grant', type: 'ENDED', count: 6 },
      { kind: 'grant', type: 'WITHDRAWN', count: 4 },
      { kind: 'session', type: 'SESSION_ENDED', count: 6 },
    ]);

    await undo(done);
    expect(idsOf((await seen()).open)).toEqual([]);
  });
});

test('a site that ends while a licence there is not settled keeps the reason of what ended first', async () => {
  await ends.PRODUCT_UNLICENSED.end();
  const other = await fileTicket(gateway, world, { product: 'confluence' });
  await ends.SITE_DEACTIVATED.end();
  expect(await attempt(people.operator, 'reactivateSite', { siteId })).toMatchObject({
    code: 'NOT_SETTLED_YET',
  });
  await settle();
  expect(await marks()).toBe(0);
  expect(new Set((await written()).map((row) => row.reason))).toEqual(new Set(['PRODUCT_UNLICENSED']));
  expect((await look(other.grantId ?? '')).endReason).toBe('SITE_DEACTIVATED');
});

test('a site that cannot be settled holds up no other', async () => {
  const sites = [world.acme.sites.main, world.acme.sites.original];
  siteId = world.acme.sites.original.id;
  productId = world.acme.sites.original.products.jira;
  await openSome();
  for (const site of sites) await done(people.operator, 'deactivateSite', { siteId: site.id });
  const unsettled = async () => {
    const { rows } = await gateway.sql.query(
      'SELECT id FROM sites WHERE unsettled_since IS NOT NULL ORDER BY unsettled_since',
    );
    return rows.map(({ id }) => id);
  };
  const [first] = await unsettled();
  // The one that comes first.
  await gateway.sql.query(`CREATE FUNCTION refuse_to_settle() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not this site'; END $$;
    CREATE TRIGGER refuse_to_settle BEFORE UPDATE ON grants FOR EACH ROW WHEN (OLD.site_id = '${first}')
    EXECUTE FUNCTION refuse_to_settle()`);
  try {
    await expect(settlePlaces(settling(sweepers[0] as Database))).rejects.toThrow('Not every site');
    expect(await unsettled()).toEqual([first]);
  } finally {
    await gateway.sql.query('DROP FUNCTION refuse_to_settle CASCADE');
  }
  await settle();
  for (const site of sites) await done(people.operator, 'reactivateSite', { siteId: site.id });
});

test('a subscriber who begins meanwhile is shown nothing open, and told of every end', async () => {
  await ends.SITE_DEACTIVATED.end();
  const events = people.admin.socket().iterate({
    query: `subscription ($siteId: ID!) { grantEvents(filter: { siteId: $siteId }, withCurrentState: true) {
      type grant { id state endReason } } }`,
    variables: { siteId },
  });
  const received: Json[] = [];
  const next = async () => received.push((await events.next()).value.data.grantEvents);
  await next();
  while (received.at(-1).type !== 'CURRENT_COMPLETE') await next();
  expect(received.map(({ type }) => type)).not.toContain('CURRENT');
  received.length = 0;
  await settle();
  while (received.length < 10) await next();
  expect(received.map(({ grant }) => grant.id).toSorted()).toEqual(
    [...open.used, ...open.pending].map(({ grantId }) => grantId).toSorted(),
  );
  expect(new Set(received.map(({ grant }) => grant.endReason))).toEqual(new Set(['SITE_DEACTIVATED']));
  await events.return?.();
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
