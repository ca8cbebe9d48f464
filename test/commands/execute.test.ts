/** How commands run: all or nothing, decided again after a write conflict, with events delivered after the commit. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import { closeTicket } from '../../src/commands/change-ticket.ts';
import type { Command } from '../../src/commands/command.ts';
import { type Caller, type Dependencies, execute } from '../../src/commands/execute.ts';
import { executeEach, togetherAtMost } from '../../src/commands/execute-each.ts';
import { RefusedError, versionConflict } from '../../src/commands/refusal.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { findTicketWithGrants } from '../../src/commands/ticket-with-grants.ts';
import type { AppendedEvents } from '../../src/events/outbox.ts';
import { toGrant } from '../../src/grants/row.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { WriteConflictError } from '../../src/platform/write-conflict.ts';
import { expectLegalHistories } from '../api/races-history.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { eventually } from '../support/eventually.ts';
import type { TestGateway } from '../support/gateway.ts';
import { bySize } from '../support/size.ts';
import { fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

vi.setConfig({ testTimeout: 120_000 });

let gateway: TestGateway;
let world: World;
let dependencies: Dependencies;
let admin: string;
let reporter: string;
let announced = 0;

const local = (globalId: string | null) =>
  Buffer.from(globalId ?? '', 'base64')
    .toString()
    .split(':')[1] ?? '';

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const logger = createLogger('silent');
  const database = openDatabase({
    url: gateway.databaseUrl,
    logger,
    poolSize: 12,
    deadlines: generousDatabaseDeadlines,
  });
  const announce = (appended: AppendedEvents | null) => {
    announced += appended?.events.length ?? 0;
  };
  dependencies = { database, clock: () => new Date(), announce, logger };
  const accountOf = async (email: string): Promise<string> =>
    (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email])).rows[0].id;
  admin = await accountOf(world.acme.emails.organizationAdmin);
  reporter = await accountOf(world.acme.emails.reporter);
});
beforeEach(() => {
  announced = 0;
});
afterAll(async () => {
  await expectLegalHistories(gateway);
  await dependencies.database.dispose();
  await gateway.dispose();
});

async function pendingGrant(): Promise<{ grantId: string; ticketId: string }> {
  const { grantId, ticketId } = await fileTicket(gateway, world);
  return { grantId: local(grantId), ticketId: local(ticketId) };
}

const approval = (grantId: string) =>
  ({ grantId, path: 'ADMIN_CONSOLE', expiresAt: null, reason: null, expectedVersion: null }) as const;
const caller = (accountId: string, idempotencyKey: string | null = null): Caller => ({
  accountId,
  idempotencyKey,
});

const itemOf = (grantId: string, idempotencyKey: string | null = null) => ({
  input: approval(grantId),
  idempotencyKey,
});
const bulkRun = (stop: AbortSignal = new AbortController().signal) => ({
  ...{ accountId: admin, stop, msLeft: () => 60_000, onViewer: () => undefined },
});

/** The content of every table that commands write, as one value to compare. */
async function everything(): Promise<unknown> {
  const { rows } = await gateway.sql.query(`
    SELECT (SELECT json_agg(g ORDER BY g.id) FROM grants g) AS grants, (SELECT json_agg(t ORDER BY t.id) FROM tickets t) AS tickets,
           (SELECT count(*) FROM decisions) AS decisions, (SELECT count(*) FROM audit_entries) AS record,
           (SELECT count(*) FROM events) AS events, (SELECT count(*) FROM idempotency_keys) AS keys`);
  return rows[0];
}

/** The same command with a changed outcome. */
function writing<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  write: () => Promise<void>,
): Command<Input, Facts, Row> {
  return {
    ...command,
    decide: (...given) => {
      const outcome = command.decide(...given);
      if ('refused' in outcome) return outcome;
      return {
        ...outcome,
        write: async (tx) => {
          await outcome.write?.(tx);
          await write();
        },
      };
    },
  };
}

test('a command that fails while writing writes nothing and publishes no event', async () => {
  const { ticketId } = await pendingGrant();
  const before = await everything();
  const failing = writing(closeTicket, async () => {
    throw new Error('the pen broke');
  });
  await expect(execute(dependencies, failing, { ticketId }, caller(reporter, 'broken'))).rejects.toThrow(
    'the pen broke',
  );
  expect(await everything()).toEqual(before);
  expect(announced).toBe(0);
  const closed = await execute(dependencies, closeTicket, { ticketId }, caller(reporter, 'broken'));
  expect(closed.status).toBe('CLOSED');
  expect(announced).toBe(1);
});

test('a refusal that the command does not declare is a defect, and nothing is written', async () => {
  const { ticketId } = await pendingGrant();
  const before = await everything();
  const unexpected: typeof closeTicket = {
    ...closeTicket,
    decide: () => ({ refused: versionConflict(7) }),
  };
  await expect(execute(dependencies, unexpected, { ticketId }, caller(reporter, 'odd'))).rejects.toThrow(
    'closeTicket was refused with VERSION_CONFLICT, which it does not declare',
  );
  expect(await everything()).toEqual(before);
});

test('if the audit entry cannot be written, nothing is changed', async () => {
  const { ticketId } = await pendingGrant();
  const before = await everything();
  const unspeakable: typeof closeTicket = { ...closeTicket, action: 'Ticket!.close' as never };
  await expect(execute(dependencies, unspeakable, { ticketId }, caller(reporter))).rejects.toThrow();
  expect(await everything()).toEqual(before);
});

test('if the event cannot be written, nothing is changed', async () => {
  const { grantId } = await pendingGrant();
  await gateway.sql.query(`CREATE FUNCTION no_events() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no events today'; END $$;
    CREATE TRIGGER no_events BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_events()`);
  try {
    const before = await everything();
    await expect(execute(dependencies, approveDataAccess, approval(grantId), caller(admin))).rejects.toThrow(
      'no events today',
    );
    expect(await everything()).toEqual(before);
  } finally {
    await gateway.sql.query('DROP TRIGGER no_events ON events; DROP FUNCTION no_events');
  }
});

test('after a write conflict a command is decided again on the new state, three times at most', async () => {
  const { ticketId } = await pendingGrant();
  let races = 0;
  const losing = (times: number) =>
    writing(closeTicket, async () => {
      races += 1;
      if (races <= times) throw new WriteConflictError();
    });
  expect(await execute(dependencies, losing(2), { ticketId }, caller(reporter))).toMatchObject({
    version: 3,
  });
  expect(races).toBe(3);
  const { ticketId: another } = await pendingGrant();
  races = 0;
  const before = await everything();
  await expect(execute(dependencies, losing(3), { ticketId: another }, caller(reporter))).rejects.toThrow(
    WriteConflictError,
  );
  expect(races).toBe(3);
  expect(await everything()).toEqual(before);
});

test('even without locks, a decision is written only over the version that it was made on', async () => {
  const unlocked: typeof approveDataAccess = { ...approveDataAccess, lock: async () => {} };
  const unlockedRevocation: typeof revokeDataAccess = { ...revokeDataAccess, lock: async () => {} };
  for (let round = 0; round < bySize(6, 20); round += 1) {
    const { grantId } = await pendingGrant();
    const outcomes = await Promise.allSettled([
      ...Array.from({ length: 8 }, () => execute(dependencies, unlocked, approval(grantId), caller(admin))),
      execute(
        dependencies,
        unlockedRevocation,
        { grantId, reason: null, expectedVersion: null },
        caller(reporter),
      ),
    ]);
    const codes = outcomes
      .slice(0, 8)
      .map((outcome) => (outcome.status === 'fulfilled' ? 'done' : codeOf(outcome.reason)));
    expect(codes.filter((code) => code === 'done')).toHaveLength(1);
    const { rows } = await gateway.sql.query(
      'SELECT count(*)::int AS decisions FROM decisions WHERE grant_id = $1',
      [grantId],
    );
    expect(rows).toEqual([{ decisions: 1 }]);
  }
});

/** The code of a refusal; `lost` for any other error, such as three write conflicts in a row. */
function codeOf(error: unknown): string {
  return error instanceof RefusedError ? error.refusal.code : 'lost';
}

test('one of many commands that fails unexpectedly does not affect the others', async () => {
  const requests = [];
  for (let index = 0; index < 9; index += 1) requests.push(await pendingGrant());
  const unlucky = requests[4]?.grantId;
  const command: typeof approveDataAccess = {
    ...approveDataAccess,
    decide: (facts, input, by) => {
      if ('grantId' in input && input.grantId === unlucky) throw new Error('nobody expected this');
      return approveDataAccess.decide(facts, input, by);
    },
  };
  const items = [...requests, { grantId: newId() }].map(({ grantId }) => itemOf(grantId));
  const answers = await executeEach(dependencies, command, items, bulkRun());
  expect(answers.map((answer) => ('answer' in answer ? answer.answer.state : answer.refused.code))).toEqual([
    ...['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'SERVICE_UNAVAILABLE'],
    ...['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'NOT_FOUND'],
  ]);
  expect(await executeEach(dependencies, approveDataAccess, items.slice(4, 5), bulkRun())).toMatchObject([
    { answer: { state: 'ACTIVE' } },
  ]);
});

/** Runs the work while somebody else has the lock on the ticket. */
async function whileLocked<T>(
  ticketId: string,
  work: (release: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const holder = await gateway.sql.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 2))', [ticketId]);
    return await work(async () => void (await holder.query('ROLLBACK')));
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
}

const someoneWaits = () =>
  eventually(async () => {
    const { rows } = await gateway.sql.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(rows).toHaveLength(1);
  });

const outcomes = (answers: Awaited<ReturnType<typeof executeEach>>) =>
  answers.map((answer) => ('answer' in answer ? answer.answer.state : answer.refused.code));

test('when the time is over, nothing more is begun, and the same key goes on with the rest', async () => {
  const requests = [];
  for (let index = 0; index < togetherAtMost + 2; index += 1) requests.push(await pendingGrant());
  const items = requests.map(({ grantId }) => itemOf(grantId, `over ${grantId}`));
  const before = await everything();
  const time = new AbortController();
  const first = await whileLocked(requests[3]?.ticketId ?? '', async (release) => {
    const running = executeEach(dependencies, approveDataAccess, items, bulkRun(time.signal));
    await someoneWaits();
    time.abort();
    await release();
    return await running;
  });
  expect(outcomes(first)).toEqual(items.map(() => 'NOT_BEGUN'));
  expect(await everything()).toEqual(before);

  const some = executeEach(dependencies, approveDataAccess, items.slice(0, 2), bulkRun());
  expect(outcomes(await some)).toEqual(['ACTIVE', 'ACTIVE']);
  const [again, afresh] = [
    await executeEach(dependencies, approveDataAccess, items, bulkRun()),
    await executeEach(dependencies, approveDataAccess, items, bulkRun()),
  ];
  expect(outcomes(again)).toEqual(items.map(() => 'ACTIVE'));
  expect(afresh).toEqual(again);
});

test('an item that still runs when the answers are needed is answered as unavailable, and those after it as not begun', async () => {
  const requests = [];
  for (let index = 0; index < togetherAtMost + 1; index += 1) requests.push(await pendingGrant());
  const items = requests.map(({ grantId }) => itemOf(grantId, `late ${grantId}`));
  const time = new AbortController();
  const answers = await whileLocked(requests[0]?.ticketId ?? '', async () => {
    const answering = executeEach(dependencies, approveDataAccess, items, {
      ...bulkRun(time.signal),
      msLeft: () => 1,
    });
    const given = await answering;
    time.abort();
    return given;
  });
  expect(outcomes(answers)).toEqual([
    ...Array.from({ length: togetherAtMost }, () => 'SERVICE_UNAVAILABLE'),
    'NOT_BEGUN',
  ]);
  // What was waiting gives up at its next statement. If it had gone on, these answers would be of it.
  const again = await executeEach(dependencies, approveDataAccess, items, bulkRun());
  expect(outcomes(again)).toEqual(items.map(() => 'ACTIVE'));
});

test('a ticket that somebody keeps locked delays only its own item', async () => {
  const requests = [];
  for (let index = 0; index < 4; index += 1) requests.push(await pendingGrant());
  const items = requests.map(({ grantId }) => itemOf(grantId));
  const impatient = openDatabase({
    ...{ url: gateway.databaseUrl, logger: createLogger('silent'), poolSize: 2 },
    ...{ deadlines: generousDatabaseDeadlines, settings: { lock_timeout: '500' } },
  });
  try {
    const answers = await whileLocked(requests[1]?.ticketId ?? '', () =>
      executeEach({ ...dependencies, database: impatient }, approveDataAccess, items, bulkRun()),
    );
    expect(outcomes(answers)).toEqual(['ACTIVE', 'SERVICE_UNAVAILABLE', 'ACTIVE', 'ACTIVE']);
  } finally {
    await impatient.dispose();
  }
});

test('a command is decided on what the models say of a ticket and its grants', async () => {
  const { prisma } = dependencies.database;
  const { grantId, ticketId } = await pendingGrant();
  const modelsOf = async () => ({
    ticket: await prisma.ticket.findUniqueOrThrow({
      where: { id: ticketId },
      include: { site: true, product: true },
    }),
    grants: [toGrant(await prisma.grant.findUniqueOrThrow({ where: { id: grantId } }))],
  });
  await execute(dependencies, approveDataAccess, approval(grantId), caller(admin));
  const active = await modelsOf();
  const { key: ticketKey } = active.ticket;
  for (const by of [{ grantId }, { ticketId }, { ticketKey }, { grantOf: { ticketKey } }])
    expect(await findTicketWithGrants(prisma, by)).toEqual(active);

  await execute(dependencies, revokeDataAccess, { ...approval(grantId) }, caller(admin));
  const revoked = await modelsOf();
  expect(await findTicketWithGrants(prisma, { grantId })).toEqual(revoked);
  expect(await findTicketWithGrants(prisma, { ticketId })).toEqual({ ...revoked, grants: [] });
  for (const by of [{ grantId: newId() }, { ticketId: newId() }, { ticketKey: 'SUP-0' }])
    expect(await findTicketWithGrants(prisma, by)).toBeNull();
});

test('an account that is no longer active runs no command', async () => {
  const { grantId } = await pendingGrant();
  await gateway.sql.query('UPDATE accounts SET active = false WHERE id = $1', [admin]);
  try {
    await expect(
      execute(dependencies, approveDataAccess, approval(grantId), caller(admin)),
    ).rejects.toMatchObject({
      refusal: { code: 'FORBIDDEN' },
    });
  } finally {
    await gateway.sql.query('UPDATE accounts SET active = true WHERE id = $1', [admin]);
  }
});
