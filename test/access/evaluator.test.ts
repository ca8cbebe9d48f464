/** Evaluations on a real database: facts, entries, locks, and what happens when many are asked at once. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { supportActions } from '../../src/access/catalogue.ts';
import type { EvaluationAnswer } from '../../src/access/evaluation.ts';
import { assignTicket } from '../../src/commands/change-ticket.ts';
import { isUnavailable, openDatabase } from '../../src/platform/database.ts';
import { encodeGlobalId } from '../../src/platform/global-id.ts';
import { exclusiveLock } from '../../src/platform/locks.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import {
  changeContext,
  codeOf,
  entryIdOf,
  evaluationOf,
  type Office,
  openOffice,
  type Use,
} from './office.ts';

vi.setConfig({ testTimeout: 240_000 });

let office: Office;
let work: Use;
let ask: ReturnType<Office['openEvaluator']>;

beforeAll(async () => {
  office = await openOffice();
  work = await office.startWork();
  ask = office.openEvaluator();
});
afterAll(async () => await office[Symbol.asyncDispose]());

const onTicket = ({ key }: { key: string }, more: Record<string, unknown> = {}) => ({
  context: { ticket: key, ...more },
});

/** The entries of these answers, in their order. */
async function entriesOf(answers: readonly EvaluationAnswer[]) {
  const { rows } = await office.sql.query(
    `SELECT e.action, e.outcome::text, e.refusal_code, e.actor_kind, e.actor_email, e.resource_type, e.resource_id,
            e.organization_id, e.site_id, e.ticket_id, e.grant_id, e.session_id, e.details
       FROM unnest($1::uuid[]) WITH ORDINALITY AS asked(id, at) JOIN audit_entries e USING (id) ORDER BY at`,
    [answers.map(entryIdOf)],
  );
  return rows;
}

const countEntries = async (): Promise<number> =>
  (await office.sql.query('SELECT count(*)::int AS n FROM audit_entries')).rows[0].n;

const inTicket = () => ({
  organization_id: rawId(office.world.acme.organizationId),
  site_id: rawId(office.world.acme.sites.main.id),
  ticket_id: work.ticketId,
});
const inSession = () => ({ ...inTicket(), grant_id: work.grantId, session_id: work.sessionId });
const nowhere = { organization_id: null, site_id: null, ticket_id: null, grant_id: null, session_id: null };

test('a yes is an entry of the engineer, in the session', async () => {
  const answers = await ask([onTicket(work)]);
  expect(answers).toEqual([
    {
      decision: true,
      context: { code: 'ALLOWED', message: expect.any(String), evaluation: expect.any(String) },
    },
  ]);
  expect(await entriesOf(answers)).toEqual([
    {
      ...{ action: 'work_item.read', outcome: 'SUCCEEDED', refusal_code: null },
      ...{ actor_kind: 'SUPPORT_ENGINEER', actor_email: office.world.engineer.email },
      ...{ resource_type: 'work_item', resource_id: 'ACME-1', ...inSession() },
      details: {
        ...{ askedBy: 'jira@vendor.example', askedById: office.backend.id },
        ...{ product: 'jira', country: 'DE', region: 'GLOBAL' },
      },
    },
  ]);
});

test('things may be named by their ids, and the session itself', async () => {
  const { engineer, acme } = office.world;
  const byId = {
    ...{ subject: engineer.id, site: acme.sites.main.id },
    context: { session: encodeGlobalId('SupportSession', work.sessionId) },
  };
  expect((await ask([byId])).map(codeOf)).toEqual(['ALLOWED']);
});

test('a no is an entry as well, which belongs to what the question names truly', async () => {
  const answers = await ask([
    onTicket(work, { engineer_country: 'FR', processing_region: 'EU', ticket: 'SUP-0' }),
    { ...onTicket(work), site: office.world.acme.sites.original.url },
    { ...onTicket(work), subject: office.world.otherEngineer.email },
    {
      ...onTicket(work),
      action: 'rovo_conversation.read',
      resource: { type: 'rovo_conversation', id: 'chat' },
    },
    { ...onTicket(work), subject: 'nobody@vendor.example' },
  ]);
  expect(answers.map(codeOf)).toEqual([
    ...['TICKET_NOT_FOUND', 'OTHER_SITE', 'NOT_ASSIGNED', 'ROVO_GRANT_NEEDED', 'ENGINEER_NOT_FOUND'],
  ]);
  const outside = { ...nowhere, organization_id: inTicket().organization_id };
  expect(await entriesOf(answers)).toMatchObject([
    {
      ...outside,
      site_id: inTicket().site_id,
      details: { country: 'FR', region: 'EU', reason: 'TICKET_NOT_FOUND' },
    },
    { ...outside, site_id: rawId(office.world.acme.sites.original.id), refusal_code: 'OTHER_SITE' },
    { ...nowhere, ...inTicket(), actor_email: office.world.otherEngineer.email, outcome: 'REFUSED' },
    { ...inSession(), resource_type: 'rovo_conversation', resource_id: 'chat' },
    { ...nowhere, ...inTicket(), actor_kind: 'SERVICE_ACCOUNT', actor_email: 'jira@vendor.example' },
  ]);
});

test('an entry does not take the country of another engineer for that of its own', async () => {
  const { ticketId, sessionId } = await office.startWork();
  const { otherEngineer } = office.world;
  const passed = { ticketId, engineerId: rawId(otherEngineer.id) };
  await office.run(assignTicket, passed, 'operator@vendor.example');
  const context = { session: encodeGlobalId('SupportSession', sessionId) };
  const answers = await ask([{ subject: otherEngineer.email, context }]);
  expect(answers.map(codeOf)).toEqual(['SESSION_OF_OTHER_ENGINEER']);
  expect(await entriesOf(answers)).toMatchObject([{ session_id: null, details: { country: null } }]);
});

test('a guess is in no log of a customer', async () => {
  const ofGlobex = await office.addBackend(
    'jira@globex.example',
    ['jira'],
    rawId(office.world.globex.organizationId),
  );
  const ofConfluence = await office.addBackend('confluence@vendor.example', ['confluence']);
  const answers = [
    await ask([onTicket(work)], 'execute_all', ofGlobex),
    await ask([onTicket(work)], 'execute_all', ofConfluence),
    await ask([{ ...onTicket(work), site: 'https://nowhere.example' }]),
    await ask([{ ...onTicket(work), site: office.world.globex.sites.main.url }], 'execute_all', ofGlobex),
  ].flat();
  expect(answers.map(codeOf)).toEqual([
    ...['SITE_NOT_FOUND', 'ASKER_OF_OTHER_PRODUCT', 'SITE_NOT_FOUND', 'TICKET_NOT_FOUND'],
  ]);
  expect(await entriesOf(answers)).toMatchObject([
    ...[nowhere, nowhere, nowhere],
    {
      ...nowhere,
      organization_id: rawId(office.world.globex.organizationId),
      site_id: rawId(office.world.globex.sites.main.id),
    },
  ]);
});

test('what is no question is an entry of the service account, on the log of the vendor', async () => {
  const decide = office.openDecider();
  const read = evaluationOf(onTicket(work), office.world);
  const odd = [
    { broken: 'The item has no subject \u0000\ud800.' },
    { evaluation: { ...read, action: { name: 'work_item.burn' } } },
    { evaluation: { ...read, resource: { ...read.resource, type: 'Organization' } } },
    { evaluation: { ...read, resource: { ...read.resource, id: 'half a character \ud800' } } },
    { evaluation: { ...read, subject: { ...read.subject, id: 'a\u0000' } } },
    { evaluation: read },
  ];
  const answers = (await decide(odd, 'execute_all', office.backend)) ?? [];
  expect(answers.map(codeOf)).toEqual([
    ...[
      'INVALID_QUESTION',
      'UNKNOWN_ACTION',
      'INVALID_QUESTION',
      'INVALID_QUESTION',
      'INVALID_QUESTION',
      'ALLOWED',
    ],
  ]);
  const refused = {
    ...{ ...nowhere, action: 'access.evaluate', outcome: 'REFUSED', actor_kind: 'SERVICE_ACCOUNT' },
    ...{ resource_type: 'ServiceAccount', resource_id: office.backend.id },
  };
  expect(await entriesOf(answers.slice(0, 5))).toMatchObject([refused, refused, refused, refused, refused]);
});

test('every action can be recorded', async () => {
  const types: Record<string, string> = {
    'page.read': 'page',
    'comment.read': 'comment',
    'attachment.read': 'attachment',
  };
  const asked = supportActions.map((action) => ({
    action,
    resource: action.includes('conversation')
      ? { type: 'rovo_conversation', id: 'chat' }
      : action === 'work_item.read' || action in types
        ? { type: types[action] ?? 'work_item', id: '1' }
        : { type: 'product', id: 'jira' },
    ...onTicket(work, { destination_region: 'EU', change_request: 'none' }),
  }));
  const answers = await ask(asked);
  expect((await entriesOf(answers)).map(({ action }) => action)).toEqual(supportActions);
  expect(answers.filter(({ decision }) => !decision).map(codeOf)).toEqual([
    'ROVO_GRANT_NEEDED',
    'CHANGE_NOT_FOUND',
  ]);
});

test('a batch ends where its semantic says, and only what was answered is recorded', async () => {
  const yes = onTicket(work);
  const no = { ...onTicket(work), product: 'confluence' };
  const before = await countEntries();
  const decisionsOf = async (...[asked, semantic]: Parameters<typeof ask>) =>
    (await ask(asked, semantic)).map(({ decision }) => decision);
  expect(await decisionsOf([yes, no, yes, no], 'deny_on_first_deny')).toEqual([true, false]);
  expect(await decisionsOf([no, yes, no], 'permit_on_first_permit')).toEqual([false, true]);
  expect(await decisionsOf([no, yes, no], 'execute_all')).toEqual([false, true, false]);
  expect(await decisionsOf([], 'execute_all')).toEqual([]);
  expect(await countEntries()).toBe(before + 7);
});

test('a batch takes five statements, whatever it asks', async () => {
  const statements: string[] = [];
  const database = office.connect({ onStatement: (sql) => statements.push(sql.trim().split(/\s/)[0] ?? '') });
  const evaluate = office.openEvaluator({ database });
  await evaluate([onTicket(work)]);
  statements.length = 0;
  await evaluate(
    Array.from({ length: 20 }, (_, at) => ({
      ...onTicket(work),
      resource: { type: 'work_item', id: `ACME-${at}` },
    })),
  );
  expect(statements).toEqual(['BEGIN', 'SELECT', 'SELECT', 'INSERT', 'COMMIT']);
});

test('a change is allowed once, however often and wherever it is asked at the same time', async () => {
  const changeId = await office.consentToChange(work.ticketId);
  const apply = {
    ...{ action: 'change.apply', resource: { type: 'project', id: 'ACME' } },
    ...onTicket(work, changeContext(changeId)),
  };
  const other = office.openEvaluator({ database: office.connect() });
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, at) => (at % 2 === 0 ? ask : other)([apply, apply])),
  );
  const codes = answers.flat().map(codeOf);
  expect(codes.filter((code) => code === 'ALLOWED')).toHaveLength(1);
  expect(new Set(codes)).toEqual(new Set(['ALLOWED', 'CHANGE_ALREADY_ALLOWED']));
  const { rows } = await office.sql.query(
    'SELECT state, session_id, version, allowed_at IS NOT NULL AS allowed FROM change_requests WHERE id = $1',
    [changeId],
  );
  expect(rows).toEqual([{ state: 'IN_PROGRESS', session_id: work.sessionId, version: 3, allowed: true }]);
  const { rows: begun } = await office.sql.query(
    `SELECT action, actor_kind, actor_email, ticket_id, session_id, details ->> 'from' AS "from", details ->> 'to' AS "to"
       FROM audit_entries WHERE resource_type = 'ChangeRequest' AND resource_id = $1`,
    [changeId],
  );
  expect(begun).toEqual([
    {
      ...{ action: 'change_request.begin', actor_kind: 'SUPPORT_ENGINEER' },
      actor_email: office.world.engineer.email,
      ...{ ticket_id: work.ticketId, session_id: work.sessionId, from: 'CONSENTED', to: 'IN_PROGRESS' },
    },
  ]);
});

test('a change is allowed although the clock that its consent was noted by is ahead', async () => {
  const changeId = await office.consentToChange(work.ticketId, { at: new Date(Date.now() + 30_000) });
  const apply = {
    ...{ action: 'change.apply', resource: { type: 'project', id: 'ACME' } },
    ...onTicket(work, changeContext(changeId)),
  };
  expect((await ask([apply])).map(codeOf)).toEqual(['ALLOWED']);
});

test('after the first no of a batch no change is used up', async () => {
  const changeId = await office.consentToChange(work.ticketId);
  const apply = {
    ...{ action: 'change.apply', resource: { type: 'project', id: 'ACME' } },
    ...onTicket(work, changeContext(changeId)),
  };
  const answers = await ask([{ ...onTicket(work), product: 'confluence' }, apply], 'deny_on_first_deny');
  expect(answers).toHaveLength(1);
  expect((await ask([apply])).map(codeOf)).toEqual(['ALLOWED']);
});

test('a yes postpones the idle limit, once a tenth of it has passed since the last use', async () => {
  const { sessionId } = work;
  const use = async () =>
    (
      await office.sql.query(
        `SELECT last_used_at AS used, extract(epoch FROM due_at - last_used_at)::int AS idle, due_at <= expires_at AS whole
           FROM support_sessions WHERE id = $1`,
        [sessionId],
      )
    ).rows[0];
  const setUse = (secondsAgo: number) =>
    office.sql.query(
      `UPDATE support_sessions SET last_used_at = now() - make_interval(secs => $2),
              due_at = now() - make_interval(secs => $2) + make_interval(secs => idle_seconds) WHERE id = $1`,
      [sessionId, secondsAgo],
    );
  // The rules of the database keep the start: move it, so that the use may be in the past.
  await office.sql.query('ALTER TABLE support_sessions DISABLE TRIGGER "support_sessions_subject_is_final"');
  await office.sql.query(`UPDATE support_sessions SET started_at = now() - interval '1 hour' WHERE id = $1`, [
    sessionId,
  ]);
  await office.sql.query('ALTER TABLE support_sessions ENABLE TRIGGER "support_sessions_subject_is_final"');

  await setUse(120);
  const before = await use();
  await ask([onTicket(work)]);
  expect(await use()).toEqual(before);

  await setUse(240);
  await ask([{ ...onTicket(work), product: 'confluence' }]);
  expect((await use()).used.getTime()).toBeLessThan(before.used.getTime());
  await ask([onTicket(work)]);
  const after = await use();
  expect(after.used.getTime()).toBeGreaterThan(before.used.getTime());
  expect(after).toMatchObject({ idle: 1_800, whole: true });

  // A change that is begun in the session refers to it until its transaction ends.
  await setUse(240);
  const referring = await office.sql.connect();
  await referring.query('BEGIN');
  await referring.query('SELECT FROM support_sessions WHERE id = $1 FOR KEY SHARE', [sessionId]);
  await ask([onTicket(work)]);
  await referring.query('ROLLBACK');
  referring.release();
  expect((await use()).used.getTime()).toBeGreaterThan(before.used.getTime());
});

test('a locked ticket delays only the questions about it', async () => {
  const locked = await office.startWork();
  await using stack = new AsyncDisposableStack();
  const holder = stack.adopt(await office.sql.connect(), async (client) => {
    await client.query('ROLLBACK');
    client.release();
  });
  await holder.query('BEGIN');
  await holder.query(`SELECT ${exclusiveLock('ticket', '$1::text')}`, [locked.ticketId]);
  const waiting = ask([onTicket(locked)]);
  let isAnswered = false;
  void waiting.finally(() => {
    isAnswered = true;
  });
  for (let at = 0; at < 5; at += 1) {
    const others = await Promise.all([ask([onTicket(work)]), ask([onTicket(work)])]);
    expect(others.flat().map(codeOf)).toEqual(['ALLOWED', 'ALLOWED']);
  }
  expect(isAnswered).toBe(false);
  await holder.query('COMMIT');
  expect((await waiting).map(codeOf)).toEqual(['ALLOWED']);
});

test('a service account whose rights are being taken away is answered afterwards', async () => {
  const leaving = await office.addBackend('leaving@vendor.example', ['jira']);
  const holder = await office.sql.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT ${exclusiveLock('rights', '$1::text')}`, [leaving.id]);
    const waiting = ask([onTicket(work)], 'execute_all', leaving);
    expect((await ask([onTicket(work)])).map(codeOf)).toEqual(['ALLOWED']);
    await holder.query('UPDATE accounts SET active = false WHERE id = $1', [leaving.id]);
    await holder.query('COMMIT');
    await expect(waiting).rejects.toThrow('may not ask');
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
});

test('who waits too long for a lock gets no answer, and no entry', async () => {
  const locked = await office.startWork();
  const before = await countEntries();
  const holder = await office.sql.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT ${exclusiveLock('site', '$1::text')}`, [
      rawId(office.world.acme.sites.main.id),
    ]);
    const impatient = office.openEvaluator({ limits: { waitMs: 50 } });
    await expect(impatient([onTicket(locked)])).rejects.toSatisfy(isUnavailable);
    const crowded = office.openEvaluator({ limits: { waitingForLocks: 0 } });
    await expect(crowded([onTicket(locked)])).rejects.toSatisfy(isUnavailable);
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  expect(await countEntries()).toBe(before);
});

test('what exceeds the bounds gets no answer', async () => {
  const narrow = office.openEvaluator({ limits: { waiting: 2 } });
  const [first, second] = await Promise.allSettled([
    narrow([onTicket(work), onTicket(work)]),
    narrow([onTicket(work)]),
  ]);
  expect(first?.status).toBe('fulfilled');
  expect(second).toMatchObject({ status: 'rejected', reason: { name: 'EvaluationUnavailableError' } });
  expect((await narrow([onTicket(work)])).map(codeOf)).toEqual(['ALLOWED']);
});

test('one transaction answers many requests, each within its bound', async () => {
  const statements: string[] = [];
  const database = office.connect({ onStatement: (sql) => statements.push(sql) });
  const evaluate = office.openEvaluator({ database, limits: { transactions: 1, perTransaction: 4 } });
  const answers = await Promise.all(Array.from({ length: 9 }, () => evaluate([onTicket(work)])));
  expect(answers.flat().map(codeOf)).toEqual(Array.from({ length: 9 }, () => 'ALLOWED'));
  expect(statements.filter((sql) => sql === 'COMMIT')).toHaveLength(3);
});

test('whoever waits behind a transaction that hangs gets another one', async () => {
  const changeId = await office.consentToChange(work.ticketId);
  const apply = {
    ...{ action: 'change.apply', resource: { type: 'project', id: 'ACME' } },
    ...onTicket(work, changeContext(changeId)),
  };
  const evaluate = office.openEvaluator();
  const holder = await office.sql.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM change_requests WHERE id = $1 FOR UPDATE', [changeId]);
    const hanging = evaluate([apply]);
    await vi.waitFor(async () => {
      const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      expect((await office.sql.query(waits)).rowCount).toBe(1);
    });
    expect((await evaluate([onTicket(work)])).map(codeOf)).toEqual(['ALLOWED']);
    await holder.query('COMMIT');
    expect((await hanging).map(codeOf)).toEqual(['ALLOWED']);
  } finally {
    holder.release();
  }
});

test('an error that one request causes is not the error of the others', async () => {
  const evaluate = office.openEvaluator({ limits: { transactions: 1 } });
  // It has an id that PostgreSQL takes for none.
  const unspeakable = { ...office.backend, id: 'no id' };
  const first = evaluate([onTicket(work)]);
  const bad = evaluate([onTicket(work)], 'execute_all', unspeakable);
  const good = evaluate([onTicket(work)]);
  await expect(bad).rejects.toThrow('uuid');
  expect((await Promise.all([first, good])).flat().map(codeOf)).toEqual(['ALLOWED', 'ALLOWED']);
});

/** Takes the lock of a ticket in another process, and waits for it. This process stands still meanwhile. */
function lockFromOutside(ticketId: string): void {
  const program = `
    const client = new (await import('pg')).default.Client(process.env.DATABASE);
    await client.connect();
    await client.query('BEGIN');
    await client.query(process.env.LOCK, [process.env.TICKET]);
    await client.query('COMMIT');
    await client.end();`;
  const lock = `SELECT ${exclusiveLock('ticket', '$1::text')}`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    env: { DATABASE: office.url, LOCK: lock, TICKET: ticketId },
  });
  expect(status, String(stderr)).toBe(0);
}

test('a gateway that stands still within a transaction holds up no command, and gives no answer', async () => {
  const standing = await office.startWork();
  let hasStood = false;
  const database = office.connect({
    deadlines: { ...generousDatabaseDeadlines, idleInTransactionMs: 200 },
    onStatement(sql) {
      if (hasStood || !sql.trim().startsWith('INSERT')) return;
      hasStood = true;
      lockFromOutside(standing.ticketId);
    },
  });
  const evaluate = office.openEvaluator({ database });
  const before = await countEntries();
  await expect(evaluate([onTicket(standing)])).rejects.toSatisfy(isUnavailable);
  expect(hasStood).toBe(true);
  expect(await countEntries()).toBe(before);
  // The lost connection is not used again.
  await vi.waitFor(
    async () => expect((await evaluate([onTicket(standing)])).map(codeOf)).toEqual(['ALLOWED']),
    generousMs,
  );
});

test('without a database there is no answer', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.adopt(
    openDatabase({ url: 'postgresql://latchkey@127.0.0.1:1/latchkey', logger: createLogger('silent') }),
    (opened) => opened.dispose(),
  );
  await expect(office.openEvaluator({ database })([onTicket(work)])).rejects.toSatisfy(isUnavailable);
});

test('for every answer there is an entry, although connections are cut', async () => {
  const database = office.connect();
  const evaluate = office.openEvaluator({ database });
  const answers: EvaluationAnswer[] = [];
  let failures = 0;
  let cuts = 0;
  const asker = async (): Promise<void> => {
    while (cuts < 8) {
      try {
        answers.push(...(await evaluate([onTicket(work), onTicket(work)])));
      } catch (error) {
        expect(isUnavailable(error)).toBe(true);
        failures += 1;
      }
    }
  };
  const cutter = async (): Promise<void> => {
    while (cuts < 8) {
      const { rowCount } = await office.sql.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND state <> 'idle' AND query LIKE '%audit_entries%'
            AND pid <> pg_backend_pid() LIMIT 1`,
      );
      cuts += rowCount ?? 0;
    }
  };
  await Promise.all([...Array.from({ length: 6 }, asker), cutter()]);
  expect(failures).toBeGreaterThan(0);
  const entries = await entriesOf(answers);
  expect(entries).toHaveLength(answers.length);
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(office.sql));
