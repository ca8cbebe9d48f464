/**
 * `GET /audit/stream` and the subscription `auditEvents`: who reads which log, page after page and as it is written, and how they
 * wait at its end.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reading, Readings } from '../../src/audit/readings.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import { followLog } from '../support/followed-log.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectEveryPosition, giveAllPositions } from '../support/positions.ts';
import { removeThrough } from '../support/removal.ts';
import { asRestored } from '../support/restored.ts';
import { rawId } from '../support/rows.ts';
import { logKeys, sealAll, signingKeys } from '../support/sealing.ts';
import { assignRole, done, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let auditor: Person;
/** A compliance analyst of the vendor. */
const analyst = 'cora@vendor.example';
/** A service account of Acme that reads its log. */
let siem: Person;
/** What was put on record of who reads. */
const recorded: Reading[] = [];

beforeAll(async () => {
  const readings: Readings = {
    record: async (more) => void recorded.push(...more),
    save: async () => undefined,
  };
  ({ gateway, world } = await startGatewayWithWorld({ readings }));
  const { organizationId, emails } = world.acme;
  const person = await gateway.as(emails.reporter);
  const { viewer } = await person.ask('{ viewer { account { ... on User { id } } } }');
  await assignRole(world, { userId: viewer.account.id, role: 'AUDITOR', organizationId });
  auditor = person;
  const email = 'siem@acme.example';
  await done(world.operator, 'addServiceAccount', {
    ...{ email, name: 'SIEM', capabilities: ['AUDIT_READING'], organizationId },
  });
  siem = await gateway.as(email);
  await done(world.operator, 'addComplianceAnalyst', { email: analyst, name: 'Cora' });
  await expectEveryPosition(gateway.sql);
});
afterAll(() => gateway.dispose());

type Streamed = {
  status: number;
  code: string | undefined;
  lines: Json[];
  cursor: string;
  head: string | null;
  removed: string | null;
};

async function stream(
  person: Pick<Person, 'token'>,
  parameters: Record<string, string | number> = {},
  signal = AbortSignal.timeout(generousMs),
): Promise<Streamed> {
  const query = new URLSearchParams(
    Object.entries(parameters).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const response = await fetch(`${gateway.url}/audit/stream?${query}`, {
    headers: { authorization: `Bearer ${person.token}` },
    signal,
  });
  const text = await response.text();
  if (!response.ok)
    return {
      status: response.status,
      code: JSON.parse(text).error.code,
      lines: [],
      cursor: '',
      head: null,
      removed: null,
    };
  return {
    ...{ status: response.status, code: undefined },
    lines: text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    cursor: response.headers.get('latchkey-next-cursor') ?? '',
    head: response.headers.get('latchkey-head'),
    removed: response.headers.get('latchkey-removed-through'),
  };
}

const rename = async (name: string) =>
  await done(world.admins.acme, 'inviteUser', {
    ...{ organizationId: world.acme.organizationId, email: `${name}@acme.example`, name },
  });

describe('page after page', () => {
  test('each entry comes once, in the order of its positions, as it is in the log', async () => {
    const read: Json[] = [];
    let page = await stream(siem, { limit: 7 });
    for (; page.lines.length > 0; page = await stream(siem, { limit: 7, cursor: page.cursor }))
      read.push(...page.lines);
    expect(read.map(({ position }) => position)).toEqual(read.map((_, at) => at + 1));
    const { auditLog } = await world.admins.acme.ask(
      `query ($filter: AuditLogFilter) { auditLog(filter: $filter, orderBy: OLDEST, first: 100) { edges { node { id position } } } }`,
      { filter: { organizationId: world.acme.organizationId } },
    );
    const listed = auditLog.edges.map(({ node }: Json) => node);
    expect(read.slice(0, listed.length).map(({ id, position }) => ({ id, position }))).toEqual(listed);
  });

  test('a reader goes on by position as well, and a cursor of the end stays good', async () => {
    const all = await stream(siem);
    const [third] = (await stream(siem, { after: 2, limit: 1 })).lines;
    expect(third).toEqual(all.lines[2]);
    const end = await stream(siem, { cursor: all.cursor });
    expect(end.lines).toEqual([]);
    await rename('next');
    await eventually(async () => {
      const { lines } = await stream(siem, { cursor: end.cursor });
      expect(lines).toMatchObject([{ position: all.lines.length + 1, action: 'account.invite' }]);
    });
  });

  test.each([
    ['another account', () => auditor, {}, 'CURSOR_OF_ANOTHER_VIEWER', 400],
    ['nobody', () => siem, { cursor: 'bm9uZQ' }, 'CURSOR_MALFORMED', 400],
    ['limit 0', () => siem, { limit: 0 }, 'BAD_REQUEST', 400],
    ['limit 1001', () => siem, { limit: 1_001 }, 'BAD_REQUEST', 400],
    ['wait 51', () => siem, { wait: 51 }, 'BAD_REQUEST', 400],
    ['after -1', () => siem, { after: '-1' }, 'BAD_REQUEST', 400],
    ['another parameter', () => siem, { from: '1' }, 'BAD_REQUEST', 400],
    ['a cursor and a position', () => siem, { cursor: 'x', after: 1 }, 'BAD_REQUEST', 400],
    ['the id of a site', () => siem, { organization: 'U2l0ZTox' }, 'BAD_REQUEST', 400],
  ] as const)('%s is refused', async (_, person, parameters, code, status) => {
    const { cursor } = await stream(siem, { limit: 1 });
    const asked = code === 'CURSOR_OF_ANOTHER_VIEWER' ? { cursor } : parameters;
    expect(await stream(person(), asked)).toMatchObject({ code, status });
  });

  test('a cursor whose entry is another one in the log is refused: the database was restored', async () => {
    const { cursor } = await stream(siem, { limit: 5 });
    await gateway.sql.query('ALTER TABLE audit_positions DISABLE TRIGGER USER');
    const change = (by: number) =>
      gateway.sql.query(
        `UPDATE audit_positions SET seq = seq + $1 WHERE position = 5 AND organization_id =
           (SELECT organization_id FROM accounts WHERE email = $2)`,
        [by, siem.email],
      );
    await change(1_000_000_000);
    expect(await stream(siem, { cursor })).toMatchObject({ status: 409, code: 'HISTORY_REPLACED' });
    await change(-1_000_000_000);
    await gateway.sql.query('ALTER TABLE audit_positions ENABLE TRIGGER USER');
    expect((await stream(siem, { cursor })).lines[0].position).toBe(6);
  });
});

describe('who reads which log', () => {
  const organizationOf = (customer: 'acme' | 'globex') => world[customer].organizationId;
  const organizations = ({ lines }: Streamed) => new Set(lines.map(({ organizationId }) => organizationId));

  test('organization admins, auditors and Guard admins read their own, and operators the vendor’s', async () => {
    for (const person of [world.admins.acme, auditor, world.guardAdmins.acme, siem])
      expect(organizations(await stream(person))).toEqual(new Set([organizationOf('acme')]));
    expect(organizations(await stream(world.operator))).toEqual(new Set([undefined]));
    for (const email of [world.services.auditing, analyst])
      expect(organizations(await stream(await gateway.as(email)))).toEqual(new Set([undefined]));
  });

  test('for everybody else, the log of an organization does not exist', async () => {
    const engineer = await gateway.as(world.engineer.email);
    const vendorsReader = await gateway.as(world.services.auditing);
    const analysing = await gateway.as(analyst);
    for (const person of [world.admins.globex, world.operator, engineer, vendorsReader, analysing])
      expect(await stream(person, { organization: organizationOf('acme') })).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
    const member = await gateway.as(world.acme.emails.jiraAdmin);
    for (const asked of [{}, { organization: organizationOf('acme') }])
      expect(await stream(member, asked)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await stream(engineer)).toMatchObject({ status: 403 });
    expect(await stream({ token: 'none' })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });

  test('a cursor of one log opens no other', async () => {
    const { cursor } = await stream(world.operator, { limit: 1 });
    expect(await stream(world.admins.acme, { cursor })).toMatchObject({ code: 'CURSOR_OF_ANOTHER_VIEWER' });
  });

  test('an organization without Guard has no stream', async () => {
    const organization = await done(world.operator, 'createOrganization', { name: 'Plain', hasGuard: false });
    const email = 'siem@plain.example';
    await done(world.operator, 'addServiceAccount', {
      ...{ email, name: 'SIEM', capabilities: ['AUDIT_READING'], organizationId: organization.id },
    });
    expect(await stream(await gateway.as(email))).toMatchObject({
      status: 403,
      code: 'ORGANIZATION_WITHOUT_GUARD',
    });
  });
});

describe('an answer waits', () => {
  test('until there is an entry', async () => {
    await expectEveryPosition(gateway.sql);
    const ends = [await stream(siem), await stream(auditor)];
    const [one = '', other = ''] = ends.map(({ cursor }) => cursor);
    const waiting = [stream(siem, { cursor: one, wait: 50 }), stream(auditor, { cursor: other, wait: 50 })];
    await rename('awaited');
    for (const answer of await Promise.all(waiting))
      expect(answer.lines).toMatchObject([{ action: 'account.invite' }]);
  });

  test('no longer than it may', async () => {
    await expectEveryPosition(gateway.sql);
    const { cursor } = await stream(siem);
    expect(await stream(siem, { cursor, wait: 1 })).toMatchObject({ status: 200, lines: [] });
  });

  test('no longer than its reader may read', async () => {
    const email = 'former@acme.example';
    const { organizationId } = world.acme;
    const { id } = await done(world.operator, 'addServiceAccount', {
      ...{ email, name: 'Former SIEM', capabilities: ['AUDIT_READING'], organizationId },
    });
    const former = await gateway.as(email);
    await expectEveryPosition(gateway.sql);
    const { cursor } = await stream(former);
    const waiting = stream(former, { cursor, wait: 50 });
    await done(world.operator, 'deactivateAccount', { accountId: id });
    expect(await waiting).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });

  test('no longer than the gateway runs', async () => {
    await using other = await startGatewayWithWorld();
    await expectEveryPosition(other.gateway.sql);
    const person = other.world.admins.acme;
    const url = `${other.gateway.url}/audit/stream?wait=50`;
    const headers = { authorization: `Bearer ${person.token}` };
    const first = await fetch(url, { headers });
    await first.text();
    const cursor = first.headers.get('latchkey-next-cursor') ?? '';
    const waiting = fetch(`${url}&cursor=${cursor}`, { headers, signal: AbortSignal.timeout(generousMs) });
    await eventually(async () => {
      const { rows } = await other.gateway.sql.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%unnest($1::uuid[]) AS log(id)%'
           AND query NOT LIKE '%pg_stat_activity%'`,
      );
      expect(rows.length).toBeGreaterThan(0);
    });
    await other.gateway.dispose();
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
    expect(answer.headers.get('latchkey-next-cursor')).toBe(cursor);
  });
});

test('heads come to those who ask for them, with the entries that they state, and while somebody waits', async () => {
  const length = (await stream(siem)).lines.length;
  const { cursor } = await stream(siem, { head: 0 });
  expect(await stream(siem, { cursor, head: 0 })).toMatchObject({ lines: [], head: null });
  const waiting = stream(siem, { cursor, head: 0, wait: 2 });
  await sealAll(gateway.sql, logKeys(signingKeys()));
  const { lines, head } = await waiting;
  expect(lines).toEqual([{ checkpoint: expect.stringContaining(`\n${head}\n`) }]);
  expect(Number(head)).toBeGreaterThanOrEqual(length);
  // Not without being asked for, not twice, and not before its entries.
  expect(await stream(siem, { cursor })).toMatchObject({ lines: [], head: null });
  expect(await stream(siem, { cursor, head: Number(head) })).toMatchObject({ lines: [], head: null });
  expect((await stream(siem, { head: 0, limit: 1 })).lines).toEqual((await stream(siem, { limit: 1 })).lines);
  expect(await stream(siem, { head: 'x' })).toMatchObject({ status: 400, code: 'BAD_REQUEST' });
});

type Asked = { filter?: Record<string, unknown>; after?: string };

/** Subscribes to `auditEvents`. Resolves once the subscription has started, with its first cursor. */
async function follow(person: Person, { filter = {}, after }: Asked = {}) {
  // What was written before and gets its position only now would come as well.
  if (after === undefined) await giveAllPositions(gateway.sql);
  const results: AsyncIterator<Json> = person.socket().iterate<Json>({
    query: `subscription ($filter: AuditLogFilter, $after: String) { auditEvents(filter: $filter, after: $after) {
      id type cursor occurredAt entry { id position action outcome organizationId details } } }`,
    variables: { filter, after: after ?? null },
  });
  const next = async () => {
    // An error that ends a subscription is thrown as a list.
    const { value, done: isOver } = await results.next().catch((error: unknown) => {
      throw Array.isArray(error) ? new Error(error[0].extensions.code) : error;
    });
    if (isOver === true) throw new Error('The subscription ended');
    if (value.errors !== undefined) throw new Error(value.errors[0].extensions.code);
    return value.data.auditEvents;
  };
  const started = await next();
  expect(started).toMatchObject({ type: 'STARTED', entry: null });
  return {
    cursor: started.cursor as string,
    next,
    async invited(count: number): Promise<Json[]> {
      const events: Json[] = [];
      while (events.length < count) events.push(await next());
      return events;
    },
    end: async () => void (await results.return?.()),
  };
}

describe('the subscription auditEvents', () => {
  /** Invites by their first names, and resolves once all have been. */
  const invite = async (...names: string[]) => void (await Promise.all(names.map((name) => rename(name))));
  const namesOf = (events: readonly Json[]) =>
    events.map(({ entry }) => String(entry.details.email).replace('@acme.example', ''));
  const invitations = { action: 'ACCOUNT_INVITE' };

  test('each entry comes once, in the order of positions, as it is written and after every cursor', async () => {
    const followed = await follow(siem, { filter: invitations });
    const first = ['live-1', 'live-2', 'live-3', 'live-4', 'live-5'];
    await invite(...first);
    const events = await followed.invited(5);
    await followed.end();
    const second = ['cut-1', 'cut-2', 'cut-3'];
    await invite(...second);
    const resumed = await follow(siem, { filter: invitations, after: events[2]?.cursor });
    const rest = await resumed.invited(5);
    expect(namesOf([...events, ...rest.slice(2)]).toSorted()).toEqual([...first, ...second].toSorted());
    expect(rest.slice(0, 2)).toEqual(events.slice(3));
    for (const { id, entry } of rest) expect(id).toBe(entry.id);
    const positions = [...events, ...rest.slice(2)].map(({ entry }) => entry.position);
    expect(positions).toEqual(positions.toSorted((one, other) => one - other));
    const whole = await follow(siem, { filter: invitations, after: followed.cursor });
    expect(await whole.invited(8)).toEqual([...events, ...rest.slice(2)]);
    // Nothing comes twice: next comes what is written next.
    await invite('after-all');
    for (const { invited, end } of [resumed, whole]) {
      expect(namesOf(await invited(1))).toEqual(['after-all']);
      await end();
    }
  });

  test('over an event stream, cursors are the ids of events, and Last-Event-ID resumes', async () => {
    await giveAllPositions(gateway.sql);
    const wanted = { url: gateway.url, token: siem.token, filter: '{ action: ACCOUNT_INVITE }' };
    const first = followLog('event stream', wanted);
    await first.started;
    await invite('sse-1', 'sse-2', 'sse-3');
    await eventually(() => expect(first.events).toHaveLength(3));
    first.end();
    await invite('sse-4');
    const resumed = followLog('event stream', { ...wanted, after: first.events[1]?.cursor });
    await eventually(() => expect(resumed.events).toHaveLength(2));
    // Nothing comes twice: next comes what is written next.
    await invite('sse-5');
    await eventually(() => expect(resumed.events).toHaveLength(3));
    resumed.end();
    expect(resumed.events[0]).toEqual(first.events[2]);
    expect(namesOf(resumed.events.slice(1))).toEqual(['sse-4', 'sse-5']);
    const refused = followLog('event stream', { ...wanted, after: 'bm9uZQ' });
    expect(await refused.ended).toBe('CURSOR_MALFORMED');
  });

  test('a page is as long as it may be, and what does not fit is passed over', async () => {
    const followed = await follow(siem, { filter: { text: 'needle' } });
    await gateway.sql.query(
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_id, actor_kind, actor_name, resource_type,
                                  resource_id, organization_id, details)
       SELECT gen_random_uuid(), now(), 'account.invite', 'SUCCEEDED', NULL, 'SYSTEM', 'Latchkey', 'User', 'x', organization_id,
              jsonb_build_object('email', CASE WHEN n % 5 = 0 THEN 'needle' || n ELSE 'straw' || n END)
         FROM accounts, generate_series(1, 1250) AS n WHERE email = $1`,
      [siem.email],
    );
    const found = await followed.invited(250);
    expect(found.map(({ entry }) => entry.details.email)).toEqual(
      found.map((_, at) => `needle${(at + 1) * 5}`),
    );
    await followed.end();
  });

  test('another customer’s entries never come, and the vendor’s readers follow all logs, or one', async () => {
    const filter = { actions: ['ACCOUNT_INVITE'] };
    const own = await follow(world.admins.acme, { filter });
    const named = await follow(world.admins.acme, {
      filter: { ...filter, organizationId: world.globex.organizationId },
    });
    const all = await follow(world.operator, { filter });
    const analysed = await follow(await gateway.as(analyst), { filter });
    const one = await follow(world.operator, {
      filter: { ...filter, organizationId: world.acme.organizationId },
    });
    await done(world.admins.globex, 'inviteUser', {
      ...{ organizationId: world.globex.organizationId, email: 'theirs@globex.example', name: 'theirs' },
    });
    for (const { next } of [all, analysed])
      expect((await next()).entry.organizationId).toBe(world.globex.organizationId);
    await invite('ours');
    for (const { next } of [own, all, analysed, one])
      expect((await next()).entry).toMatchObject({
        organizationId: world.acme.organizationId,
        details: { email: 'ours@acme.example' },
      });
    const nothing = expect(named.next()).rejects.toThrow('The subscription ended');
    for (const { end } of [named, own, all, analysed, one]) await end();
    await nothing;
  });

  test('whoever loses the role receives what was written before, and an end', async () => {
    const { organizationId, emails } = world.acme;
    const leaver = await gateway.as(emails.trustedUser ?? '');
    const { viewer } = await leaver.ask('{ viewer { account { ... on User { id } } } }');
    const appoint = async () =>
      (await assignRole(world, { userId: viewer.account.id, role: 'AUDITOR', organizationId })).id;
    const losses: Record<string, (roleAssignmentId: string) => Promise<unknown>> = {
      told: (roleAssignmentId) => done(world.operator, 'removeRole', { roleAssignmentId }),
      // As if the event of it came late.
      untold: (id) => gateway.sql.query('DELETE FROM role_assignments WHERE id = $1', [rawId(id)]),
    };
    let cursor = '';
    for (const [name, lose] of Object.entries(losses)) {
      const roleAssignmentId = await appoint();
      const followed = await follow(leaver, { filter: invitations });
      await invite(`before-${name}`);
      const [before] = await followed.invited(1);
      expect(namesOf([before])).toEqual([`before-${name}`]);
      cursor = before?.cursor;
      await lose(roleAssignmentId);
      await invite(`after-${name}`);
      await expect(followed.next()).rejects.toThrow('ACCESS_ENDED');
    }
    await expect(follow(leaver, { filter: invitations, after: cursor })).rejects.toThrow('FORBIDDEN');
  });

  test('who follows a log is on record there before anything is shown, with what they asked for', async () => {
    const filter = { ...invitations, text: 'on-record' };
    const readers = [world.guardAdmins.acme, world.operator];
    const ofReaders = () =>
      recorded.filter(({ reader }) => readers.some(({ email }) => email === reader.email));
    recorded.length = 0;
    const followed = [];
    for (const reader of readers) followed.push(await follow(reader, { filter }));
    const acme = rawId(world.acme.organizationId);
    const conditions = ['action', 'text'];
    const asked = { ...filter, action: 'account.invite' };
    const begun = ofReaders().map(({ action, logId, details }) => ({ action, logId, details }));
    const action = 'audit_entries.stream';
    expect(begun).toEqual([
      { action, logId: acme, details: { conditions, filter: asked } },
      { action, logId: vendorOrganizationId, details: { conditions, filter: asked } },
    ]);
    recorded.length = 0;
    await invite('on-record');
    for (const { invited, end } of followed) {
      await invited(1);
      await end();
    }
    // The customer is told of the vendor's reader as well, without what that asked for.
    const shown = ofReaders().map(({ reader, logId, details }) => [reader.email, logId, details]);
    expect(shown.toSorted()).toEqual(
      [
        [readers[0]?.email, acme, { conditions, filter: asked }],
        [readers[1]?.email, vendorOrganizationId, { conditions, filter: asked }],
        [readers[1]?.email, acme, { conditions }],
      ].toSorted(),
    );
  });

  test('a cursor of somebody else, of another filter or of nobody is refused, and so is a wrong period', async () => {
    const followed = await follow(siem, { filter: invitations });
    const after = followed.cursor;
    await followed.end();
    const refusals: [Person, Asked, string][] = [
      [auditor, { filter: invitations, after }, 'CURSOR_OF_ANOTHER_VIEWER'],
      [siem, { after }, 'CURSOR_OF_ANOTHER_FILTER'],
      [siem, { after: 'bm9uZQ' }, 'CURSOR_MALFORMED'],
      [
        siem,
        { filter: invitations, after: `${after.slice(0, -1)}${after.endsWith('A') ? 'B' : 'A'}` },
        'CURSOR_MALFORMED',
      ],
      [siem, { after: (await stream(siem, { limit: 1 })).cursor }, 'CURSOR_OF_ANOTHER_FILTER'],
      [siem, { filter: { from: '2026-01-02', until: '2026-01-01' } }, 'BAD_USER_INPUT'],
    ];
    for (const [person, asked, code] of refusals)
      await expect(follow(person, asked), code).rejects.toThrow(code);
  });

  test('a cursor whose entry is not in the log any more is refused: the database was restored', async () => {
    await expectEveryPosition(gateway.sql);
    const followed = await follow(siem, { filter: { action: 'SITE_CREATE' } });
    await followed.end();
    // Another entry has its number.
    await gateway.sql.query('ALTER TABLE audit_entries DISABLE TRIGGER USER');
    const { rows } = await gateway.sql.query<{ id: string; txid: string; seq: string }>(
      'SELECT id, txid, seq FROM audit_entries JOIN audit_positions USING (txid, seq) ORDER BY txid DESC, seq DESC LIMIT 1',
    );
    const [{ id, txid, seq } = { id: '', txid: '', seq: '' }] = rows;
    const call = (to: string) =>
      gateway.sql.query('UPDATE audit_entries SET id = $1 WHERE txid = $2 AND seq = $3', [to, txid, seq]);
    await call(randomUUID());
    const again = () => follow(siem, { filter: { action: 'SITE_CREATE' }, after: followed.cursor });
    await expect(again()).rejects.toThrow('HISTORY_REPLACED');
    await call(id);
    await (await again()).end();
    await gateway.sql.query('ALTER TABLE audit_entries ENABLE TRIGGER USER');
  });

  test('a cursor whose entry was removed goes on with the first one that is kept', async () => {
    await expectEveryPosition(gateway.sql);
    const log = rawId(world.acme.organizationId);
    const followed = await follow(siem, { filter: { action: 'ACCOUNT_INVITE' } });
    await invite('removed-1', 'removed-2', 'kept');
    const events = await followed.invited(3);
    await followed.end();
    await removeThrough(gateway.sql, log, events[1]?.entry.position);
    const resumed = await follow(siem, { filter: { action: 'ACCOUNT_INVITE' }, after: events[0]?.cursor });
    expect(await resumed.invited(1)).toEqual([events[2]]);
    await resumed.end();
  });

  test('whoever follows the log goes on although the last entry was removed meanwhile', async () => {
    const followed = await follow(siem, { filter: invitations });
    await invite('removed-live');
    const [removed] = await followed.invited(1);
    await removeThrough(gateway.sql, rawId(world.acme.organizationId), removed?.entry.position);
    await invite('kept-live');
    expect(namesOf(await followed.invited(1))).toEqual(['kept-live']);
    await followed.end();
  });
});

test('a stream from before what was removed begins with the first entry that is kept, and says so', async () => {
  for (const name of ['one', 'two', 'three', 'four', 'five']) await rename(name);
  await giveAllPositions(gateway.sql);
  const log = rawId(world.acme.organizationId);
  const before = await stream(siem, { after: 2, limit: 1 });
  const { rows } = await gateway.sql.query(
    'SELECT removed_through::int AS through FROM audit_removals WHERE organization_id = $1',
    [log],
  );
  const through = (rows[0]?.through ?? 2) + 2;
  await removeThrough(gateway.sql, log, through);
  await sealAll(gateway.sql, logKeys(signingKeys()));
  for (const start of [{ after: 0 }, { after: 2 }, { cursor: before.cursor }, { after: through - 1 }]) {
    const page = await stream(siem, { ...start, limit: 2 });
    expect(page.lines.map(({ position }) => position)).toEqual([through + 1, through + 2]);
    expect(page.removed).toBe(String(through));
    const withHead = await stream(siem, { ...start, limit: 2, head: 0 });
    expect(withHead.lines[0]).toMatchObject({ removed: { through, hashes: expect.any(Array) } });
    expect(withHead.lines[1]).toEqual(page.lines[0]);
    const next = await stream(siem, { cursor: page.cursor, limit: 1, head: 0 });
    expect(next.removed).toBeNull();
    // A head may come after it.
    expect(next.lines[0]).toMatchObject({ position: through + 3 });
  }
  expect((await stream(siem, { after: through, limit: 1 })).removed).toBeNull();
});

// The last tests of this file: the log has a gap afterwards, so nothing more of it can be sealed.
test.each(['is gone', 'is another one'])(
  'whoever follows the log is told when the last entry %s, though no event tells of it',
  async (what) => {
    const { organizationId } = world.acme;
    const lost = (sql: string, values: unknown[] = []) => asRestored(gateway.sql, sql, values);
    const insert = async (id: string) =>
      await gateway.sql.query(
        `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                    organization_id, details)
         VALUES ($1, now(), 'organization.set_guard', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', $2::text, $2::uuid, '{}')`,
        [id, rawId(organizationId)],
      );
    const followed = await follow(siem, { filter: { action: 'ORGANIZATION_SET_GUARD' } });
    const id = randomUUID();
    await insert(id);
    expect((await followed.next()).entry.id).toBe(encodeGlobalId('AuditEntry', id));
    // The database is restored to the moment before, and goes on.
    const other = randomUUID();
    if (what === 'is another one') await lost('UPDATE audit_entries SET id = $2 WHERE id = $1', [id, other]);
    else
      await lost(
        `WITH gone AS (DELETE FROM audit_entries WHERE id = $1 RETURNING txid, seq)
         DELETE FROM audit_positions USING gone WHERE (audit_positions.txid, audit_positions.seq) = (gone.txid, gone.seq)`,
        [id],
      );
    await expect(followed.next()).rejects.toThrow('HISTORY_REPLACED');
  },
);
