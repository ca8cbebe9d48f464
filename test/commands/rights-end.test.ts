/** Commands that take rights away, and commands that rely on these rights, wait for each other. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { approveDataAccess } from '../../src/commands/approve-data-access.ts';
import { removeRole } from '../../src/commands/assign-and-remove-roles.ts';
import { assignTicket } from '../../src/commands/change-ticket.ts';
import type { Command } from '../../src/commands/command.ts';
import { type CreateTicketInput, createTicket } from '../../src/commands/create-ticket.ts';
import { approveGuardRequest } from '../../src/commands/decide-guard-request.ts';
import { type Dependencies, execute } from '../../src/commands/execute.ts';
import { RefusedError } from '../../src/commands/refusal.ts';
import { deactivateAccount } from '../../src/commands/switch-account.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { rawId } from '../support/rows.ts';
import { assignRole, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let dependencies: Dependencies;
let ticketing: string;
let operator: string;
let guardAdmin: string;
let reporters = 0;

const accountOf = async (email: string): Promise<string> =>
  (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email])).rows[0].id;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const logger = createLogger('silent');
  const database = openDatabase({ url: gateway.databaseUrl, logger, deadlines: generousDatabaseDeadlines });
  dependencies = { database, clock: () => new Date(), announce: () => {}, logger };
  ticketing = await accountOf(world.services.ticketing);
  operator = await accountOf('operator@vendor.example');
  guardAdmin = await accountOf(world.acme.emails.guardAdmin);
});
afterAll(async () => {
  await dependencies.database.dispose();
  await gateway.dispose();
});

/** Adds a member who may grant for every product through one role. */
async function reporter(): Promise<{ reporterId: string; roleAssignmentId: string }> {
  const { organizationId } = world.acme;
  reporters += 1;
  const email = `reporter-${reporters}@acme.example`;
  const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Reporter' });
  const role = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
  const { id } = await assignRole(world, role);
  return { reporterId: rawId(userId), roleAssignmentId: rawId(id) };
}

const ticked = (reporterId: string): CreateTicketInput => ({
  productId: rawId(world.acme.sites.main.products.jira),
  summary: 'It is slow',
  grantDataAccess: true,
  reporterId,
});

/** The same command, which resolves `written` after its writes and waits for `commit` before it commits. */
function pausedBeforeCommit<Input, Facts, Row extends object>(command: Command<Input, Facts, Row>) {
  const written = Promise.withResolvers<void>();
  const commit = Promise.withResolvers<void>();
  const paused: Command<Input, Facts, Row> = {
    ...command,
    decide: (...given) => {
      const outcome = command.decide(...given);
      if ('refused' in outcome) return outcome;
      return {
        ...outcome,
        write: async (tx) => {
          await outcome.write?.(tx);
          written.resolve();
          await commit.promise;
        },
      };
    },
  };
  return { paused, written: written.promise, commit: () => commit.resolve() };
}

/** Resolves once a transaction waits for an advisory lock; rejects if the command finishes without waiting. */
async function toWaitForALock(other: Promise<unknown>): Promise<void> {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  void other.then(end, end);
  await vi.waitFor(
    async () => {
      if (isDone) return;
      const { rows } = await gateway.sql.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      expect(rows).not.toHaveLength(0);
    },
    { timeout: 60_000 },
  );
  expect(isDone, 'done without waiting').toBe(false);
}

const run = <Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  input: Input,
  accountId: string,
): Promise<Row> => execute(dependencies, command, input, { accountId, idempotencyKey: null });

/** A request on a restricted site that the holder of the role has approved. */
async function approved(): Promise<{ grantId: string; ticketId: string; roleAssignmentId: string }> {
  const { reporterId, roleAssignmentId } = await reporter();
  const productId = rawId(world.acme.sites.restricted.products.jira);
  const { id: ticketId } = await run(createTicket, { ...ticked(reporterId), productId }, ticketing);
  const { rows } = await gateway.sql.query('SELECT id FROM grants WHERE ticket_id = $1', [ticketId]);
  return { grantId: rows[0].id, ticketId, roleAssignmentId };
}

const guardApproval = (grantId: string) => ({ grantId, reason: null, expectedVersion: null });

async function grantOf(ticketId: string) {
  const { rows } = await gateway.sql.query('SELECT state FROM grants WHERE ticket_id = $1', [ticketId]);
  return rows;
}

test('a ticket that is filed while the role is being removed waits, and its consent is not an approval', async () => {
  const { reporterId, roleAssignmentId } = await reporter();
  const { paused, written, commit } = pausedBeforeCommit(removeRole);
  const removal = run(paused, { roleAssignmentId }, operator);
  await written;
  const filing = run(createTicket, ticked(reporterId), ticketing);
  await toWaitForALock(filing).finally(commit);
  await removal;
  expect(await grantOf((await filing).id)).toEqual([{ state: 'PENDING_APPROVAL' }]);
});

test('the removal of a role while a ticket is being filed waits until the ticket is committed', async () => {
  const { reporterId, roleAssignmentId } = await reporter();
  const { paused, written, commit } = pausedBeforeCommit(createTicket);
  const filing = run(paused, ticked(reporterId), ticketing);
  await written;
  const removal = run(removeRole, { roleAssignmentId }, operator);
  await toWaitForALock(removal).finally(commit);
  const [{ id }] = await Promise.all([filing, removal]);
  expect(await grantOf(id)).toEqual([{ state: 'ACTIVE' }]);
});

test('the Guard who approves while the role of the approver is being removed waits, and the approval lapses', async () => {
  const { grantId, ticketId, roleAssignmentId } = await approved();
  const { paused, written, commit } = pausedBeforeCommit(removeRole);
  const removal = run(paused, { roleAssignmentId }, operator);
  await written;
  const approval = run(approveGuardRequest, guardApproval(grantId), guardAdmin).catch((error) => error);
  await toWaitForALock(approval).finally(commit);
  await removal;
  expect(await approval).toMatchObject({ refusal: { code: 'APPROVAL_LAPSED' } });
  expect(await grantOf(ticketId)).toEqual([{ state: 'PENDING_APPROVAL' }]);
});

test('the removal of the approver’s role waits until the Guard’s approval is committed', async () => {
  const { grantId, ticketId, roleAssignmentId } = await approved();
  const { paused, written, commit } = pausedBeforeCommit(approveGuardRequest);
  const approval = run(paused, guardApproval(grantId), guardAdmin);
  await written;
  const removal = run(removeRole, { roleAssignmentId }, operator);
  await toWaitForALock(removal).finally(commit);
  await Promise.all([approval, removal]);
  expect(await grantOf(ticketId)).toEqual([{ state: 'ACTIVE' }]);
});

describe('the deactivation of an engineer', () => {
  let engineers = 0;

  /** A new engineer with a ticket on each of two sites. */
  async function engineerWithTickets() {
    engineers += 1;
    const name = `leaver-${engineers}`;
    const added = await done(world.operator, 'addSupportEngineer', { email: `${name}@vendor.example`, name });
    const engineerId: string = added.id;
    const tickets = await Promise.all(
      (['main', 'original'] as const).map(async (site) => {
        const filed = await fileTicket(gateway, world, { site });
        await done(world.operator, 'assignTicket', { ticketId: filed.ticketId, engineerId });
        return rawId(filed.ticketId);
      }),
    );
    const [first, second] = tickets;
    if (first === undefined || second === undefined) throw new Error('two tickets');
    return { accountId: rawId(engineerId), first, second };
  }

  async function grantsOf(...ticketIds: string[]) {
    const { rows } = await gateway.sql.query(
      `SELECT g.state, g.engineer_id, t.assignee_id FROM tickets t LEFT JOIN grants g ON g.ticket_id = t.id
        WHERE t.id = ANY ($1) ORDER BY g.state`,
      [ticketIds],
    );
    return rows;
  }
  const nobodys = (state: string) => ({ state, engineer_id: null, assignee_id: null });

  const approval = (ticketId: string) => ({
    ...{ ticketId, path: 'SUPPORT_PORTAL' as const, expiresAt: null },
    ...{ reason: null, expectedVersion: null },
  });
  const adminId = () => accountOf(world.acme.emails.organizationAdmin);

  test('waits for an approval on one of their tickets, and takes the grant from them', async () => {
    const { accountId, first, second } = await engineerWithTickets();
    const { paused, written, commit } = pausedBeforeCommit(approveDataAccess);
    const approving = run(paused, approval(first), await adminId());
    await written;
    const deactivating = run(deactivateAccount, { accountId }, operator);
    await toWaitForALock(deactivating).finally(commit);
    await Promise.all([approving, deactivating]);
    expect(await grantsOf(first, second)).toEqual([nobodys('PENDING_APPROVAL'), nobodys('ACTIVE')]);
  });

  test('lets an approval on one of their tickets wait, which then gives the grant to nobody', async () => {
    const { accountId, first, second } = await engineerWithTickets();
    const { paused, written, commit } = pausedBeforeCommit(deactivateAccount);
    const deactivating = run(paused, { accountId }, operator);
    await written;
    const approving = run(approveDataAccess, approval(second), await adminId());
    await toWaitForALock(approving).finally(commit);
    await Promise.all([approving, deactivating]);
    expect(await grantsOf(first, second)).toEqual([nobodys('PENDING_APPROVAL'), nobodys('ACTIVE')]);
  });

  test('waits for the assignment of another ticket to them, and takes that one too', async () => {
    const { accountId, first, second } = await engineerWithTickets();
    const { ticketId } = await fileTicket(gateway, world);
    const { paused, written, commit } = pausedBeforeCommit(assignTicket);
    const assigning = run(paused, { ticketId: rawId(ticketId), engineerId: accountId }, operator);
    await written;
    const deactivating = run(deactivateAccount, { accountId }, operator);
    await toWaitForALock(deactivating).finally(commit);
    await Promise.all([assigning, deactivating]);
    const pending = nobodys('PENDING_APPROVAL');
    expect(await grantsOf(first, second, rawId(ticketId))).toEqual([pending, pending, pending]);
  });

  test('lets the assignment of another ticket to them wait, which is then refused', async () => {
    const { accountId } = await engineerWithTickets();
    const { ticketId } = await fileTicket(gateway, world);
    const { paused, written, commit } = pausedBeforeCommit(deactivateAccount);
    const deactivating = run(paused, { accountId }, operator);
    await written;
    const assigning = run(assignTicket, { ticketId: rawId(ticketId), engineerId: accountId }, operator);
    await toWaitForALock(assigning).finally(commit);
    await expect(assigning).rejects.toThrow(RefusedError);
    await deactivating;
    expect(await grantsOf(rawId(ticketId))).toMatchObject([{ assignee_id: rawId(world.engineer.id) }]);
  });
});
