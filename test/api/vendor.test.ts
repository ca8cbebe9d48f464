/** What the vendor cannot do alone, and what customers are told of what it does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import {
  assignRole,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let operator: Person;
let organizationId: string;
let count = 0;
const fresh = (domain = 'acme.example') => `fresh-${++count}@${domain}`;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  operator = world.operator;
  organizationId = world.acme.organizationId;
});
afterAll(() => gateway.dispose());

async function addMember(): Promise<{ id: string; email: string }> {
  const email = fresh();
  const { id } = await done(operator, 'addUser', { organizationId, email, name: 'Fresh' });
  return { id, email };
}

const entriesOf = async (reader: Person, action: string, count = 10): Promise<Json[]> => {
  const { auditLog } = await reader.ask(
    `query ($action: AuditAction!, $count: Int!) { auditLog(first: $count, filter: { action: $action }) {
       edges { node { actor { kind } resource { name } organizationId ticketId details } } } }`,
    { action, count },
  );
  return auditLog.edges.map(({ node }: Json) => node);
};

/** The details of the queued mails about what an operator did alone, to this person. */
const mailsTo = async (email: string): Promise<Json[]> => {
  const { rows } = await gateway.sql.query(
    `SELECT m.details FROM mails m JOIN accounts a ON a.id = m.recipient_id
      WHERE a.email = $1 AND m.kind = 'roles-by-operator' ORDER BY m.created_at`,
    [email],
  );
  return rows.map(({ details }) => details);
};

test('what an operator does to a user is in the log of every organization that the user belongs to', async () => {
  const { id: accountId, email } = await addMember();
  const elsewhere = world.globex.organizationId;
  await done(operator, 'addUser', { organizationId: elsewhere, email, name: 'Fresh' });
  const admins = await Promise.all([
    gateway.as(world.acme.emails.organizationAdmin),
    gateway.as(world.globex.emails.organizationAdmin),
  ]);
  for (const [mutation, action] of [
    ['deactivateAccount', 'ACCOUNT_DEACTIVATE'],
    ['reactivateAccount', 'ACCOUNT_REACTIVATE'],
  ] as const) {
    await done(operator, mutation, { accountId });
    const expected = { actor: { kind: 'OPERATOR' }, resource: { name: email }, details: { email } };
    const read = await Promise.all(admins.map((admin) => entriesOf(admin, action, 1)));
    expect(read).toMatchObject([
      [{ ...expected, organizationId }],
      [{ ...expected, organizationId: elsewhere }],
    ]);
    const inAll = (await entriesOf(operator, action)).filter((entry) => entry.details.email === email);
    expect(inAll).toHaveLength(2);
  }
});

test('what an operator does to a service account of an organization is in the log of that organization', async () => {
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const service = { email: fresh(), name: 'SIEM', capabilities: ['AUDIT_READING'] };
  const { id: accountId } = await done(operator, 'addServiceAccount', { ...service, organizationId });
  await done(operator, 'deactivateAccount', { accountId });
  for (const action of ['ACCOUNT_ADD_SERVICE_ACCOUNT', 'ACCOUNT_DEACTIVATE']) {
    expect(await entriesOf(admin, action, 1)).toMatchObject([{ details: { email: service.email } }]);
  }
});

test('an engineer who is deactivated has no tickets and no grants from then on, also when they come back', async () => {
  const email = fresh('vendor.example');
  const { id: engineerId } = await done(operator, 'addSupportEngineer', { email, name: 'Leaver' });
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const file = async (site: 'main' | 'original') => {
    const { ticketId } = await fileTicket(gateway, world, { site });
    await done(operator, 'assignTicket', { ticketId, engineerId });
    return ticketId;
  };
  const [active, pending, closed] = [await file('main'), await file('original'), await file('main')];
  const { id: grantId } = await done(admin, 'approveDataAccess', { ticketId: active });
  await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId: closed });
  const events = admin.socket().iterate({
    query: `subscription { grantEvents(filter: { ticketId: "${active}" }) { type grant { state engineer { email } } } }`,
  });
  const next = async () => (await events.next()).value?.data?.['grantEvents'];
  expect(await next()).toMatchObject({ type: 'STARTED' });

  await done(operator, 'deactivateAccount', { accountId: engineerId });
  expect(await next()).toEqual({ type: 'REASSIGNED', grant: { state: 'ACTIVE', engineer: null } });
  await events.return?.();
  const read = async (ids: string[]): Promise<Json[]> => {
    const { nodes } = await admin.ask(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Ticket { status assignee { email }
         grants(first: 1) { edges { node { state engineer { email } } } } } } }`,
      { ids },
    );
    return nodes.map(({ grants, ...ticket }: Json) => ({ ...ticket, grant: grants.edges[0].node }));
  };
  expect(await read([active, pending, closed])).toEqual([
    { status: 'OPEN', assignee: null, grant: { state: 'ACTIVE', engineer: null } },
    { status: 'OPEN', assignee: null, grant: { state: 'PENDING_APPROVAL', engineer: null } },
    { status: 'CLOSED', assignee: { email }, grant: { state: 'WITHDRAWN', engineer: { email } } },
  ]);
  const former = { engineerId: null, formerEngineerId: engineerId };
  expect((await entriesOf(admin, 'TICKET_ASSIGN', 2)).map(({ details }) => details)).toEqual([
    former,
    former,
  ]);
  expect((await entriesOf(admin, 'GRANT_REASSIGN', 2)).map(({ details }) => details)).toMatchObject([
    former,
    former,
  ]);

  // A ticket that is reopened meanwhile comes back without its engineer.
  await done(await gateway.as(world.acme.emails.reporter), 'reopenTicket', { ticketId: closed });
  expect(await read([closed])).toMatchObject([{ status: 'OPEN', assignee: null }]);
  expect(await entriesOf(admin, 'TICKET_ASSIGN', 1)).toMatchObject([{ ticketId: closed, details: former }]);

  await done(operator, 'reactivateAccount', { accountId: engineerId });
  const engineer = await gateway.as(email);
  const seen = await engineer.ask('{ tickets { edges { node { id } } } grants { edges { node { id } } } }');
  expect(seen).toEqual({ tickets: { edges: [] }, grants: { edges: [] } });
  expect(await attempt(engineer, 'releaseDataAccess', { grantId })).toMatchObject({ code: 'NOT_FOUND' });
});

describe('an operator', () => {
  const roleOf = async (userId: string): Promise<Json> => {
    const { roleAssignments } = await operator.ask(
      `query ($userId: ID!) { roleAssignments(filter: { userId: $userId }) { edges { node { role syncState } } } }`,
      { userId },
    );
    return roleAssignments.edges[0]?.node ?? null;
  };
  const settle = (person: Person, how: string, id: string) =>
    attempt(person, `${how}ProposedChange`, { proposedChangeId: id });
  const proposed = { __typename: 'ProposedChange', changeKind: 'ASSIGN_ROLE', state: 'WAITING' };

  test('proposes a role, which counts once an organization admin has confirmed it', async () => {
    const { id: userId, email } = await addMember();
    const input = { userId, organizationId, role: 'ORGANIZATION_ADMIN' };
    const waiting = await attempt(operator, 'assignRole', input);
    expect(waiting).toMatchObject(proposed);
    expect(await roleOf(userId)).toBeNull();
    expect(await attempt(operator, 'assignRole', input)).toMatchObject({ ...proposed, id: waiting.id });
    expect(await attempt(operator, 'assignRole', { ...input, origin: 'SCIM' })).toMatchObject({
      code: 'ANOTHER_CHANGE_WAITS',
    });
    for (const [person, code] of [
      [operator, 'FORBIDDEN'],
      [await gateway.as(world.acme.emails.guardAdmin), 'FORBIDDEN'],
      [await gateway.as(world.acme.emails.jiraAdmin), 'NOT_FOUND'],
      [world.admins.globex, 'NOT_FOUND'],
    ] as const)
      expect(await settle(person, 'confirm', waiting.id), person.email).toMatchObject({ code });

    expect(await settle(world.admins.acme, 'confirm', waiting.id)).toMatchObject({ state: 'APPLIED' });
    expect(await roleOf(userId)).toEqual({ role: 'ORGANIZATION_ADMIN', syncState: 'SYNCED' });
    expect(await mailsTo(email)).toEqual([]);
    const [confirmed] = await entriesOf(world.admins.acme, 'PROPOSED_CHANGE_CONFIRM', 1);
    expect(confirmed).toMatchObject({ actor: { kind: 'USER' } });
  });

  test('assigns no role that an organization admin has declined', async () => {
    const { id: userId } = await addMember();
    const input = { userId, organizationId, role: 'GUARD_ADMIN', origin: 'SCIM' };
    const { id } = await done(operator, 'assignRole', input);
    expect(await settle(world.admins.acme, 'decline', id)).toMatchObject({ state: 'DECLINED' });
    expect(await roleOf(userId)).toBeNull();
  });

  test('proposes each role of a sync', async () => {
    const { id: userId } = await addMember();
    const role = { userId, organizationId, role: 'ORGANIZATION_ADMIN', origin: 'SCIM' };
    await assignRole(world, role);
    await done(operator, 'triggerScimSync', { organizationId });
    expect(await roleOf(userId)).toMatchObject({ syncState: 'PENDING_SYNC' });
    const { node } = await world.admins.acme.ask(
      `query ($id: ID!) { node(id: $id) { ... on Organization {
         proposedChanges(first: 100) { edges { node { id changeKind affectedUser { id } } } } } } }`,
      { id: organizationId },
    );
    const own = node.proposedChanges.edges.find((edge: Json) => edge.node.affectedUser?.id === userId).node;
    expect(own).toMatchObject({ changeKind: 'SYNC_ROLE' });
    expect(await settle(world.admins.acme, 'confirm', own.id)).toMatchObject({ state: 'APPLIED' });
    expect(await roleOf(userId)).toMatchObject({ syncState: 'SYNCED' });
  });

  test('appoints the first admin, and another one where the only one is not active, which role holders are told', async () => {
    const { id: place } = await done(operator, 'createOrganization', { name: 'Initech' });
    const [first, second] = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const email = `${name}@initech.example`;
        const { id } = await done(operator, 'addUser', { organizationId: place, email, name });
        return { id, email };
      }),
    );
    if (first === undefined || second === undefined) throw new Error('two');
    const appoint = (userId: string) =>
      attempt(operator, 'assignRole', { organizationId: place, userId, role: 'ORGANIZATION_ADMIN' });
    expect(await appoint(first.id)).toMatchObject({ __typename: 'RoleAssignment' });
    expect(await appoint(second.id)).toMatchObject(proposed);
    await done(operator, 'deactivateAccount', { accountId: first.id });
    await gateway.sql.query(
      `UPDATE organizations SET former_admin_since = former_admin_since - interval '72 hours' WHERE name = 'Initech'`,
    );
    expect(await appoint(second.id)).toMatchObject({ __typename: 'RoleAssignment' });
    const summary = (email: string) => `Assign the role Organization admin over Initech to ${email}`;
    expect((await mailsTo(first.email)).map((mail) => mail.summary)).toEqual([summary(first.email)]);
    expect((await mailsTo(second.email)).map((mail) => mail.summary)).toEqual([summary(second.email)]);
  });

  test.each(['deactivateAccount', 'removeRole', 'removeUser'])(
    'who takes the last admin away by %s appoints nobody at once, which a Guard admin can stop',
    async (takeAway) => {
      const { id: place } = await done(operator, 'createOrganization', { name: takeAway, hasGuard: true });
      const people = [];
      for (const name of ['first', 'guard', 'second']) {
        const email = `${name}-${takeAway}@initech.example`.toLowerCase();
        people.push({
          email,
          ...(await done(operator, 'addUser', { organizationId: place, email, name })),
        } as { id: string; email: string });
      }
      const [first, guard, second] = people;
      if (first === undefined || guard === undefined || second === undefined) throw new Error('three');
      const appoint = (userId: string, role = 'ORGANIZATION_ADMIN') =>
        attempt(operator, 'assignRole', { organizationId: place, userId, role });
      const { id: roleAssignmentId } = await appoint(first.id);
      const guardAdmin = { organizationId: place, userId: guard.id, role: 'GUARD_ADMIN' };
      await done(await gateway.as(first.email), 'assignRole', guardAdmin);
      const inputs: Record<string, Record<string, unknown>> = {
        deactivateAccount: { accountId: first.id },
        removeRole: { roleAssignmentId },
        removeUser: { organizationId: place, userId: first.id },
      };
      await done(operator, takeAway, inputs[takeAway] ?? {});

      const gina = await gateway.as(guard.email);
      const own = await appoint(guard.id);
      expect(own).toMatchObject(proposed);
      expect(await settle(gina, 'confirm', own.id)).toMatchObject({ code: 'FORBIDDEN' });
      const one = await appoint(second.id);
      expect(await settle(gina, 'decline', one.id)).toMatchObject({ state: 'DECLINED' });
      const other = await appoint(second.id);
      expect(await roleOf(second.id)).toBeNull();
      expect(await settle(gina, 'confirm', other.id)).toMatchObject({ state: 'APPLIED' });
      expect(await roleOf(second.id)).toEqual({ role: 'ORGANIZATION_ADMIN', syncState: 'SYNCED' });
    },
  );

  test('does not make a Guard admin by the confirmation of one admin where access was restricted since', async () => {
    const { id: place } = await done(operator, 'createOrganization', { name: 'Later', hasGuard: true });
    const url = 'https://later.example';
    const { id: siteId } = await done(operator, 'createSite', { organizationId: place, url, name: 'Later' });
    const [admin, member] = await Promise.all(
      ['admin', 'member'].map(async (name) => {
        const email = `${name}@later.example`;
        const { id } = await done(operator, 'addUser', { organizationId: place, email, name });
        return { id, email };
      }),
    );
    if (admin === undefined || member === undefined) throw new Error('two');
    await done(operator, 'assignRole', {
      ...{ organizationId: place, userId: admin.id, role: 'ORGANIZATION_ADMIN' },
    });
    const guard = { organizationId: place, userId: member.id, role: 'GUARD_ADMIN' };
    const { id } = await done(operator, 'assignRole', guard);
    const person = await gateway.as(admin.email);
    await done(person, 'setSupportAccessRestrictions', { siteId, restricted: true });
    expect(await settle(person, 'confirm', id)).toMatchObject({ code: 'CHANGE_LAPSED' });
    expect(await roleOf(member.id)).toBeNull();
  });
});

describe('a user who is reactivated', () => {
  const rolesOf = async (userId: string) => {
    const { roleAssignments } = await operator.ask(
      `query ($userId: ID!) { roleAssignments(filter: { userId: $userId }) { edges { node { role organization { id } } } } }`,
      { userId },
    );
    return roleAssignments.edges.map(({ node }: Json) => [node.role, node.organization.id]);
  };

  test('has no role in an organization that has an active admin', async () => {
    const { id: userId, email } = await addMember();
    await assignRole(world, { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
    await done(operator, 'deactivateAccount', { accountId: userId });
    expect(await rolesOf(userId)).toEqual([['ORGANIZATION_ADMIN', organizationId]]);
    await done(operator, 'reactivateAccount', { accountId: userId });
    expect(await rolesOf(userId)).toEqual([]);
    expect(await entriesOf(world.admins.acme, 'ROLE_REMOVE', 1)).toMatchObject([
      { actor: { kind: 'OPERATOR' }, details: { email, role: 'ORGANIZATION_ADMIN' } },
    ]);
  });

  test('has the roles in an organization without one, and keeps them when reactivated again', async () => {
    const { id: place } = await done(operator, 'createOrganization', { name: 'Alone' });
    const email = fresh('alone.example');
    const { id: userId } = await done(operator, 'addUser', { organizationId: place, email, name: 'Alone' });
    const only = { userId, organizationId: place, role: 'ORGANIZATION_ADMIN' };
    await done(operator, 'assignRole', only);
    await done(operator, 'deactivateAccount', { accountId: userId });
    for (let times = 0; times < 2; times += 1) {
      await done(operator, 'reactivateAccount', { accountId: userId });
      expect(await rolesOf(userId)).toEqual([['ORGANIZATION_ADMIN', place]]);
    }
    // Once for the one time at which they count again.
    const summary = `Reactivate ${email}, whose roles count again`;
    expect((await mailsTo(email)).filter((mail) => mail.summary === summary)).toHaveLength(1);
  });
});

test('of the people who are reactivated, only the last admin of an organization has a role there', async () => {
  const { id: place } = await done(operator, 'createOrganization', { name: 'Bereft', hasGuard: true });
  const site = { organizationId: place, url: 'https://bereft.example', name: 'Bereft' };
  const { id: siteId } = await done(operator, 'createSite', site);
  const join = async (by: Person, role: string) => {
    const email = fresh('bereft.example');
    const { id: userId } = await done(operator, 'addUser', { organizationId: place, email, name: role });
    await done(by, 'assignRole', { userId, organizationId: place, role });
    return { id: userId, person: await gateway.as(email) };
  };
  const last = await join(operator, 'ORGANIZATION_ADMIN');
  const earlier = await join(last.person, 'ORGANIZATION_ADMIN');
  const guard = await join(last.person, 'GUARD_ADMIN');
  await done(last.person, 'setSupportAccessRestrictions', { siteId, restricted: true });
  for (const { id: accountId } of [earlier, guard, last])
    await done(operator, 'deactivateAccount', { accountId });
  const rolesAfter = async (accountId: string): Promise<string[]> => {
    await done(operator, 'reactivateAccount', { accountId });
    const { roleAssignments } = await operator.ask(
      `query ($id: ID!) { roleAssignments(filter: { userId: $id }) { edges { node { role } } } }`,
      { id: accountId },
    );
    return roleAssignments.edges.map(({ node }: Json) => node.role);
  };
  expect(await rolesAfter(earlier.id)).toEqual([]);
  // Once it has passed, the roles of others count again, except that of a Guard admin.
  await gateway.sql.query(
    `UPDATE organizations SET former_admin_since = former_admin_since - interval '72 hours' WHERE name = 'Bereft'`,
  );
  expect(await rolesAfter(guard.id)).toEqual([]);
  expect(await rolesAfter(last.id)).toEqual(['ORGANIZATION_ADMIN']);
});

describe('an address of the vendor', () => {
  const addresses = ['one@vendor.example', 'Two@Support.Vendor.Example', '"a@b"@vendor.example'];

  test.each(addresses)('is no customer of anybody: %s', async (email) => {
    expect(await attempt(operator, 'addUser', { organizationId, email, name: 'Colleague' })).toMatchObject({
      code: 'VENDOR_ADDRESS',
      message: expect.stringContaining('the address that they have at the customer'),
    });
  });

  test.each(['vendor.example@acme.example', 'one@notvendor.example', 'one@vendor.example.acme.example'])(
    'is not this one: %s',
    async (email) => {
      expect(await attempt(operator, 'addUser', { organizationId, email, name: 'X' })).toMatchObject({
        email,
      });
    },
  );

  test('has no rights by a membership and a role from before', async () => {
    const { id: userId, email } = await addMember();
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    await done(admin, 'assignRole', { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
    const { ticketId } = await fileTicket(gateway, world);
    const person = await gateway.as(email);
    const look = `{ viewer { organizations { id } } node(id: "${ticketId}") { id } }`;
    expect(await person.ask(look)).toMatchObject({ node: { id: ticketId } });

    const moved = `moved-${email.replace('acme', 'vendor')}`;
    await gateway.sql.query('UPDATE accounts SET email = $2 WHERE email = $1', [email, moved]);
    expect(await person.ask(look)).toEqual({ viewer: { organizations: [] }, node: null });
    expect(await attempt(person, 'approveDataAccess', { ticketId })).toMatchObject({ code: 'NOT_FOUND' });
    const { node } = await admin.ask(
      `{ node(id: "${ticketId}") { ... on Ticket { accessEligibility { eligibleGrantors(first: 100) { edges { node { email } } } } } } }`,
    );
    const grantors = node.accessEligibility.eligibleGrantors.edges.map((edge: Json) => edge.node.email);
    expect(grantors).not.toContain(moved);
    const again = { userId, organizationId, role: 'GUARD_ADMIN' };
    expect(await attempt(operator, 'assignRole', again)).toMatchObject({ code: 'VENDOR_ADDRESS' });
    expect(await attempt(operator, 'removeUser', { organizationId, userId })).toMatchObject({ id: userId });
  });
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
