/** Nobody files more tickets or asks for more access than the quotas allow, and the refusal says what to do, or when. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Command, defaultRules } from '../../src/commands/command.ts';
import { createTicket } from '../../src/commands/create-ticket.ts';
import { type Dependencies, executeAndLook } from '../../src/commands/execute.ts';
import { requestDataAccess } from '../../src/commands/request-data-access.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import type { Quotas } from '../../src/platform/quotas.ts';
import { generousDatabaseDeadlines, generousQuotas } from '../support/deadlines.ts';
import type { TestGateway } from '../support/gateway.ts';
import { rawId } from '../support/rows.ts';
import { startGatewayWithWorld, type World } from '../support/world.ts';

const minute = 60_000;
let gateway: TestGateway;
let world: World;
let dependencies: Dependencies;
let now = Date.now();

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const logger = createLogger('silent');
  const database = openDatabase({
    ...{ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines },
  });
  dependencies = { database, clock: () => new Date(now), announce: () => undefined, logger };
});
afterAll(async () => {
  await dependencies.database.dispose();
  await gateway.dispose();
});

async function accountOf(email: string): Promise<string> {
  return (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email])).rows[0].id;
}

const withQuotas = (quotas: Partial<Quotas>): Dependencies => ({
  ...dependencies,
  rules: { ...defaultRules, quotas: { ...generousQuotas, ...quotas } },
});

/** Files a ticket for the reporter, and returns it, or the refusal. */
async function file(
  quotas: Partial<Quotas>,
  by: string,
  reporterId: string | null = null,
  idempotencyKey: string | null = null,
) {
  const productId = rawId(world.acme.sites.main.products.jira);
  const input = { productId, reporterId, summary: 'It is slow', grantDataAccess: false };
  const caller = { accountId: await accountOf(by), idempotencyKey };
  const { answer } = await executeAndLook(withQuotas(quotas), createTicket, input, caller);
  return 'refused' in answer ? answer.refused : answer.answer;
}

const at = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;

test('a user files so many tickets an hour, and the next one when the first is an hour old', async () => {
  const { reporter, organizationAdmin } = world.acme.emails;
  now += 120 * minute;
  const first = now;
  const quotas = { ticketsOfUserPerHour: 2 };
  expect(await file(quotas, reporter)).toMatchObject({ status: 'OPEN' });
  now += minute;
  expect(await file(quotas, reporter)).toMatchObject({ status: 'OPEN' });
  now += minute;
  const refused = { kind: 'InvalidState', code: 'TOO_MANY_TICKETS' };
  expect(await file(quotas, reporter)).toEqual({
    ...refused,
    message: `You have filed 2 tickets within an hour, the most that one person may. File the next one after ${at(first + 60 * minute)}.`,
  });
  // Others do, and so does the ticketing system for the same reporter.
  expect(await file(quotas, organizationAdmin)).toMatchObject({ status: 'OPEN' });
  const reporterId = await accountOf(reporter);
  const ticketing = await ticketingSystem();
  expect(await file(quotas, ticketing, reporterId)).toMatchObject({ status: 'OPEN', reporterId });
  now += 60 * minute;
  expect(await file(quotas, reporter)).toMatchObject({ status: 'OPEN' });
});

test('the quotas are asked only for those who may file a ticket, or ask for access to it', async () => {
  now += 120 * minute;
  const { reporter } = world.acme.emails;
  let asked = 0;
  const counted = <Input, Facts, Row extends object>(command: Command<Input, Facts, Row>) => ({
    ...command,
    exceeded: async () => {
      asked += 1;
      return null;
    },
  });
  const productId = rawId(world.acme.sites.main.products.jira);
  const ticket = { productId, reporterId: null, summary: 'It is slow', grantDataAccess: false };
  async function outcomeFor<Input, Facts, Row extends object>(
    command: Command<Input, Facts, Row>,
    input: Input,
    email: string,
  ) {
    const caller = { accountId: await accountOf(email), idempotencyKey: null };
    const { answer } = await executeAndLook(dependencies, counted(command), input, caller);
    return 'refused' in answer ? answer.refused.code : answer.answer;
  }
  const stranger = world.globex.emails.organizationAdmin;
  expect(await outcomeFor(createTicket, ticket, stranger)).toBe('NOT_FOUND');
  expect(await outcomeFor(createTicket, ticket, 'operator@vendor.example')).toBe('FORBIDDEN');
  const { id: ticketId } = (await file({}, reporter)) as { id: string };
  const access = { ticketId, scope: 'PRODUCT_DATA' as const, conversationIds: [], justification: null };
  expect(await outcomeFor(requestDataAccess, access, stranger)).toBe('NOT_FOUND');
  expect(await outcomeFor(requestDataAccess, access, reporter)).toBe('FORBIDDEN');
  expect(asked).toBe(0);
  expect(await outcomeFor(createTicket, ticket, reporter)).toMatchObject({ status: 'OPEN' });
  expect(asked).toBe(1);
});

test('who tries again later with the same key files the ticket then', async () => {
  const { reporter } = world.acme.emails;
  now += 120 * minute;
  const again = () => file({ ticketsOfUserPerHour: 1 }, reporter, null, 'the same one');
  await file({}, reporter);
  expect(await again()).toMatchObject({ code: 'TOO_MANY_TICKETS' });
  now += 61 * minute;
  const filed = await again();
  expect(filed).toMatchObject({ status: 'OPEN' });
  expect(await again()).toEqual(filed);
});

test('so do the users of an organization together', async () => {
  const { reporter, organizationAdmin } = world.acme.emails;
  now += 120 * minute;
  const quotas = { ticketsOfOrganizationPerHour: 2 };
  for (const by of [reporter, organizationAdmin])
    expect(await file(quotas, by)).toMatchObject({ status: 'OPEN' });
  expect(await file(quotas, reporter)).toMatchObject({
    code: 'TOO_MANY_TICKETS',
    message: expect.stringContaining(`File the next one after ${at(now + 60 * minute)}.`),
  });
  expect(await file(quotas, await ticketingSystem(), await accountOf(reporter))).toMatchObject({
    status: 'OPEN',
  });
});

test('a user has so many open tickets, and files another one when one is closed', async () => {
  const email = world.acme.emails.jiraAdmin;
  const quotas = { openTicketsOfUser: 2 };
  const one = await file(quotas, email);
  await file(quotas, email);
  expect(await file(quotas, email)).toMatchObject({ kind: 'InvalidState', code: 'TOO_MANY_OPEN_TICKETS' });
  if (!('id' in one)) throw new Error('The first was refused');
  const admin = await gateway.as(email);
  const ticketId = Buffer.from(`Ticket:${one.id}`).toString('base64');
  await admin.ask(`mutation { closeTicket(input: { ticketId: "${ticketId}" }) { __typename } }`);
  expect(await file(quotas, email)).toMatchObject({ status: 'OPEN' });
});

test('an engineer makes so many requests an hour, and has so many that await a decision', async () => {
  const accountId = await accountOf(world.engineer.email);
  const tickets: string[] = [];
  for (let filed = 0; filed < 4; filed += 1) {
    const ticket = await file({}, world.acme.emails.reporter);
    if ('id' in ticket) tickets.push(ticket.id);
  }
  const ofThese = `ANY (ARRAY[${tickets.map((id) => `'${id}'::uuid`).join()}])`;
  // In one transaction: a grant has the engineer of its ticket.
  await gateway.sql.query(`
    UPDATE tickets SET assignee_id = '${accountId}', version = version + 1 WHERE id = ${ofThese};
    UPDATE grants SET engineer_id = '${accountId}', version = version + 1 WHERE ticket_id = ${ofThese}`);
  const ask = async (ticketId: string | undefined, quotas: Partial<Quotas>) => {
    if (ticketId === undefined) throw new Error('There is no such ticket');
    const input = {
      ticketId,
      scope: 'ROVO_CONVERSATIONS' as const,
      conversationIds: ['one'],
      justification: null,
    };
    const caller = { accountId, idempotencyKey: null };
    const { answer } = await executeAndLook(withQuotas(quotas), requestDataAccess, input, caller);
    return 'refused' in answer ? answer.refused.code : answer.answer.state;
  };
  // The requests that came with the tickets await a decision as well.
  expect(await ask(tickets[0], { openRequestsOfEngineer: 4 })).toBe('TOO_MANY_OPEN_REQUESTS');
  expect(await ask(tickets[0], { openRequestsOfEngineer: 5 })).toBe('PENDING_APPROVAL');
  expect(await ask(tickets[1], { requestsOfEngineerPerHour: 1 })).toBe('TOO_MANY_ACCESS_REQUESTS');
  expect(await ask(tickets[1], { requestsOfEngineerPerHour: 2 })).toBe('PENDING_APPROVAL');
  now += 61 * minute;
  expect(await ask(tickets[2], { requestsOfEngineerPerHour: 1 })).toBe('PENDING_APPROVAL');
});

async function ticketingSystem(): Promise<string> {
  const { rows } = await gateway.sql.query(
    `SELECT email FROM accounts WHERE kind = 'SERVICE_ACCOUNT' AND 'TICKETING' = ANY (capabilities) AND organization_id IS NULL`,
  );
  if (rows[0] !== undefined) return rows[0].email;
  await world.operator.ask(
    `mutation { addServiceAccount(input: { email: "desk@vendor.example", name: "Desk", capabilities: [TICKETING] }) { __typename ... on Error { message } } }`,
  );
  return 'desk@vendor.example';
}
