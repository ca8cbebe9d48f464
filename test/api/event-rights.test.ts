/** The fields of an event are read with the viewer's rights at that time, not at the start of the subscription. */
import { expect, test } from 'vitest';
import type { Json } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { done, fileTicket, startGatewayWithWorld } from '../support/world.ts';

test('after a role was removed, later events show nothing that only the role allowed', async () => {
  await using filled = await startGatewayWithWorld();
  const { gateway, world } = filled;
  const { organizationId, sites, emails } = world.acme;
  await fileTicket(gateway, world);
  const admin = await gateway.as(emails.organizationAdmin);
  const { id: ticketId, key } = await done(admin, 'createTicket', {
    productId: sites.main.products.jira,
    summary: 'Mine',
    grantDataAccess: false,
  });

  const events = admin.socket().iterate({
    query: `subscription { grantEvents(withCurrentState: true, filter: { ticketId: "${ticketId}" }) { type grant { ticket {
      accessEligibility { allowed eligibleGrantors { edges { node { email } } } }
      site { tickets { edges { node { key } } } } } } } }`,
  });
  async function nextEvent() {
    const event = await nextOfGrant(events);
    const { site, accessEligibility } = event.grant.ticket;
    return {
      type: event.type,
      tickets: site.tickets.edges.map((edge: Json) => edge.node.key),
      allowed: accessEligibility.allowed,
      grantors: accessEligibility.eligibleGrantors.edges.map((edge: Json) => edge.node.email),
    };
  }
  const before = await nextEvent();
  expect(before).toMatchObject({ type: 'CURRENT', tickets: [key, expect.any(String)], allowed: true });
  expect(before.grantors).toContain(emails.organizationAdmin);

  const { roleAssignments } = await world.operator.ask(
    `query ($organizationId: ID!) { roleAssignments(filter: { organizationId: $organizationId, role: ORGANIZATION_ADMIN }) {
      edges { node { id } } } }`,
    { organizationId },
  );
  const [{ node: assignment }] = roleAssignments.edges;
  await done(world.operator, 'removeRole', { roleAssignmentId: assignment.id });
  await done(await gateway.as(emails.jiraAdmin), 'approveDataAccess', { ticketId });
  const after = await nextEvent();
  expect(after).toMatchObject({ type: 'ACTIVATED', tickets: [key], allowed: false });
  expect(after.grantors).not.toContain(emails.organizationAdmin);
  await events.return?.();
});
