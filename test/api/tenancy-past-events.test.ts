/**
 * An event shows its grant as it was then. A subscriber who reads it later, such as an engineer who has lost the
 * ticket since, sees no later change.
 */
import { expect, test } from 'vitest';
import { listen } from '../support/listen.ts';
import { done, fileTicket, startGatewayWithWorld } from '../support/world.ts';

const subscription = `subscription ($after: String) {
  grantEvents(after: $after) { cursor type grant {
    state engineer { email } endedBy { email } decisions { stage outcome reason decidedBy { email } } } }
}`;

test('an event that is read later does not show what has happened since', async () => {
  await using filled = await startGatewayWithWorld({ maintenance: false });
  const { gateway, world } = filled;
  const { engineer: first, otherEngineer: second } = world;
  const engineer = await gateway.as(first.email);
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const guard = await gateway.as(world.acme.emails.guardAdmin);

  const before = await listen(gateway, engineer, subscription);
  const after = /"cursor":"([^"]+)"/.exec(await before.until((text) => text.includes('"cursor"')))?.[1];

  // The engineer has the ticket until after the customer's approval, and may not see the rest.
  const { ticketId, grantId } = await fileTicket(gateway, world, { site: 'restricted' });
  await done(admin, 'approveDataAccess', { ticketId, reason: 'in time' });
  await done(world.operator, 'assignTicket', { ticketId, engineerId: second.id });
  await done(guard, 'approveGuardRequest', { grantId, reason: 'a secret' });
  await done(admin, 'revokeDataAccess', { grantId, reason: 'another secret' });

  const later = await listen(gateway, engineer, subscription, { after });
  const text = await later.until((received) => (received.match(/"type":/g) ?? []).length === 4);
  const [, ...events] = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
    ([, json = '']) => JSON.parse(json).data.grantEvents,
  );
  const customer = {
    ...{ stage: 'CUSTOMER', outcome: 'APPROVED', reason: 'in time' },
    decidedBy: { email: admin.email },
  };
  const nobody = { endedBy: null };
  expect(events.map(({ cursor: _, ...event }) => event)).toEqual([
    {
      type: 'REASSIGNED',
      grant: { state: 'PENDING_APPROVAL', engineer: { email: first.email }, decisions: [], ...nobody },
    },
    {
      type: 'AWAITING_GUARD',
      grant: {
        state: 'PENDING_GUARD_APPROVAL',
        engineer: { email: first.email },
        decisions: [customer],
        ...nobody,
      },
    },
    {
      type: 'REASSIGNED',
      grant: {
        state: 'PENDING_GUARD_APPROVAL',
        engineer: { email: second.email },
        decisions: [customer],
        ...nobody,
      },
    },
  ]);

  // The grant itself shows everything.
  const { node } = await admin.ask(
    'query ($id: ID!) { node(id: $id) { ... on Grant { engineer { email } endedBy { email } decisions { reason } } } }',
    { id: grantId },
  );
  expect(node).toEqual({
    engineer: { email: second.email },
    endedBy: { email: admin.email },
    decisions: [{ reason: 'in time' }, { reason: 'a secret' }],
  });
});
