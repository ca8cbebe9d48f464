/** `GET /audit/export.csv`: which part of a log it has, who gets it, and that it is read no faster than its client reads. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { csvHeader, csvLines } from '../../src/audit/csv.ts';
import type { AuditRecord } from '../../src/audit/record.ts';
import { readRecords, stretchOfPeriod } from '../../src/audit/record-store.ts';
import { decodeGlobalId } from '../../src/platform/global-id.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Person, TestGateway } from '../support/gateway.ts';
import { giveAllPositions } from '../support/positions.ts';
import { removeThrough } from '../support/removal.ts';
import { startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
/** The whole log of Acme. */
const log: AuditRecord[] = [];
let acme: string;
/** How often entries were read for an answer. */
let pages = 0;

/** A little more than the log has at first. */
const exportedEntries = 4_300;

const beginning = Date.parse('2040-01-01T00:00:00.000Z');
const day = 24 * 60 * 60 * 1_000;

beforeAll(async () => {
  const onStatement = (sql: string) => {
    if (sql.includes('WITH page AS MATERIALIZED')) pages += 1;
  };
  ({ gateway, world } = await startGatewayWithWorld({
    ...{ onStatement, maintenance: false },
    // A client that does not read for long is cut off elsewhere.
    limits: { slowConsumerMs: generousMs, exportedEntries },
  }));
  acme = decodeGlobalId(world.acme.organizationId)?.id ?? '';
  // More than sockets hold: ten days, each in a transaction of its own, as if it had been written then.
  const displaced = (what: string) =>
    gateway.sql.query(`ALTER TABLE audit_entries ${what} TRIGGER audit_entries_displaced`);
  await displaced('DISABLE');
  for (let n = 0; n < 10; n += 1)
    await gateway.sql.query(
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                  organization_id, details)
       SELECT gen_random_uuid(), $2::timestamptz + minute * interval '1 minute', 'organization.set_guard', 'SUCCEEDED', 'SYSTEM',
              'Latchkey', 'Organization', $1::text, $1::uuid, jsonb_build_object('note', repeat('x', 4000))
         FROM generate_series(0, 399) AS minute`,
      [acme, new Date(beginning + n * day)],
    );
  await displaced('ENABLE');
  await giveAllPositions(gateway.sql);
  for (let page: AuditRecord[] = []; log.length === 0 || page.length > 0; log.push(...page))
    page = await readRecords(gateway.sql, acme, log.at(-1)?.position ?? 0, 1_000);
});
afterAll(() => gateway.dispose());

const urlOf = (parameters: Record<string, string>) =>
  `${gateway.url}/audit/export.csv?${new URLSearchParams(parameters)}`;

async function exported(
  { token }: Pick<Person, 'token'>,
  parameters: Record<string, string> = {},
): Promise<{ status: number; body: string; type: string | null; removedThrough: string | null }> {
  const response = await fetch(urlOf(parameters), {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(generousMs),
  });
  const type = response.headers.get('content-type');
  // fetch takes the mark of UTF-8 away.
  const removedThrough = response.headers.get('latchkey-removed-through');
  return { status: response.status, body: await response.text(), type, removedThrough };
}

const tableOf = (records: readonly AuditRecord[]) => `${csvHeader.slice(1)}${csvLines(records)}`;

test('a table has the whole log, or a part by time and by position', async () => {
  const admin = world.admins.acme;
  const whole = await exported(admin);
  expect(whole).toEqual({
    ...{ status: 200, body: tableOf(log), type: 'text/csv; charset=utf-8; header=present' },
    removedThrough: null,
  });
  const at = (n: number) => new Date(beginning + n * day).toISOString();
  const parts: [Record<string, string>, (record: AuditRecord) => boolean][] = [
    [
      { from: '2040-01-03', until: '2040-01-05' },
      ({ occurredAt }) => occurredAt >= at(2) && occurredAt < at(4),
    ],
    [
      { from: at(3), until: new Date(beginning + 3 * day + 60_000).toISOString() },
      (one) => one.occurredAt === at(3),
    ],
    [{ until: '2040-01-01' }, ({ occurredAt }) => occurredAt < at(0)],
    [{ from: '2041-01-01' }, () => false],
    [{ after: '3', through: '7' }, ({ position }) => position > 3 && position <= 7],
    [
      { after: '900', until: '2040-01-03' },
      ({ position, occurredAt }) => position > 900 && occurredAt < at(2),
    ],
    [{ after: '1000000' }, () => false],
  ];
  for (const [parameters, fits] of parts)
    expect((await exported(admin, parameters)).body, JSON.stringify(parameters)).toBe(
      tableOf(log.filter(fits)),
    );
});

test('of a period, little more than its entries is read', async () => {
  const period = { from: new Date(beginning + 5 * day), until: new Date(beginning + 6 * day) };
  const { after, through } = await stretchOfPeriod(gateway.sql, acme, period);
  const own = log.filter(({ occurredAt }) => {
    const at = Date.parse(occurredAt);
    return at >= beginning + 5 * day && at < beginning + 6 * day;
  });
  expect(after).toBeLessThan(own[0]?.position ?? 0);
  expect(through).toBeGreaterThanOrEqual(own.at(-1)?.position ?? Number.POSITIVE_INFINITY);
  // The neighbours of the bounds are of the transactions of the day before and of the day after.
  expect(through - after).toBeLessThanOrEqual(3 * own.length);
});

test('it is for those who read the whole log, and its parameters are checked', async () => {
  const codeOf = async (person: Pick<Person, 'token'>, parameters: Record<string, string> = {}) => {
    const { status, body } = await exported(person, parameters);
    return [status, JSON.parse(body).error.code];
  };
  const organization = world.acme.organizationId;
  for (const person of [world.admins.globex, world.operator])
    expect(await codeOf(person, { organization })).toEqual([404, 'NOT_FOUND']);
  const member = await gateway.as(world.acme.emails.jiraAdmin);
  expect(await codeOf(member, { organization })).toEqual([403, 'FORBIDDEN']);
  expect(await codeOf({ token: 'none' })).toEqual([401, 'UNAUTHENTICATED']);
  for (const wrong of [
    { from: 'yesterday' },
    { from: '2040-02-30' },
    { from: '2040-01-02', until: '2040-01-01' },
    { after: '-1' },
    { cursor: 'x' },
    { organization: 'x' },
  ])
    expect(await codeOf(world.admins.acme, wrong), JSON.stringify(wrong)).toEqual([400, 'BAD_REQUEST']);
});

test('a client that does not read yet gets no more than its connection holds, and later the rest', async () => {
  const ask = async (): Promise<IncomingMessage> => {
    const headers = { authorization: `Bearer ${world.admins.acme.token}` };
    const [response] = await once(get(urlOf({}), { headers }), 'response');
    return response;
  };
  const before = pages;
  const unread = await ask();
  // Another one reads everything meanwhile.
  const whole = await text(await ask());
  const perExport = Math.ceil(log.length / 1_000);
  expect(pages - before).toBeLessThan(2 * perExport);
  expect(await text(unread)).toBe(whole);
  expect(pages - before).toBe(2 * perExport);
});

test('a part of so many entries is a table, and one with more is refused, before anything is sent', async () => {
  await gateway.sql.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                organization_id, details)
     SELECT gen_random_uuid(), now(), 'organization.set_guard', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', $1::text, $1::uuid,
            '{"hasGuard": true}'
       FROM generate_series(1, $2::int)`,
    [acme, exportedEntries + 1 - log.length],
  );
  await giveAllPositions(gateway.sql);
  const before = pages;
  const refused = await exported(world.admins.acme);
  expect(refused.status).toBe(400);
  expect(JSON.parse(refused.body).error).toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringContaining(`more than ${exportedEntries} entries. Ask for shorter ones`),
  });
  expect(pages).toBe(before);
  for (const part of [{ after: '1' }, { through: String(exportedEntries) }]) {
    const { status, body } = await exported(world.admins.acme, part);
    expect([status, body.trimEnd().split('\r\n').length - 1]).toEqual([200, exportedEntries]);
  }
});

test('a table of a log of which the oldest entries were removed begins with the first one that is kept, and says so', async () => {
  const admin = world.admins.acme;
  await removeThrough(gateway.sql, acme, 1_500);
  const kept = log.filter(({ position }) => position > 1_500);
  expect(await exported(admin, { through: String(log.length) })).toMatchObject({
    body: tableOf(kept),
    removedThrough: '1500',
  });
  expect(await exported(admin, { after: '1498', through: '1503' })).toMatchObject({
    ...{ body: tableOf(kept.slice(0, 3)), removedThrough: '1500' },
  });
  for (const [parameters, expected] of [
    [{ after: '3', through: '7' }, []],
    [{ after: '1500', through: '1502' }, kept.slice(0, 2)],
  ] as const)
    expect((await exported(admin, parameters)).body).toBe(tableOf(expected));
  expect((await exported(admin, { after: '1500', through: '1502' })).removedThrough).toBeNull();
});
