/**
 * The allowed actions of a viewer agree with what happens when the viewer runs the commands, on a real database.
 *
 * On an ordinary day, for every third pair of a viewer and a case. AGREEMENT_SEED=… tries the same ones again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AllowedAction,
  allowedGrantActions,
  allowedTicketActions,
} from '../../src/commands/allowed-actions.ts';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import {
  assignTicket,
  closeTicket,
  reopenTicket,
  updateTicketStatus,
} from '../../src/commands/change-ticket.ts';
import type { Command } from '../../src/commands/command.ts';
import { approveGuardRequest, denyGuardRequest } from '../../src/commands/decide-guard-request.ts';
import { denyDataAccess } from '../../src/commands/deny-data-access.ts';
import { type Dependencies, execute } from '../../src/commands/execute.ts';
import { type Refusal, RefusedError } from '../../src/commands/refusal.ts';
import { releaseDataAccess } from '../../src/commands/release-data-access.ts';
import { requestChange } from '../../src/commands/request-change.ts';
import { requestDataAccess } from '../../src/commands/request-data-access.ts';
import { revokeDataAccess } from '../../src/commands/revoke-data-access.ts';
import { findTicketFacts, listTicketFacts, withGrant } from '../../src/commands/ticket-facts.ts';
import { updateTicket } from '../../src/commands/update-ticket.ts';
import { withdrawDataAccessRequest } from '../../src/commands/withdraw-data-access-request.ts';
import type { Viewer } from '../../src/identity/viewer.ts';
import { findViewerById } from '../../src/identity/viewer-store.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const seed = seedOf('AGREEMENT_SEED');
const share = bySize(3, 1);

let gateway: TestGateway;
let world: World;
let database: Database;
const statements: string[] = [];

type Case = { name: string; ticketId: string; grantId: string };
const cases: Case[] = [];
const viewers: Viewer[] = [];

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  database = openDatabase({
    url: gateway.databaseUrl,
    logger: createLogger('silent'),
    deadlines: generousDatabaseDeadlines,
    onStatement: (sql) => statements.push(sql),
  });
  const { emails, sites } = world.acme;
  for (const email of [
    ...[emails.reporter, emails.organizationAdmin, emails.unsyncedAdmin],
    ...[emails.guardAdmin, world.globex.emails.organizationAdmin],
    ...[world.engineer.email, world.otherEngineer.email, world.operator.email],
    ...[world.services.ticketing, world.services.acmeWatching],
  ]) {
    const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
    const viewer = await findViewerById(database.prisma, rows[0]?.id);
    if (viewer === null) throw new Error(`${email} is nobody`);
    viewers.push(viewer);
  }

  const admin = await gateway.as(emails.organizationAdmin);
  const reporter = await gateway.as(emails.reporter);
  const add = async (
    name: string,
    site: 'main' | 'restricted',
    reach: (ids: { ticketId: string; grantId: string | null }) => Promise<unknown>,
  ) => {
    const { ticketId, grantId } = await fileTicket(gateway, world, { site });
    await reach({ ticketId, grantId });
    cases.push({ name, ticketId: rawId(ticketId), grantId: rawId(grantId ?? '') });
  };
  const approve = ({ grantId }: { grantId: string | null }) => done(admin, 'approveDataAccess', { grantId });
  await add('requested', 'main', async () => {});
  await add('active', 'main', approve);
  await add('awaiting the Guard', 'restricted', approve);
  await add('denied', 'main', ({ grantId }) => done(admin, 'denyDataAccess', { grantId }));
  await add('closed', 'main', async (ids) => {
    await approve(ids);
    await done(reporter, 'closeTicket', { ticketId: ids.ticketId });
  });
  await add('out of time and not yet recorded so', 'main', async (ids) => {
    await approve(ids);
    await gateway.sql.query(
      `UPDATE grants SET requested_at = now() - interval '3 hours', customer_approved_at = now() - interval '2 hours',
              activated_at = now() - interval '2 hours', expires_at = now() - interval '1 hour', version = version + 1
        WHERE id = $1`,
      [rawId(ids.grantId ?? '')],
    );
  });
  const { ticketId, grantId } = await fileTicket(gateway, world, { site: 'original' });
  await done(world.operator, 'deactivateSite', { siteId: sites.original.id });
  cases.push({ name: 'on a deactivated site', ticketId: rawId(ticketId), grantId: rawId(grantId ?? '') });
  await add('awaiting the Guard, and its approver may no longer grant', 'restricted', async (ids) => {
    await done(await gateway.as(emails.jiraAdminElsewhere), 'approveDataAccess', { grantId: ids.grantId });
    await gateway.sql.query(
      'DELETE FROM role_assignments WHERE account_id = (SELECT id FROM accounts WHERE email = $1)',
      [emails.jiraAdminElsewhere],
    );
  });
});
afterAll(async () => {
  await database.dispose();
  await gateway.dispose();
});

class RolledBack extends Error {}

/** The outcomes of the commands. Each runs in a transaction that is rolled back, so that all run on the same facts. */
function trying(): Dependencies {
  const transaction: Database['transaction'] = async (work) => {
    const results: Awaited<ReturnType<typeof work>>[] = [];
    await database
      .transaction(async (tx) => {
        results.push(await work(tx));
        throw new RolledBack();
      })
      .catch((error: unknown) => {
        if (!(error instanceof RolledBack)) throw error;
      });
    const [result] = results;
    if (result === undefined) throw new Error('The transaction came to nothing');
    return result;
  };
  return {
    database: { ...database, transaction },
    clock: () => new Date(),
    announce: () => {},
    logger: createLogger('silent'),
  };
}

async function refusalOf(run: Promise<unknown>): Promise<Refusal | null> {
  try {
    await run;
    return null;
  } catch (error) {
    if (error instanceof RefusedError) return error.refusal;
    throw error;
  }
}

async function tried(viewer: Viewer, { ticketId, grantId }: Case) {
  const dependencies = trying();
  const caller = { accountId: viewer.id, idempotencyKey: null };
  const plain = { reason: null, expectedVersion: null };
  const approval = { ...plain, path: 'ADMIN_CONSOLE', expiresAt: null } as const;
  async function run<Input, Facts, Row extends object>(
    command: Command<Input, Facts, Row>,
    input: Input,
  ): Promise<AllowedAction> {
    const refusal = await refusalOf(execute(dependencies, command, input, caller));
    return { action: command.operation, refusal };
  }
  const onGrant: AllowedAction[] = [await run(approveDataAccess, { ...approval, grantId })];
  for (const command of [
    ...[denyDataAccess, approveGuardRequest, denyGuardRequest, revokeDataAccess],
    ...[withdrawDataAccessRequest, releaseDataAccess],
  ]) {
    onGrant.push(await run(command, { ...plain, grantId }));
  }
  const request = { ticketId, scope: 'PRODUCT_DATA', conversationIds: [], justification: null } as const;
  const onTicket: AllowedAction[] = [
    await run(requestDataAccess, request),
    await run(approveDataAccess, { ...approval, ticketId }),
    await run(assignTicket, { ticketId, engineerId: rawId(world.otherEngineer.id) }),
    await run(updateTicketStatus, { ticketId, status: 'WAITING_FOR_CUSTOMER' }),
    await run(updateTicket, { ticketId, summary: 'Another one' }),
    await run(closeTicket, { ticketId }),
    await run(reopenTicket, { ticketId }),
    await run(requestChange, {
      ...{ ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
      ...{ description: 'Switch it on', justification: 'It is off' },
      validUntil: new Date(Date.now() + 60_000),
    }),
  ];
  return { onGrant, onTicket };
}

describe(`what is allowed, AGREEMENT_SEED=${seed}`, () => {
  test('succeeds, and the refusals are those of the commands', async () => {
    let [pairs, compared, refusals] = [seed, 0, 0];
    for (const one of cases) {
      const facts = await findTicketFacts(database.prisma, { grantId: one.grantId });
      if (facts?.grant == null) throw new Error(`${one.name} has no grant`);
      const [ofTicket] = await listTicketFacts(database.prisma, [one.ticketId]);
      if (ofTicket == null) throw new Error(`${one.name} has no ticket`);
      for (const viewer of viewers) {
        pairs += 1;
        if (pairs % share !== 0) continue;
        compared += 1;
        const question = { viewer, now: new Date() };
        const told = {
          onGrant: allowedGrantActions(withGrant(ofTicket, facts.grant), question),
          onTicket: allowedTicketActions(ofTicket, question),
        };
        refusals += told.onGrant.filter(({ refusal }) => refusal !== null).length;
        expect({ viewer: viewer.email, case: one.name, ...told }).toEqual({
          viewer: viewer.email,
          case: one.name,
          ...(await tried(viewer, one)),
        });
      }
    }
    // The comparison tested both: some commands are allowed, and some are refused.
    expect(refusals).toBeGreaterThan(cases.length);
    expect(refusals).toBeLessThan(compared * 7);
  });

  test('needs two statements for a page of tickets, and one more if any of them awaits the Guard', async () => {
    const ids = cases.map(({ ticketId }) => ticketId);
    statements.length = 0;
    const facts = await listTicketFacts(database.prisma, [...ids, crypto.randomUUID()]);
    expect(statements).toHaveLength(3);
    const others = cases.filter(({ name }) => !name.startsWith('awaiting the Guard'));
    statements.length = 0;
    await listTicketFacts(
      database.prisma,
      others.map((one) => one.ticketId),
    );
    expect(statements).toHaveLength(2);
    expect(facts.map((one) => one?.ticket.id ?? null)).toEqual([...ids, null]);
    expect(facts.map((one) => one?.grants.length)).toEqual([1, 1, 1, 0, 0, 1, 0, 1, undefined]);
  });
});
