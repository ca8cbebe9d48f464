/** The audit log reaches an endpoint whatever that does: every entry at least once, in order, and again only as the same message. */
import { spawn } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { logName } from '../../../src/audit/log-name.ts';
import { createSender, type Sender, type SenderOptions } from '../../../src/audit/streams/deliver.ts';
import { createPost, type Post } from '../../../src/audit/streams/post.ts';
import { canonicalJson } from '../../../src/platform/canonical-json.ts';
import { type Database, openDatabase } from '../../../src/platform/database.ts';
import { createLogger } from '../../../src/platform/logger.ts';
import { openCheckpoint } from '../../../src/transparency/checkpoint.ts';
import { keysOfLog } from '../../../src/transparency/log-keys.ts';
import { leafHash } from '../../../src/transparency/merkle-tree.ts';
import { appendLeaves, emptyEdge, rootOf } from '../../../src/transparency/tiles.ts';
import { generousDatabaseDeadlines, generousMs } from '../../support/deadlines.ts';
import { eventually } from '../../support/eventually.ts';
import type { Json, Person, TestGateway } from '../../support/gateway.ts';
import { reservePort } from '../../support/ports.ts';
import { removeThrough } from '../../support/removal.ts';
import { rawId } from '../../support/rows.ts';
import { logKeys, sealAll, signingKeys } from '../../support/sealing.ts';
import { accept, type Received, type Respond, refuse, type Siem, startSiem } from '../../support/siem.ts';
import { assignRole, attempt, done, startGatewayWithWorld, type World } from '../../support/world.ts';

const hour = 3_600_000;

const example = new URL('../../../docs/examples/audit-receiver.ts', import.meta.url);

let ahead = 0;
const clock = () => new Date(Date.now() + ahead);
let gateway: TestGateway;
let world: World;
let siem: Siem;
let streamId: string;

beforeAll(async () => {
  siem = await startSiem();
  ({ gateway, world } = await startGatewayWithWorld({
    ...{ clock, postMs: generousMs, config: { auditStreamNetworks: ['127.0.0.0/8'] } },
  }));
  const auditor = await gateway.as(world.acme.emails.reporter);
  const { viewer } = await auditor.ask('{ viewer { account { ... on User { id } } } }');
  await assignRole(world, {
    ...{ userId: viewer.account.id, role: 'AUDITOR', organizationId: world.acme.organizationId },
  });
  const { secret, auditStream } = await done(await admin(), 'createAuditStream', {
    ...{ organizationId: world.acme.organizationId, name: 'SIEM', endpointUrl: siem.url, after: 0 },
  });
  siem.secrets.push(secret);
  streamId = auditStream.id;
  await expectDelivered();
});
afterAll(async () => {
  await gateway.dispose();
  await siem[Symbol.asyncDispose]();
});
beforeEach(() => {
  siem.respond = accept;
});

/** With a token that counts by the clock of the test. */
const admin = (): Promise<Person> => gateway.as(world.acme.emails.organizationAdmin);

/** Leaves an entry on the log of Acme. */
async function leaveEntry(): Promise<void> {
  const { id } = await done(await admin(), 'inviteUser', {
    ...{ organizationId: world.acme.organizationId, email: 'somebody@acme.example', name: 'Somebody' },
  });
  await done(await admin(), 'withdrawInvitation', { invitationId: id });
}

async function logLength(): Promise<number> {
  const { rows } = await gateway.sql.query(
    'SELECT count(*)::int AS entries FROM audit_entries WHERE organization_id = $1',
    [rawId(world.acme.organizationId)],
  );
  return rows[0].entries;
}

/** Waits until every entry of the log was accepted: each at least once, the first times in order. */
async function expectDelivered(from = 1): Promise<void> {
  await eventually(async () => {
    const length = await logLength();
    const firstTimes = [...new Set(siem.accepted)];
    expect(firstTimes).toEqual(Array.from({ length: length - from + 1 }, (_, at) => at + from));
  });
  for (const [, again] of Map.groupBy(siem.received, ({ id }) => id))
    expect(new Set(again.map(({ text }) => text)).size).toBe(1);
  expect(siem.received.every(({ signatures }) => signatures > 0)).toBe(true);
}

async function health(): Promise<Json> {
  const { node } = await (await admin()).ask(
    `query ($id: ID!) { node(id: $id) { ... on AuditStream { state version health {
       status position waitingEntries lagSeconds failedAttempts nextAttemptAt lastSuccessAt lastError test { isWaiting sentAt error } } } } }`,
    { id: streamId },
  );
  return { state: node.state, ...node.health };
}

/** Waits until the gateway has saved that everything was accepted: it does so after the endpoint has answered. */
const expectHealthy = () =>
  eventually(async () =>
    expect(await health()).toMatchObject({
      ...{ status: 'HEALTHY', waitingEntries: 0, lagSeconds: 0, failedAttempts: 0, lastError: null },
    }),
  );

test('messages are as long as they may be, and say what the log says', async () => {
  expect(siem.received.length).toBeGreaterThan(1);
  for (const { text, body, id } of siem.received) {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(20_000);
    expect(body).toMatchObject({
      type: 'audit.entries',
      data: { organizationId: world.acme.organizationId },
    });
    expect(id).toMatch(/^[\w-]{1,100}$/);
  }
  const { auditLog } = await (await admin()).ask(
    '{ auditLog(orderBy: OLDEST, first: 1) { edges { node { id } } } }',
  );
  const [{ node }] = auditLog.edges;
  expect(siem.received[0]?.body.data.entries[0]).toMatchObject({ id: node.id, position: 1 });
  await expectHealthy();
});

test('the receiver in the documents keeps every entry', async () => {
  const port = await reservePort();
  const { secret, auditStream } = await done(await admin(), 'createAuditStream', {
    ...{ organizationId: world.acme.organizationId, name: 'Example', after: 0 },
    endpointUrl: `http://127.0.0.1:${port}/`,
  });
  const receiver = spawn(process.execPath, [fileURLToPath(example)], {
    env: { ...process.env, SECRET: secret, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void receiver.kill());
  let printed = '';
  receiver.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await eventually(() => fetch(`http://127.0.0.1:${port}/`));
  // Tries at once what may have failed before it listened.
  await done(await admin(), 'updateAuditStream', { auditStreamId: auditStream.id, name: 'Receiver' });
  await eventually(async () => {
    const kept = printed.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).position]));
    expect(kept).toEqual(Array.from({ length: await logLength() }, (_, at) => at + 1));
  });
  await done(await admin(), 'deleteAuditStream', { auditStreamId: auditStream.id });
  await expectDelivered();
});

const closesEarly: Respond = (response) => void response.destroy();
const answersForEver: Respond = (response) => {
  response.writeHead(500);
  const timer = setInterval(() => response.write('x'.repeat(10_000)), 5);
  response.once('close', () => clearInterval(timer));
};

test.each([
  ['answers 500', refuse(500), 'answered 500'],
  ['redirects', refuse(307, { location: '/elsewhere' }), 'redirects are not followed'],
  ['is overloaded', refuse(429, { 'retry-after': '120' }), 'answered 429'],
  ['closes early', closesEarly, 'closed the connection'],
  ['answers for ever', answersForEver, 'answered 500'],
])('an endpoint that %s gets the same message again', async (_, respond, words) => {
  siem.respond = respond;
  const before = siem.received.length;
  await leaveEntry();
  await eventually(async () => {
    const { status, lastError } = await health();
    expect({ status, lastError }).toEqual({ status: 'FAILING', lastError: expect.stringContaining(words) });
  });
  // What has come meanwhile is not put into the message that failed.
  await leaveEntry();
  siem.respond = accept;
  await passToAttempt(1);
  await expectDelivered();
  const received = siem.received.slice(before);
  expect(received.every(({ path }) => path === '/latchkey')).toBe(true);
  const [failed] = received;
  const again = received.filter(
    ({ body }) => body.data.entries[0].position === failed?.body.data.entries[0].position,
  );
  expect(again.length).toBeGreaterThan(1);
  expect(new Set(again.map(({ id }) => id))).toEqual(new Set([failed?.id]));
  await expectHealthy();
});

/** Lets the time pass to the next attempt, and waits for it. */
async function passToAttempt(which: number): Promise<void> {
  await eventually(async () => expect((await health()).failedAttempts).toBeGreaterThanOrEqual(which - 1));
  ahead += Math.max(0, Date.parse((await health()).nextAttemptAt) - clock().getTime());
}

const mails = async (kind: string) =>
  (await gateway.sql.query('SELECT FROM mails WHERE kind = $1', [kind])).rows.length;

test('an endpoint that is away for a day gets everything afterwards, and its admins were told', async () => {
  siem.respond = refuse(503);
  const since = clock().getTime();
  for (let attempts = 1; clock().getTime() - since < 24 * hour; attempts += 1) {
    await leaveEntry();
    await passToAttempt(attempts + 1);
  }
  expect(await mails('audit-stream-failing')).toBe(2);
  expect(await mails('audit-stream-disabled')).toBe(0);
  siem.respond = accept;
  await passToAttempt(1);
  await expectDelivered();
});

test.each([
  ['answers 410', async () => (siem.respond = refuse(410)), 'GONE'],
  [
    'fails ten times',
    async () => {
      siem.respond = refuse(500);
      await leaveEntry();
      for (let attempt = 2; attempt <= 10; attempt += 1) await passToAttempt(attempt);
    },
    'FAILED',
  ],
])('an endpoint that %s is disabled, until somebody resumes it', async (_, fail, reason) => {
  await gateway.sql.query(`DELETE FROM mails WHERE kind = 'audit-stream-disabled'`);
  await fail();
  if (reason === 'GONE') await leaveEntry();
  await eventually(async () =>
    expect(await health()).toMatchObject({ state: 'DISABLED', status: 'DISABLED' }),
  );
  expect(await mails('audit-stream-disabled')).toBe(2);
  const { rows } = await gateway.sql.query(
    `SELECT actor_kind, details FROM audit_entries WHERE action = 'audit_stream.disable' ORDER BY txid DESC, seq DESC LIMIT 1`,
  );
  expect(rows).toMatchObject([{ actor_kind: 'SYSTEM', details: { reason } }]);
  siem.respond = accept;
  await done(await admin(), 'resumeAuditStream', { auditStreamId: streamId });
  await expectDelivered();
});

test('both secrets sign for a day', async () => {
  const { secret } = await done(await admin(), 'rotateAuditStreamSecret', { auditStreamId: streamId });
  siem.secrets.push(secret);
  // The entry of the rotation may have arrived before the endpoint had the new secret.
  await leaveEntry();
  await expectDelivered();
  expect(siem.received.at(-1)?.signatures).toBe(2);
  ahead += 25 * hour;
  await leaveEntry();
  await expectDelivered();
  expect(siem.received.at(-1)?.signatures).toBe(1);
  siem.secrets.shift();
  const kept = await gateway.sql.query(
    `SELECT (SELECT count(*)::int FROM audit_entries WHERE details::text LIKE '%whsec%') AS entries,
            (SELECT count(*)::int FROM idempotency_keys WHERE answer::text LIKE '%whsec%') AS answers`,
  );
  expect(kept.rows).toEqual([{ entries: 0, answers: 0 }]);
});

describe('a stream', () => {
  test('says what its viewer may do with it, as the mutations decide', async () => {
    const actions = ['update', 'pause', 'resume', 'test', 'delete', 'replay'].map(
      (what) => `${what}AuditStream`,
    );
    const ask = async (person: Person): Promise<Record<string, string | null>> => {
      const { node } = await person.ask(
        `query ($id: ID!) { node(id: $id) { ... on AuditStream { viewerMay {
           ${actions.map((action) => `${action} { allowed code }`).join(' ')} } } } }`,
        { id: streamId },
      );
      return Object.fromEntries(actions.map((action) => [action, node.viewerMay[action].code]));
    };
    const free = Object.fromEntries(actions.map((action) => [action, null]));
    const forbidden = Object.fromEntries(actions.map((action) => [action, 'FORBIDDEN']));
    expect(await ask(await admin())).toEqual({ ...free, resumeAuditStream: 'AUDIT_STREAM_ACTIVE' });
    expect(await ask(await gateway.as(world.acme.emails.reporter))).toEqual(forbidden);
    for (const [action, code] of Object.entries(await ask(await admin())))
      if (code !== null)
        expect(await attempt(await admin(), action, { auditStreamId: streamId })).toMatchObject({ code });
    await done(await admin(), 'pauseAuditStream', { auditStreamId: streamId });
    expect(await ask(await admin())).toEqual({ ...free, pauseAuditStream: 'AUDIT_STREAM_NOT_ACTIVE' });
    await done(await admin(), 'resumeAuditStream', { auditStreamId: streamId });
    await expectDelivered();
  });

  test('waits while it is paused, and then sends what has come', async () => {
    await done(await admin(), 'pauseAuditStream', { auditStreamId: streamId });
    const before = siem.received.length;
    await leaveEntry();
    ahead += 7 * 24 * hour;
    await eventually(async () => expect(await health()).toMatchObject({ status: 'PAUSED' }));
    await eventually(async () => expect((await health()).waitingEntries).toBeGreaterThan(1));
    expect(siem.received.length).toBe(before);
    expect(await attempt(await admin(), 'pauseAuditStream', { auditStreamId: streamId })).toMatchObject({
      code: 'AUDIT_STREAM_NOT_ACTIVE',
    });
    await done(await admin(), 'resumeAuditStream', { auditStreamId: streamId });
    await expectDelivered();
  });

  test('is tested by a message without entries', async () => {
    siem.respond = refuse(404);
    await done(await admin(), 'pauseAuditStream', { auditStreamId: streamId });
    await done(await admin(), 'testAuditStream', { auditStreamId: streamId });
    await eventually(async () =>
      expect((await health()).test).toMatchObject({ isWaiting: false, error: 'The endpoint answered 404.' }),
    );
    siem.respond = accept;
    await done(await admin(), 'testAuditStream', { auditStreamId: streamId });
    await eventually(async () =>
      expect((await health()).test).toMatchObject({ isWaiting: false, error: null }),
    );
    expect(siem.received.at(-1)?.body).toMatchObject({ type: 'audit.test', data: { entries: [] } });
    await done(await admin(), 'resumeAuditStream', { auditStreamId: streamId });
    await expectDelivered();
  });

  test('has one test message however often that is asked for before it is answered', async () => {
    await expectHealthy();
    const tests = () => siem.received.filter(({ body }) => body.type === 'audit.test').length;
    const before = tests();
    const waiting = Promise.withResolvers<ServerResponse>();
    siem.respond = (response, message) =>
      message.body.type === 'audit.test' ? waiting.resolve(response) : accept(response, message);
    const askForTest = async () => done(await admin(), 'testAuditStream', { auditStreamId: streamId });
    await Promise.all([askForTest(), askForTest()]);
    const response = await waiting.promise;
    const asked = async () =>
      (await gateway.sql.query('SELECT test_requested_at FROM audit_stream_progress')).rows;
    const first = await asked();
    await askForTest();
    // Its id is of that time: whoever sends it again, after a crash, sends the same.
    expect(await asked()).toEqual(first);
    expect((await health()).test).toMatchObject({ isWaiting: true });
    siem.respond = accept;
    response.writeHead(500).end();
    await eventually(async () =>
      expect((await health()).test).toMatchObject({ isWaiting: false, error: 'The endpoint answered 500.' }),
    );
    expect(tests() - before).toBe(1);
    // The next one is another message.
    await askForTest();
    await eventually(async () =>
      expect((await health()).test).toMatchObject({ isWaiting: false, error: null }),
    );
    expect(tests() - before).toBe(2);
    await expectDelivered();
  });

  test('sends again what comes after a position, as other messages', async () => {
    const ids = new Set(siem.received.map(({ id }) => id));
    await done(await admin(), 'replayAuditStream', { auditStreamId: streamId, after: 5 });
    const length = await logLength();
    await eventually(async () => {
      const again = siem.received.filter(({ id }) => !ids.has(id));
      const positions = again.flatMap(({ body }) => body.data.entries.map(({ position }: Json) => position));
      expect(positions.slice(0, length - 5)).toEqual(Array.from({ length: length - 5 }, (_, at) => at + 6));
    });
    await expectDelivered();
    expect(
      await attempt(await admin(), 'replayAuditStream', { auditStreamId: streamId, after: 1_000_000 }),
    ).toMatchObject({ code: 'INVALID_INPUT' });
  });

  describe('that another sender has', () => {
    let database: Database;
    /** The clock of the other senders. What the gateway sends waits until after it. */
    let now: Date;
    const post = createPost(() => true);

    beforeEach(async () => {
      database = openDatabase({
        ...{ url: gateway.databaseUrl, logger: createLogger('silent') },
        deadlines: generousDatabaseDeadlines,
      });
      onTestFinished(() => database.dispose());
      await expectDelivered();
      await expectHealthy();
      now = new Date(clock().getTime() + hour);
      await sendFrom(new Date(now.getTime() - hour / 2));
    });
    afterEach(async () => {
      await sendFrom(clock());
      await expectDelivered();
    });
    afterAll(() => post.dispose());

    async function sendFrom(time: Date): Promise<void> {
      await eventually(async () => {
        const { rowCount } = await gateway.sql.query(
          `UPDATE audit_stream_progress SET due_at = $2, look_at = $2 WHERE stream_id = $1 AND leased_by IS NULL`,
          [rawId(streamId), time],
        );
        expect(rowCount).toBe(1);
      });
    }

    function startSender(given: Partial<SenderOptions> = {}): Sender {
      const sender = createSender({
        ...{ database, clock: () => now, logger: createLogger('silent'), post },
        onFailed: () => Promise.reject(new Error('An attempt failed')),
        ...given,
      });
      onTestFinished(() => sender.dispose(0));
      return sender;
    }

    /** With something before each message. */
    const posting = (before: () => Promise<void>): Post => ({
      ...post,
      send: async (...message) => {
        await before();
        return await post.send(...message);
      },
    });

    const progress = async (): Promise<Json> =>
      (
        await gateway.sql.query(
          `SELECT position::int, leased_by, leased_until, look_at FROM audit_stream_progress WHERE stream_id = $1`,
          [rawId(streamId)],
        )
      ).rows[0];

    /** Waits until it has its position. */
    async function leavePositionedEntry(): Promise<void> {
      await leaveEntry();
      await eventually(async () =>
        expect((await health()).waitingEntries).toBe((await logLength()) - (await progress()).position),
      );
    }

    const later = (ms: number) => new Date(now.getTime() + ms);

    test('is tried again after a fault: soon, and each time later', async () => {
      let messages = 0;
      const failing = posting(async () => {
        messages += 1;
        if (messages <= 2) throw new Error('A fault');
      });
      const sender = startSender({ post: failing });
      await leavePositionedEntry();
      for (const [faults, rest] of [1_000, 2_000].entries()) {
        await sender.run();
        await eventually(async () => {
          await sender.run();
          expect((await progress()).leased_until).toEqual(later(rest));
        });
        now = later(rest - 1);
        await sender.run();
        expect((await progress()).leased_until).toEqual(later(1));
        expect(messages).toBe(faults + 1);
        now = later(1);
      }
      await sender.run();
      await expectDelivered();
      expect(messages).toBe(3);
    });

    test('is free at once if the claim was not answered', async () => {
      const { pool } = database;
      let isLost = false;
      const losing = {
        async query(...statement: Parameters<pg.Pool['query']>) {
          const answer = await pool.query(...statement);
          if (isLost || !JSON.stringify(statement).includes('SKIP LOCKED')) return answer;
          isLost = true;
          throw new Error('The connection was lost');
        },
      } as unknown as pg.Pool;
      const sender = startSender({ database: { ...database, prisma: database.prisma, pool: losing } });
      await leavePositionedEntry();
      await expect(sender.run()).rejects.toThrow('The connection was lost');
      expect((await progress()).leased_until).toEqual(later(60_000));
      await sender.run();
      await expectDelivered();
    });

    test('is found by others when that sender stops, with what has come meanwhile', async () => {
      const [isSending, mayGoOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const held = posting(async () => {
        isSending.resolve();
        await mayGoOn.promise;
      });
      const [stopping, other] = [startSender({ post: held }), startSender()];
      await leavePositionedEntry();
      await stopping.run();
      await isSending.promise;
      await leavePositionedEntry();
      // It looks while the stream is not free.
      await other.run();
      const stopped = stopping.dispose(generousMs);
      mayGoOn.resolve();
      await stopped;
      expect((await progress()).leased_by).toBeNull();
      await other.run();
      expect((await progress()).leased_by).not.toBeNull();
      await expectDelivered();
    });

    test('is tried again later if its endpoint does not answer', async () => {
      const impatient = createPost(() => true, 100);
      onTestFinished(() => impatient.dispose());
      siem.respond = () => undefined;
      const failed: string[] = [];
      const sender = startSender({
        post: impatient,
        async onFailed({ next, save }) {
          await save(database.prisma);
          failed.push(next.error);
        },
      });
      await leavePositionedEntry();
      await sender.run();
      await eventually(() => expect(failed).toEqual(['The endpoint did not answer within 0.1 seconds.']));
      siem.respond = accept;
      now = later(6_000);
      await startSender().run();
      await expectDelivered();
    });
  });

  test('a head of the log follows its entries, is tried again, and proves what was sent', async () => {
    siem.respond = accept;
    const replayed = { auditStreamId: streamId, after: 0 };
    await done(await admin(), 'replayAuditStream', replayed);
    const from = siem.received.length;
    await leaveEntry();
    const since = () => siem.received.slice(from);
    const heads = () => since().filter(({ body }) => body.type === 'audit.head');
    const entries = () => [
      ...new Map<number, Json>(
        since().flatMap(({ body }) => body.data.entries.map((entry: Json) => [entry.position, entry])),
      ).values(),
    ];
    const isDelivered = () =>
      eventually(async () =>
        expect(entries().map(({ position }) => position)).toHaveLength(await logLength()),
      );
    await isDelivered();
    expect(heads()).toEqual([]);

    const keys = logKeys(signingKeys());
    await sealAll(gateway.sql, keys);
    siem.respond = (response, message) =>
      (message.body.type === 'audit.head' ? refuse(500) : accept)(response, message);
    await leaveEntry();
    await eventually(async () => expect((await health()).failedAttempts).toBe(1));
    siem.respond = accept;
    ahead += hour;
    await eventually(() => expect(heads()).toHaveLength(2));
    await expectHealthy();
    const [failed, head] = heads();
    expect(failed?.id).toBe(head?.id);
    expect(failed?.text).toBe(head?.text);

    const log = rawId(world.acme.organizationId);
    const { origin, verifiers } = keysOfLog(keys, logName(log));
    const { size, checkpoint } = head?.body.data.head ?? {};
    const leaves = entries()
      .slice(0, size)
      .map((entry) => leafHash(Buffer.from(canonicalJson(entry))));
    const { root } = openCheckpoint(checkpoint, verifiers);
    expect(openCheckpoint(checkpoint, verifiers)).toMatchObject({ origin, size });
    expect(rootOf(appendLeaves(emptyEdge, leaves).edge)).toEqual(root);

    // Not with every batch, though there is another one.
    await sealAll(gateway.sql, keys);
    await leaveEntry();
    await isDelivered();
    await expectHealthy();
    expect(heads()).toHaveLength(2);
    ahead += 61_000;
    await leaveEntry();
    await eventually(() => expect(heads()).toHaveLength(3));
  });

  test('keeps its filter when something else changes', async () => {
    const filter = { actions: ['ACCOUNT_WITHDRAW_INVITATION'] };
    await done(await admin(), 'updateAuditStream', { auditStreamId: streamId, filter });
    await done(await admin(), 'updateAuditStream', { auditStreamId: streamId, name: 'Renamed' });
    const before = siem.received.length;
    await leaveEntry();
    await eventually(async () => {
      expect((await health()).waitingEntries).toBe(0);
      const later = siem.received.slice(before).flatMap(({ body }) => body.data.entries);
      expect(later.map(({ action }) => action)).toContain('account.withdraw_invitation');
      expect(later.map(({ action }) => action)).not.toContain('account.invite');
    });
  });

  test('says what was removed before it was sent, once, and goes on after that', async () => {
    const { organizationId } = world.acme;
    await done(await admin(), 'updateAuditStream', { auditStreamId: streamId, filter: {} });
    await expectHealthy();
    await removeThrough(gateway.sql, rawId(organizationId), 5);
    const before = siem.received.length;
    siem.respond = refuse(500);
    await done(await admin(), 'replayAuditStream', { auditStreamId: streamId, after: 2 });
    await eventually(async () =>
      expect(await health()).toMatchObject({
        position: 2,
        failedAttempts: 1,
        waitingEntries: await logLength(),
      }),
    );
    siem.respond = accept;
    ahead += hour;
    await expectHealthy();
    const later = siem.received.slice(before);
    const told = later.filter(({ body }) => body.type === 'audit.removed');
    expect(told.map(({ body }) => body.data)).toEqual(
      [0, 1].map(() => ({ organizationId, entries: [], removed: { through: 5 } })),
    );
    expect(new Set(told.map(({ id, text }) => `${id} ${text}`)).size).toBe(1);
    // Before it, what was written last may have come.
    const [first] = later.slice(later.lastIndexOf(told[1] as Received) + 1);
    expect(first?.body.data.entries[0].position).toBe(6);
  });

  test('is gone once it is deleted, and an organization without Guard has none', async () => {
    await done(await admin(), 'deleteAuditStream', { auditStreamId: streamId });
    const { node } = await (await admin()).ask(
      'query ($id: ID!) { node(id: $id) { ... on Organization { auditStreams { edges { node { id } } } } } }',
      { id: world.acme.organizationId },
    );
    expect(node.auditStreams.edges).toEqual([]);
  });
});
