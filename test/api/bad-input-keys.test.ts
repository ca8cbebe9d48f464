/** Email addresses in other spellings, and idempotency keys that were used before. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Person, TestGateway } from '../support/gateway.ts';
import { attempt, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';
import { journal, type Written } from '../support/written.ts';

let gateway: TestGateway;
let world: World;
let admin: Person;
let written: () => Promise<Written[]>;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  written = await journal(gateway.sql);
});
afterAll(() => gateway.dispose());

test('email addresses are compared without regard to case', async () => {
  const { organizationId } = world.acme;
  const input = { organizationId, email: 'Someone@Acme.Example', name: 'Someone' };
  await done(world.operator, 'addUser', input);
  expect(await attempt(world.operator, 'addUser', { ...input, email: 'SOMEONE@acme.example' })).toMatchObject(
    {
      code: 'ALREADY_EXISTS',
    },
  );
  for (const name of ['addSupportEngineer', 'addOperator']) {
    const { organizationId: _, ...person } = input;
    expect(await attempt(world.operator, name, person)).toMatchObject({ code: 'ALREADY_EXISTS' });
  }
  const found = await admin.ask(
    '{ accounts(filter: { email: "SOMEONE@ACME.EXAMPLE" }) { edges { node { email } } } }',
  );
  expect(found.accounts.edges).toEqual([{ node: { email: 'someone@acme.example' } }]);
  expect((await gateway.as('SomeOne@acme.example')).token).not.toBe('');
});

test('an idempotency key belongs to one input of one command of one account', async () => {
  const { main } = world.acme.sites;
  const filed = { productId: main.products.jira, grantDataAccess: false, idempotencyKey: 'one' };
  const first = await attempt(admin, 'createTicket', { ...filed, summary: 'Slow' });
  expect(await attempt(admin, 'createTicket', { ...filed, summary: 'Slow' })).toEqual(first);
  await written();
  expect(await attempt(admin, 'createTicket', { ...filed, summary: 'Fast' })).toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
  const { ticketId: other } = await fileTicket(gateway, world);
  await written();
  expect(await attempt(admin, 'approveDataAccess', { ticketId: other, idempotencyKey: 'one' })).toMatchObject(
    {
      code: 'IDEMPOTENCY_KEY_REUSED',
    },
  );
  const left = (await written()).filter(({ relation }) => relation !== 'audit_entries');
  expect(left).toEqual([]);
  // The same key of another account is a different key.
  const reporter = await gateway.as(world.acme.emails.reporter);
  expect((await attempt(reporter, 'createTicket', { ...filed, summary: 'Slow' })).id).not.toBe(first.id);
});
