/** Product backends at a real gateway: over HTTP, and docs/examples/product-backend.ts as it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { reservePort } from '../support/ports.ts';
import { rawId } from '../support/rows.ts';
import { done, startGatewayWithWorld, type World } from '../support/world.ts';

const site = 'https://acme.example';
const publicUrl = 'https://support-access.vendor.example';
const email = 'jira-backend@vendor.example';

let gateway: TestGateway;
let world: World;
let backend: Person;
let backendId: string;
/** The product Jira on the site of the example. */
let productId: string;
beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ config: { publicUrl } }));
  const { operator, acme } = world;
  const { id: siteId } = await done(operator, 'createSite', {
    ...{ organizationId: acme.organizationId, url: site, name: 'Acme', experience: 'CENTRALIZED' },
  });
  productId = (await done(operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' })).id;
  const may = { capabilities: ['ACCESS_EVALUATION'], evaluatedProducts: ['jira'] };
  backendId = (await done(operator, 'addServiceAccount', { email, name: 'Backend of Jira', ...may })).id;
  backend = await gateway.as(email);
});
afterAll(() => gateway.dispose());

/** A ticket about Jira, whose engineer has started a session under a grant. */
async function startWork(): Promise<{ ticket: string; grantId: string }> {
  const admin = world.admins.acme;
  const input = { productId, summary: 'The board is slow', grantDataAccess: true };
  const { id: ticketId, key } = await done(admin, 'createTicket', input);
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id });
  const { ticket } = await admin.ask(
    `{ ticket(key: "${key}") { grants(first: 1) { edges { node { id } } } } }`,
  );
  const grantId: string = ticket.grants.edges[0].node.id;
  const session = { grantId, reason: 'INVESTIGATE_PROBLEM', note: 'Looks at the board', country: 'DE' };
  await done(await gateway.as(world.engineer.email), 'startSupportSession', session);
  return { ticket: key, grantId };
}

function post(path: string, body: unknown, { token }: Person = backend): Promise<Response> {
  return fetch(`${gateway.url}/access/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(generousMs),
  });
}

const questionAbout = (ticket: string, product = 'jira') => ({
  subject: { type: 'support_engineer', id: world.engineer.email },
  action: { name: 'work_item.read' },
  resource: { type: 'work_item', id: 'ACME-1', properties: { site, product } },
  context: { ticket },
});

test('a question is answered, and the answer is an entry on the audit log', async () => {
  const { ticket } = await startWork();
  const response = await post('evaluation', questionAbout(ticket));
  expect(response.status).toBe(200);
  const answer = (await response.json()) as Json;
  expect(answer).toEqual({
    decision: true,
    context: { code: 'ALLOWED', message: expect.any(String), evaluation: expect.any(String) },
  });
  const { node } = await world.admins.acme.ask(
    `{ node(id: "${answer.context.evaluation}") { ... on AuditEntry { outcome actor { email } } } }`,
  );
  expect(node).toEqual({ outcome: 'SUCCEEDED', actor: { email: world.engineer.email } });
});

test('the items of a batch are judged each on its own; a broken one is recorded too', async () => {
  const { ticket } = await startWork();
  const { subject, action, resource, context } = questionAbout(ticket);
  const other = { ...resource, properties: { site, product: 'confluence' } };
  const response = await post('evaluations', {
    ...{ subject, action, context },
    evaluations: [{ resource }, { resource: other }, {}],
  });
  const { evaluations } = (await response.json()) as Json;
  expect(evaluations.map((one: Json) => [one.decision, one.context.code])).toEqual([
    [true, 'ALLOWED'],
    [false, 'ASKER_OF_OTHER_PRODUCT'],
    [false, 'INVALID_QUESTION'],
  ]);
  expect(new Set(evaluations.map((one: Json) => one.context.evaluation)).size).toBe(3);
});

test('only an active service account with the capability may ask', async () => {
  const question = questionAbout('SUP-1');
  const { services, engineer, acme, operator } = world;
  const others = [services.watching, services.ticketing, engineer.email, acme.emails.organizationAdmin];
  for (const person of [operator, ...(await Promise.all(others.map(gateway.as)))]) {
    expect((await post('evaluation', question, person)).status, person.email).toBe(403);
  }
  await done(operator, 'deactivateAccount', { accountId: backendId });
  expect((await post('evaluation', question)).status).toBe(403);
  await done(operator, 'reactivateAccount', { accountId: backendId });
  expect((await post('evaluation', question)).status).toBe(200);
});

test('an account that has asked before is told nothing once it may not ask any more, and nothing is recorded', async () => {
  const count = async (): Promise<number> =>
    (
      await gateway.sql.query(
        `SELECT count(*)::int AS n FROM audit_entries WHERE details ->> 'askedById' = $1`,
        [rawId(backendId)],
      )
    ).rows[0].n;
  const statuses = async () => [
    (await post('evaluation', questionAbout('SUP-1'))).status,
    (await post('evaluation', questionAbout('SUP-1'))).status,
    (await post('evaluation', 'no question')).status,
    (await post('evaluations', { evaluations: [{}] })).status,
  ];
  expect(await statuses()).toEqual([200, 200, 400, 200]);
  const before = await count();
  await done(world.operator, 'deactivateAccount', { accountId: backendId });
  expect(await post('evaluation', 'no question')).toMatchObject({ status: 403 });
  expect(await statuses()).toEqual([403, 403, 403, 403]);
  expect(await count()).toBe(before);
  await done(world.operator, 'reactivateAccount', { accountId: backendId });
  expect(await statuses()).toEqual([200, 200, 400, 200]);
  expect(await count()).toBe(before + 3);

  // The same subject, but not of this account any more.
  await gateway.sql.query(`UPDATE accounts SET subject = 'somebody else' WHERE id = $1`, [rawId(backendId)]);
  expect(await statuses()).toEqual([403, 403, 403, 403]);
  await gateway.sql.query('UPDATE accounts SET subject = NULL, subject_issuer = NULL WHERE id = $1', [
    rawId(backendId),
  ]);
  // The first sign-in binds it again.
  expect(await statuses()).toEqual([200, 200, 400, 200]);
});

test('the metadata name the configured address', async () => {
  const response = await fetch(`${gateway.url}/.well-known/authzen-configuration`);
  expect(await response.json()).toMatchObject({ policy_decision_point: publicUrl });
});

/** Starts the example as a process; returns its URL. */
async function startExample(latchkeyUrl: string): Promise<string> {
  const port = await reservePort();
  const path = fileURLToPath(new URL('../../docs/examples/product-backend.ts', import.meta.url));
  const child = spawn(process.execPath, [path], {
    env: { LATCHKEY_URL: latchkeyUrl, LATCHKEY_TOKEN: backend.token, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await once(child.stdout, 'data');
  return `http://127.0.0.1:${port}`;
}

test('the example lets an engineer read while access lasts, and not after it was revoked', async () => {
  const { ticket, grantId } = await startWork();
  const url = await startExample(gateway.url);
  const read = async (path: string, engineer = world.engineer.email, on = ticket) => {
    const headers = { 'x-engineer': engineer, 'x-support-ticket': on };
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(generousMs) });
    return { status: response.status, text: await response.text() };
  };
  const no = { status: 403, text: 'Not allowed.' };
  expect(await read('/work-items/ACME-1')).toEqual({
    status: 200,
    text: 'The board takes a minute to load.',
  });
  expect(await read('/work-items/ACME-1', world.otherEngineer.email)).toEqual(no);
  expect(await read('/work-items/ACME-1', world.engineer.email, 'SUP-0')).toEqual(no);
  expect(await read('/work-items/ACME-1/../ACME-2%00')).toEqual(no);
  await done(world.admins.acme, 'revokeDataAccess', { grantId });
  expect(await read('/work-items/ACME-1')).toEqual(no);
});

test('the example takes no answer for a no', async () => {
  const url = await startExample(`http://127.0.0.1:${await reservePort()}`);
  const headers = { 'x-engineer': world.engineer.email, 'x-support-ticket': 'SUP-1' };
  expect((await fetch(`${url}/work-items/ACME-1`, { headers })).status).toBe(403);
});
