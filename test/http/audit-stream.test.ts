/** `GET /audit/stream`: who reads which log, page after page, and how an answer waits. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generousMs } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectEveryPosition } from '../support/positions.ts';
import { logKeys, sealAll, signingKeys } from '../support/sealing.ts';
import { assignRole, done, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let auditor: Person;
/** A service account of Acme that reads its log. */
let siem: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
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
  await expectEveryPosition(gateway.sql);
});
afterAll(() => gateway.dispose());

type Streamed = {
  status: number;
  code: string | undefined;
  lines: Json[];
  cursor: string;
  head: string | null;
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
    return { status: response.status, code: JSON.parse(text).error.code, lines: [], cursor: '', head: null };
  return {
    ...{ status: response.status, code: undefined },
    lines: text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)])),
    cursor: response.headers.get('latchkey-next-cursor') ?? '',
    head: response.headers.get('latchkey-head'),
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
    expect(organizations(await stream(await gateway.as(world.services.auditing)))).toEqual(
      new Set([undefined]),
    );
  });

  test('for everybody else, the log of an organization does not exist', async () => {
    const engineer = await gateway.as(world.engineer.email);
    const vendorsReader = await gateway.as(world.services.auditing);
    for (const person of [world.admins.globex, world.operator, engineer, vendorsReader])
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
