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

const ticketFields = `key status version closedAt assignee { email } product { key isLicensed site { supportAccessRestricted } }
  site { url status supportAccessRestricted supportAccessPolicy { requestWaitSeconds maxGrantSeconds relayedConsentCounts
    dataResidencyPinned engineerCountries sessionIdleSeconds maxSessionSeconds } }`;
const ownFields = `grants { edges { node { state } } } accessEligibility { eligibleGrantors { edges { node { email } } } }
  site { products { edges { node { isLicensed } } } tickets { edges { node { key } } } }`;
const selecting = (fields: string) => `subscription ($after: String) {
  grantEvents(after: $after) { cursor type grant { state ticket { ${fields} } } } }`;

test.each([
  ['fields that viewers share', ticketFields],
  ['fields of each viewer', `${ticketFields} ${ownFields}`],
])(
  'an engineer who has lost a ticket sees it as it was, its present engineer as it is: %s',
  async (_, fields) => {
    await using filled = await startGatewayWithWorld({ maintenance: false });
    const { gateway, world } = filled;
    const { engineer: first, otherEngineer: second } = world;
    const engineer = await gateway.as(first.email);
    const other = await gateway.as(second.email);
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const query = selecting(fields);
    const start = async (person: typeof engineer) => {
      const begun = await listen(gateway, person, query);
      return /"cursor":"([^"]+)"/.exec(await begun.until((text) => text.includes('"cursor"')))?.[1];
    };
    const [after, afterOfOther] = [await start(engineer), await start(other)];
    const { ticketId, key } = await fileTicket(gateway, world, { site: 'original' });
    await done(admin, 'approveDataAccess', { ticketId });
    await done(world.operator, 'assignTicket', { ticketId, engineerId: second.id });

    // What has happened since, and is none of the first engineer's business.
    const { id: siteId, products } = world.acme.sites.original;
    await done(admin, 'setSupportAccessPolicy', {
      ...{ siteId, requestWaitSeconds: 77, maxGrantSeconds: 88, samePersonMayApproveTwice: true },
      relayedConsentCounts: false,
      ...{
        dataResidencyPinned: true,
        engineerCountries: ['DE'],
        sessionIdleSeconds: 66,
        maxSessionSeconds: 3_333,
      },
    });
    await done(await gateway.as(world.acme.emails.guardAdmin), 'setSupportAccessRestrictions', {
      ...{ siteId, restricted: true },
    });
    await done(world.operator, 'unlicenseProduct', { productId: products.jira });
    await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId });
    await done(world.operator, 'deactivateSite', { siteId });

    // At once: they must not share what one of them sees.
    const read = async (person: typeof engineer, from: string | undefined, count: number) => {
      const stream = await listen(gateway, person, query, { after: from });
      const text = await stream.until((received) => (received.match(/"type":/g) ?? []).length > count);
      const events = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
        ([, json = '']) => JSON.parse(json).data.grantEvents,
      );
      return events.slice(1, count + 1);
    };
    const [events, eventsOfOther] = await Promise.all([
      read(engineer, after, 3),
      read(other, afterOfOther, 2),
    ]);
    const then = { status: 'ACTIVE', supportAccessRestricted: false };
    const policy = {
      requestWaitSeconds: 1_209_600,
      maxGrantSeconds: null,
      relayedConsentCounts: true,
      ...{ dataResidencyPinned: false, engineerCountries: [] },
      ...{ sessionIdleSeconds: 1_800, maxSessionSeconds: 28_800 },
    };
    const ticket = (version: number, email: string) => ({
      ...{ key, status: 'OPEN', version, closedAt: null, assignee: { email } },
      product: { key: 'jira', isLicensed: true, site: { supportAccessRestricted: false } },
      site: expect.objectContaining({ ...then, supportAccessPolicy: policy }),
    });
    expect(events.map(({ type, grant }) => ({ type, ticket: grant.ticket }))).toEqual([
      { type: 'REASSIGNED', ticket: expect.objectContaining(ticket(2, first.email)) },
      { type: 'ACTIVATED', ticket: expect.objectContaining(ticket(2, first.email)) },
      { type: 'REASSIGNED', ticket: expect.objectContaining(ticket(3, second.email)) },
    ]);
    for (const { grant } of fields.includes(ownFields) ? events : []) {
      expect(grant.ticket.grants.edges).toEqual([]);
      expect(grant.ticket.accessEligibility.eligibleGrantors).toBeNull();
      expect(grant.ticket.site).toMatchObject({ products: { edges: [] }, tickets: { edges: [] } });
    }
    expect(eventsOfOther.map(({ type }) => type)).toEqual(['REASSIGNED', 'ENDED']);
    for (const { grant } of eventsOfOther) {
      expect(grant.ticket).toMatchObject({
        ...{
          status: 'CLOSED',
          version: 4,
          assignee: { email: second.email },
          product: { isLicensed: false },
        },
        site: {
          status: 'DEACTIVATED',
          supportAccessRestricted: true,
          supportAccessPolicy: {
            requestWaitSeconds: 77,
            relayedConsentCounts: false,
            engineerCountries: ['DE'],
          },
        },
      });
    }
  },
);
