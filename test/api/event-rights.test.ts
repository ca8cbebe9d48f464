/** Fields are read with the viewer's rights of that moment, not those at the start of the operation. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { rawId } from '../support/rows.ts';
import { assignRole, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
});
afterAll(() => gateway.dispose());

describe('after a mutation', () => {
  /** Everything on the way from what a mutation returns to what only a role shows. */
  const shown = `
    fragment Shown on Organization { sites(first: 5) { edges { node { tickets(first: 5) { edges { node {
      key grants(first: 1) { edges { node { id } } } viewerMay { approveDataAccess { code } } } } } } } } }`;
  const keysIn = (organization: Json): string[] =>
    organization.sites.edges.flatMap(({ node }: Json) =>
      node.tickets.edges.map((edge: Json) => edge.node.key),
    );

  let others: string;
  let joined = 0;
  beforeEach(async () => {
    others = (await fileTicket(gateway, world)).key;
  });

  /** A member with a role over the organization, and the ids of both. */
  async function join(
    origin = 'DIRECT',
  ): Promise<{ person: Person; userId: string; roleAssignmentId: string }> {
    const { organizationId } = world.acme;
    joined += 1;
    const email = `joined-${joined}@acme.example`;
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Joined' });
    const role = { organizationId, userId, role: 'ORGANIZATION_ADMIN', origin };
    const { id: roleAssignmentId } = await assignRole(world, role);
    return { person: await gateway.as(email), userId, roleAssignmentId };
  }

  const ticket = () => ({
    ...{ productId: world.acme.sites.main.products.jira, summary: 'Mine', grantDataAccess: false },
  });
  const document = (first: string, second: string) => `
    mutation ($ticket: CreateTicketInput!, $organizationId: ID!, $roleAssignmentId: ID!) {
      ${first}: createTicket(input: $ticket) { ... on Ticket { key site { organization { ...Shown } } } }
      ${second}
      after: createTicket(input: $ticket) {
        ... on Ticket { key site { organization { ...Shown } } accessEligibility { allowed } }
        ... on Error { code } } }
    ${shown}`;

  test('that removed the role of its caller, nothing shows what only the role allowed', async () => {
    const { person, roleAssignmentId } = await join();
    const { organizationId } = world.acme;
    const query = document(
      'before',
      `removeRole(input: { roleAssignmentId: $roleAssignmentId }) {
         ... on RoleAssignment { organization { ...Shown } } }
       again: triggerScimSync(input: { organizationId: $organizationId }) { ... on Error { code } }`,
    );
    const variables = { ticket: ticket(), organizationId, roleAssignmentId };
    const { before, removeRole, again, after } = await person.ask(query, variables);
    expect(keysIn(before.site.organization)).toEqual(expect.arrayContaining([others, before.key]));
    expect(keysIn(removeRole.organization)).toEqual([before.key]);
    expect(again).toEqual({ code: 'FORBIDDEN' });
    expect(keysIn(after.site.organization)).toEqual([after.key, before.key]);
    expect(after.accessEligibility).toEqual({ allowed: false });
  });

  test('that made the role of its caller count, its result shows what the role allows', async () => {
    const { person } = await join('SCIM');
    const { organizationId } = world.acme;
    const query = document(
      'before',
      'sync: triggerScimSync(input: { organizationId: $organizationId }) { ... on Organization { ...Shown } }',
    ).replace(', $roleAssignmentId: ID!', '');
    const grantsOf = (organization: Json) =>
      organization.sites.edges.flatMap(({ node }: Json) =>
        node.tickets.edges.flatMap((edge: Json) => (edge.node.key === others ? edge.node.grants.edges : [])),
      );
    const { before, sync } = await person.ask(query, { ticket: ticket(), organizationId });
    // The role that is not synced shows the ticket, on which it does not count, and not the request on it.
    expect(keysIn(before.site.organization)).toContain(others);
    expect(grantsOf(before.site.organization)).toEqual([]);
    expect(grantsOf(sync)).toHaveLength(1);
  });

  test('meanwhile somebody else took the rights of its caller away: the next mutation shows it', async () => {
    const { person, userId } = await join();
    const { person: leaver, userId: leaverId } = await join();
    await gateway.sql.query(`
      CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        DELETE FROM role_assignments WHERE account_id = NEW.reporter_id AND NEW.reporter_id = '${rawId(userId)}';
        UPDATE accounts SET active = false WHERE id = NEW.reporter_id AND id = '${rawId(leaverId)}';
        RETURN NULL; END $$;
      CREATE TRIGGER meanwhile AFTER INSERT ON tickets FOR EACH ROW EXECUTE FUNCTION meanwhile()`);
    onTestFinished(async () => {
      await gateway.sql.query('DROP FUNCTION meanwhile CASCADE');
    });
    const query = `
      mutation ($ticket: CreateTicketInput!) {
        first: createTicket(input: $ticket) { ... on Ticket { key } }
        second: createTicket(input: $ticket) { ... on Ticket { key site { organization { ...Shown } } } ... on Error { code } }
        third: createTicket(input: $ticket) { ... on Ticket { key } } }
      ${shown}`;
    const { first, second } = await person.ask(query, { ticket: ticket() });
    expect(keysIn(second.site.organization)).toEqual([second.key, first.key]);
    const { data, errors } = await leaver.send(query, { ticket: ticket() });
    expect(data).toBeNull();
    expect(errors).toMatchObject([{ path: ['third'], extensions: { code: 'FORBIDDEN' } }]);
  });
});

test('after a role was removed, later events show nothing that only the role allowed', async () => {
  const { organizationId, sites, emails } = world.acme;
  const { key: others } = await fileTicket(gateway, world);
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
  expect(before).toMatchObject({ type: 'CURRENT', allowed: true });
  expect(before.tickets).toEqual(expect.arrayContaining([key, others]));
  expect(before.grantors).toContain(emails.organizationAdmin);

  const { roleAssignments } = await world.operator.ask(
    `query ($organizationId: ID!) { roleAssignments(filter: { organizationId: $organizationId, role: ORGANIZATION_ADMIN }) {
      edges { node { id } } } }`,
    { organizationId },
  );
  // Newest first: the world's own admin was the first.
  const { node: assignment } = roleAssignments.edges.at(-1);
  await done(world.operator, 'removeRole', { roleAssignmentId: assignment.id });
  await done(await gateway.as(emails.jiraAdmin), 'approveDataAccess', { ticketId });
  const after = await nextEvent();
  expect(after).toMatchObject({ type: 'ACTIVATED', tickets: [key], allowed: false });
  expect(after.grantors).not.toContain(emails.organizationAdmin);
  await events.return?.();
});
