/** How an organization's admins add members and remove them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { generousQuotas } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { insertInvitations, rawId } from '../support/rows.ts';
import { bySize } from '../support/size.ts';
import {
  assignRole,
  attempt,
  done,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

const sent: string[] = [];
let gateway: TestGateway;
let world: World;
let admin: Person;
const fresh = (name: string) => `${name}-${newId().slice(-8)}`;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    maintenance: false,
    onStatement: (sql) => sent.push(sql),
    config: { quotas: { ...generousQuotas, waitingInvitationsOfOrganization: 10 } },
  }));
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  await admin.ask('{ viewer { kind } }');
});
afterAll(() => gateway.dispose());

const ofInvitation =
  '__typename ... on Invitation { id email name organizationName invitedByName state endedAt }';

async function invite(email: string, name = 'Somebody') {
  const { organizationId } = world.acme;
  const answer = await admin.ask(
    `mutation ($input: InviteUserInput!) { inviteUser(input: $input) { ${ofInvitation} ... on Error { code message } } }`,
    { input: { organizationId, email, name } },
  );
  return answer.inviteUser;
}

const mine = async (person: Person) =>
  (await person.ask('{ viewer { invitations { id organizationName email state } } }')).viewer.invitations;

/** Somebody with this address whom the identity provider knows, and this deployment does not. */
async function someoneWith(email: string): Promise<Person> {
  await gateway.sql.query(
    `INSERT INTO accounts (id, kind, email, name, created_at) VALUES ($1, 'USER', $2, 'Nobody for long', now())`,
    [newId(), email],
  );
  const person = await gateway.as(email);
  await gateway.sql.query('DELETE FROM accounts WHERE email = $1', [email]);
  return person;
}

/** A new organization with these admins. */
async function organizationOf(...names: string[]) {
  const { id: organizationId } = await done(world.operator, 'createOrganization', { name: fresh('Initech') });
  const admins: { userId: string; email: string; person: Person; roleAssignmentId: string }[] = [];
  for (const name of names) {
    const email = `${fresh(name)}@initech.example`;
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name });
    const role = { userId, organizationId, role: 'ORGANIZATION_ADMIN' };
    const by = admins[0]?.person ?? world.operator;
    const { id: roleAssignmentId } = await done(by, 'assignRole', role);
    admins.push({ userId, email, roleAssignmentId, person: await gateway.as(email) });
  }
  return { organizationId, admins };
}

describe('an invitation', () => {
  test('is answered, written and counted the same, whoever has the address', async () => {
    const { emails } = world.globex;
    const removed = `${fresh('removed')}@globex.example`;
    const { organizationId } = world.globex;
    const { id: userId } = await done(world.operator, 'addUser', {
      ...{ organizationId, email: removed, name: 'Removed' },
    });
    await done(world.operator, 'removeUser', { organizationId, userId });
    const inactive = `${fresh('inactive')}@globex.example`;
    const { id: accountId } = await done(world.operator, 'addUser', {
      ...{ organizationId, email: inactive, name: 'Inactive' },
    });
    await done(world.operator, 'deactivateAccount', { accountId });
    const contractor = async (mutation: string, more = {}) => {
      const email = `${fresh('contractor')}@contractors.example`;
      await done(world.operator, mutation, { email, name: 'Contractor', ...more });
      return email;
    };
    const addresses = {
      nobody: `${fresh('nobody')}@newcomers.example`,
      'the other customer’s admin': emails.organizationAdmin,
      'somebody removed there': removed,
      'somebody deactivated': inactive,
      'an engineer': await contractor('addSupportEngineer'),
      'an operator': await contractor('addOperator'),
      'an analyst': await contractor('addComplianceAnalyst'),
      'a service account': await contractor('addServiceAccount', { capabilities: ['TICKETING'] }),
    };
    // After a refusal the gateway decides for a while before it takes locks: so for every address.
    await invite(world.acme.emails.reporter);
    const seen: Record<string, unknown> = {};
    for (const [who, email] of Object.entries(addresses)) {
      // A refusal that repeats another one is only counted.
      await gateway.sql.query('DELETE FROM repeated_refusals');
      sent.length = 0;
      const { id, ...answer } = await invite(email);
      const statements = sent.length;
      const again = await invite(email);
      const { node } = await admin.ask(`query ($id: ID!) { node(id: $id) { ${ofInvitation} } }`, { id });
      const { auditLog } = await admin.ask(
        `{ auditLog(first: 2) { edges { node { action outcome refusalCode details } } } }`,
      );
      const of = JSON.stringify({ answer, again, node: { ...node, id: '' }, auditLog, statements });
      seen[who] = JSON.parse(of.replaceAll(email, 'ADDRESS'));
      await done(admin, 'withdrawInvitation', { invitationId: id });
      expect(await attempt(admin, 'withdrawInvitation', { invitationId: id })).toMatchObject({
        code: 'INVITATION_OVER',
      });
    }
    expect(seen['nobody']).toMatchObject({
      answer: { __typename: 'Invitation', email: 'ADDRESS', name: 'Somebody', state: 'WAITING' },
      again: { code: 'ALREADY_EXISTS' },
    });
    for (const who of Object.keys(addresses)) expect(seen[who], who).toEqual(seen['nobody']);
  });

  test('is refused for a member of the organization itself, whom the admin sees', async () => {
    expect(await invite(world.acme.emails.reporter)).toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  test('makes nobody a member before they accept, and then one without a role', async () => {
    const outsider = await gateway.as(world.globex.emails.reporter);
    const { id: invitationId } = await invite(world.globex.emails.reporter.toUpperCase());
    const isMember = async () =>
      (
        await admin.ask('query ($email: String!) { account(email: $email) { name } }', {
          email: world.globex.emails.reporter,
        })
      ).account;
    expect(await isMember()).toBeNull();
    expect(await mine(outsider)).toMatchObject([{ id: invitationId, state: 'WAITING' }]);
    expect(
      await attempt(await gateway.as(world.globex.emails.siteAdmin), 'acceptInvitation', { invitationId }),
    ).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await attempt(outsider, 'withdrawInvitation', { invitationId })).toMatchObject({
      code: 'FORBIDDEN',
    });
    await done(outsider, 'acceptInvitation', { invitationId });
    expect(await mine(outsider)).toEqual([]);
    const { viewer, roleAssignments } = await outsider.ask(
      '{ viewer { organizations { id } } roleAssignments { edges { node { id } } } }',
    );
    expect(viewer.organizations.map((one: Json) => one.id)).toContain(world.acme.organizationId);
    expect(roleAssignments.edges).toEqual([]);
    expect(await isMember()).not.toBeNull();
    expect(await attempt(outsider, 'acceptInvitation', { invitationId })).toMatchObject({
      code: 'INVITATION_OVER',
    });
  });

  test('gives whoever has no account one at the first sign-in, which opens nothing yet', async () => {
    const email = `${fresh('newcomer')}@newcomers.example`;
    const newcomer = await someoneWith(email);
    const refused = await newcomer.send('{ viewer { kind } }');
    expect(refused.errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    const { id: invitationId } = await invite(email, 'Newcomer');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        newcomer.ask('{ viewer { account { name email } organizations { id } } }'),
      ),
    );
    for (const { viewer } of answers)
      expect(viewer).toEqual({ account: { name: 'Newcomer', email }, organizations: [] });
    await done(newcomer, 'acceptInvitation', { invitationId });
    expect((await newcomer.ask('{ viewer { organizations { id } } }')).viewer.organizations).toEqual([
      { id: world.acme.organizationId },
    ]);
  });

  test.each([
    ['an expired one', "created_at = now() - interval '2 days', expires_at = now() - interval '1 day'"],
    ['a withdrawn one', "state = 'WITHDRAWN', ended_at = created_at"],
  ])('gives no account and cannot be accepted: %s', async (_, change) => {
    const email = `${fresh('late')}@newcomers.example`;
    const known = world.globex.emails.billingAdmin;
    const { organizationId, emails } = world.acme;
    const ids = await insertInvitations(gateway, rawId(organizationId), emails.organizationAdmin, [
      email,
      known,
    ]);
    await gateway.sql.query('ALTER TABLE invitations DISABLE TRIGGER USER');
    await gateway.sql.query(`UPDATE invitations SET ${change} WHERE email = ANY ($1)`, [[email, known]]);
    await gateway.sql.query('ALTER TABLE invitations ENABLE TRIGGER USER');
    const newcomer = await someoneWith(email);
    expect((await newcomer.send('{ viewer { kind } }')).errors[0]?.extensions).toMatchObject({
      code: 'FORBIDDEN',
    });
    const person = await gateway.as(known);
    expect(await mine(person)).toEqual([]);
    expect(await attempt(person, 'acceptInvitation', { invitationId: ids[1] })).toMatchObject({
      code: 'INVITATION_OVER',
    });
    // The admin may invite again.
    const { id } = await invite(known);
    await done(person, 'acceptInvitation', { invitationId: id });
    await done(world.operator, 'removeUser', { organizationId, userId: await userIdOf(known) });
  });

  test('that somebody with an account of another kind has cannot be accepted, nor seen by them', async () => {
    const email = `${fresh('contractor')}@contractors.example`;
    await done(world.operator, 'addSupportEngineer', { email, name: 'Contractor' });
    const { id: invitationId } = await invite(email);
    const engineer = await gateway.as(email);
    expect(await mine(engineer)).toEqual([]);
    expect(await attempt(engineer, 'acceptInvitation', { invitationId })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('of an address of the vendor is refused, and so is its acceptance', async () => {
    const { organizationId, emails } = world.acme;
    const email = `${fresh('mole')}@subsidiary.example`;
    const [invitationId] = await insertInvitations(gateway, rawId(organizationId), emails.organizationAdmin, [
      email,
    ]);
    const person = await someoneWith(email);
    await person.ask('{ viewer { kind } }');
    await gateway.sql.query(`INSERT INTO vendor_domains VALUES ('subsidiary.example')`);
    try {
      expect(await invite(`other@subsidiary.example`)).toMatchObject({ code: 'VENDOR_ADDRESS' });
      expect(await attempt(person, 'acceptInvitation', { invitationId })).toMatchObject({
        code: 'VENDOR_ADDRESS',
      });
      const unknown = `${fresh('mole')}@subsidiary.example`;
      await insertInvitations(gateway, rawId(organizationId), emails.organizationAdmin, [unknown]);
      const { errors } = await (await someoneWith(unknown)).send('{ viewer { kind } }');
      expect(errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' });
    } finally {
      await gateway.sql.query(`DELETE FROM vendor_domains WHERE domain = 'subsidiary.example'`);
    }
  });

  test('is one of so many that wait', async () => {
    const { organizationId, admins } = await organizationOf('ada');
    const inviting = (at: number) =>
      attempt(admins[0]?.person ?? admin, 'inviteUser', {
        ...{ organizationId, email: `n${at}@newcomers.example`, name: 'New' },
      });
    for (let at = 0; at < 10; at += 1) await inviting(at);
    const refused = await inviting(10);
    expect(refused).toMatchObject({ code: 'TOO_MANY_INVITATIONS' });
    expect(refused.message).toContain('10 invitations');
  });
});

async function userIdOf(email: string): Promise<string> {
  const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
  return Buffer.from(`User:${rows[0].id}`).toString('base64');
}

describe('an admin removes', () => {
  test('a member, who is a user of another customer afterwards as before', async () => {
    const { organizationId } = world.acme;
    const email = world.globex.emails.trustedUser;
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Shared' });
    await assignRole(world, { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
    const { ticketId } = await fileTicket(gateway, world);
    const shared = await gateway.as(email);
    const { id: grantId } = await done(shared, 'approveDataAccess', { ticketId });
    const removed = await done(admin, 'removeUser', { organizationId, userId, idempotencyKey: 'leave' });
    expect(removed.id).toBe(userId);
    // The answer may be read again by who may remove, and by nobody else.
    expect((await done(admin, 'removeUser', { organizationId, userId, idempotencyKey: 'leave' })).id).toBe(
      userId,
    );
    expect((await shared.ask('{ viewer { organizations { id } } }')).viewer.organizations).toEqual([
      { id: world.globex.organizationId },
    ]);
    expect(await attempt(shared, 'revokeDataAccess', { grantId })).toMatchObject({ code: 'NOT_FOUND' });
    const { node } = await admin.ask('query ($id: ID!) { node(id: $id) { id } }', { id: userId });
    expect(node).toBeNull();
    const of = { organizationId: world.globex.organizationId, userId };
    expect(await attempt(admin, 'removeUser', of)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await attempt(admin, 'removeUser', { organizationId, userId })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('everybody but themself, if they are the last admin; an operator removes them too', async () => {
    const { organizationId, admins } = await organizationOf('ada', 'bob');
    const [ada, bob] = admins;
    if (ada === undefined || bob === undefined) throw new Error('Two admins');
    await done(ada.person, 'removeUser', { organizationId, userId: bob.userId });
    const last = await attempt(ada.person, 'removeUser', { organizationId, userId: ada.userId });
    expect(last).toMatchObject({ code: 'LAST_ORGANIZATION_ADMIN' });
    expect(last.message).toContain('Make somebody else one first');
    const { roleAssignmentId } = ada;
    expect(await attempt(ada.person, 'removeRole', { roleAssignmentId })).toMatchObject({
      code: 'LAST_ORGANIZATION_ADMIN',
    });
    expect(await attempt(ada.person, 'deactivateAccount', { accountId: ada.userId })).toMatchObject({
      code: 'FORBIDDEN',
    });
    await done(world.operator, 'removeUser', { organizationId, userId: ada.userId });
  });

  test.each(['removeUser', 'removeRole'])(
    'themself, but of two who do so at the same moment one stays: %s',
    async (name) => {
      for (let round = 0; round < bySize(2, 10); round += 1) {
        const { organizationId, admins } = await organizationOf('ada', 'bob');
        const answers = await Promise.all(
          admins.map(({ person, userId, roleAssignmentId }) =>
            attempt(person, name, name === 'removeUser' ? { organizationId, userId } : { roleAssignmentId }),
          ),
        );
        expect(answers.filter(({ code }) => code === 'LAST_ORGANIZATION_ADMIN')).toHaveLength(1);
        expect(answers.filter(({ code }) => code === undefined)).toHaveLength(1);
      }
    },
  );

  test('an admin who is inactive is not another one', async () => {
    const { organizationId, admins } = await organizationOf('ada', 'bob');
    const [ada, bob] = admins;
    await done(world.operator, 'deactivateAccount', { accountId: bob?.userId });
    expect(
      await attempt(ada?.person ?? admin, 'removeUser', { organizationId, userId: ada?.userId }),
    ).toMatchObject({ code: 'LAST_ORGANIZATION_ADMIN' });
  });
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
