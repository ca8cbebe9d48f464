import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { attempt, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
});
afterAll(() => gateway.dispose());

test('a ticket without consent waits for an eligible admin, and closing it revokes the grant', async () => {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  const confluenceAdmin = await gateway.as(world.acme.emails.confluenceAdmin);
  const refused = await attempt(confluenceAdmin, 'approveDataAccess', { ticketId });
  expect(refused).toMatchObject({
    code: 'NOT_ELIGIBLE',
    eligibility: { obstacles: [{ code: 'WRONG_PRODUCT' }] },
  });

  const jiraAdmin = await gateway.as(world.acme.emails.jiraAdmin);
  expect(await attempt(jiraAdmin, 'approveDataAccess', { ticketId })).toMatchObject({
    id: grantId,
    state: 'ACTIVE',
  });
  expect(await attempt(jiraAdmin, 'approveDataAccess', { ticketId })).toMatchObject({
    code: 'ALREADY_ACTIVE',
  });

  await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId });
  const { node } = await jiraAdmin.ask(
    `query Grant($id: ID!) { node(id: $id) { ... on Grant { state endReason decisions { stage outcome decidedBy { email } } } } }`,
    { id: grantId },
  );
  expect(node).toEqual({
    state: 'REVOKED',
    endReason: 'TICKET_CLOSED',
    decisions: [
      { stage: 'CUSTOMER', outcome: 'APPROVED', decidedBy: { email: world.acme.emails.jiraAdmin } },
    ],
  });
});

test('on a restricted site a Guard admin decides after the customer', async () => {
  const { ticketId, grantId } = await fileTicket(gateway, world, { site: 'restricted' });
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  expect(await attempt(admin, 'approveDataAccess', { ticketId })).toMatchObject({
    state: 'PENDING_GUARD_APPROVAL',
  });
  expect(await attempt(admin, 'approveGuardRequest', { grantId })).toMatchObject({ code: 'FORBIDDEN' });
  const guardAdmin = await gateway.as(world.acme.emails.guardAdmin);
  expect(await attempt(guardAdmin, 'approveGuardRequest', { grantId })).toMatchObject({ state: 'ACTIVE' });
});

test('an engineer receives the current state and then events over a WebSocket', async () => {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  const engineer = await gateway.as(world.engineer.email);
  const events = engineer.socket().iterate({
    query: `subscription Watch($id: ID!) { grantEvents(filter: { ticketId: $id }, withCurrentState: true) {
      id cursor type grant { id state ticket { key } }
    } }`,
    variables: { id: ticketId },
  });
  expect(await nextOfGrant(events)).toMatchObject({
    type: 'CURRENT',
    grant: { id: grantId, state: 'PENDING_APPROVAL' },
  });
  const jiraAdmin = await gateway.as(world.acme.emails.jiraAdmin);
  await done(jiraAdmin, 'approveDataAccess', { ticketId });
  expect(await nextOfGrant(events)).toMatchObject({
    type: 'ACTIVATED',
    grant: { id: grantId, state: 'ACTIVE' },
  });
  await events.return?.();
});
