import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { rawId } from '../support/rows.ts';
import {
  assignRole,
  attempt,
  done,
  doneByTwo,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

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

describe('a request keeps the terms of its opening', () => {
  const hour = { requestWaitSeconds: 1_209_600, maxGrantSeconds: 3_600, samePersonMayApproveTwice: true };
  const loose = { ...hour, maxGrantSeconds: null, samePersonMayApproveTwice: false };
  let admin: Person;
  let guardAdmin: Person;

  async function setSite(restricted: boolean, policy: object): Promise<void> {
    const siteId = world.acme.sites.original.id;
    await doneByTwo(guardAdmin, admin, 'setSupportAccessRestrictions', { siteId, restricted });
    await doneByTwo(guardAdmin, admin, 'setSupportAccessPolicy', { siteId, ...policy });
  }

  beforeAll(async () => {
    admin = await gateway.as(world.acme.emails.organizationAdmin);
    guardAdmin = await gateway.as(world.acme.emails.guardAdmin);
  });

  test('which it shows, and by which it is decided after the site was loosened', async () => {
    await setSite(true, hour);
    const { grantId } = await fileTicket(gateway, world, { site: 'original' });
    await setSite(false, loose);
    expect(await done(admin, 'approveDataAccess', { grantId })).toMatchObject({
      state: 'PENDING_GUARD_APPROVAL',
    });
    await done(guardAdmin, 'approveGuardRequest', { grantId });
    const { node } = await admin.ask(
      `query ($id: ID!) { node(id: $id) { ... on Grant { state activatedAt expiresAt
         terms { guardRequired maxGrantSeconds samePersonMayApproveTwice } } } }`,
      { id: grantId },
    );
    expect(node).toMatchObject({
      state: 'ACTIVE',
      terms: { guardRequired: true, maxGrantSeconds: 3_600, samePersonMayApproveTwice: true },
    });
    expect(Date.parse(node.expiresAt) - Date.parse(node.activatedAt)).toBe(3_600_000);
  });

  test('and the present ones count for a request that is opened with its approval', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world, { site: 'original' });
    await done(admin, 'denyDataAccess', { grantId });
    await setSite(true, hour);
    expect(await done(admin, 'approveDataAccess', { ticketId })).toMatchObject({
      state: 'PENDING_GUARD_APPROVAL',
    });
    await setSite(false, loose);
    const next = await fileTicket(gateway, world, { site: 'original' });
    expect(await done(admin, 'approveDataAccess', { ticketId: next.ticketId })).toMatchObject({
      ...{ state: 'ACTIVE', expiresAt: null },
    });
  });
});

describe('an approval on a restricted site, by somebody who may no longer grant', () => {
  let guardAdmin: Person;
  let admin: Person;
  let givers = 0;

  beforeAll(async () => {
    guardAdmin = await gateway.as(world.acme.emails.guardAdmin);
    admin = await gateway.as(world.acme.emails.organizationAdmin);
  });

  type Approved = {
    ticketId: string;
    grantId: string;
    userId: string;
    roleAssignmentId: string;
    email: string;
  };

  /** A request that awaits the Guard after the approval of a new organization admin. */
  async function approved(): Promise<Approved> {
    const { organizationId } = world.acme;
    givers += 1;
    const email = `giver@customer-${givers}.example`;
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: 'Giver' });
    const role = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
    const { id: roleAssignmentId } = await assignRole(world, role);
    const { ticketId, grantId } = await fileTicket(gateway, world, { site: 'restricted' });
    await done(await gateway.as(email), 'approveDataAccess', { ticketId, reason: 'go ahead' });
    return { ticketId, grantId: grantId ?? '', userId, roleAssignmentId, email };
  }

  async function read(grantId: string): Promise<Json> {
    const { node } = await guardAdmin.ask(
      `query ($id: ID!) { node(id: $id) { ... on Grant { state version path approvalDueAt expiresAt
         viewerMay { approveGuardRequest { allowed code } denyGuardRequest { allowed code } }
         decisions { stage outcome reason decidedBy { email } } } } }`,
      { id: grantId },
    );
    return node;
  }

  const removeRole = ({ roleAssignmentId }: Approved) =>
    done(world.operator, 'removeRole', { roleAssignmentId });

  test.each<[string, (given: Approved) => Promise<unknown>]>([
    ['whose role was removed', removeRole],
    [
      'whose account was deactivated',
      ({ userId }) => done(world.operator, 'deactivateAccount', { accountId: userId }),
    ],
    [
      'who left the organization',
      ({ userId }) =>
        done(world.operator, 'removeUser', { organizationId: world.acme.organizationId, userId }),
    ],
    [
      'who proves to be of the vendor',
      ({ email }) =>
        gateway.sql.query('INSERT INTO vendor_domains (domain) VALUES ($1)', [email.split('@')[1]]),
    ],
    [
      'whose role is no longer synced',
      ({ roleAssignmentId }) =>
        gateway.sql.query(
          `UPDATE role_assignments SET origin = 'SCIM', sync_state = 'PENDING_SYNC' WHERE id = $1`,
          [rawId(roleAssignmentId)],
        ),
    ],
  ])('%s, lapses when the Guard approves', async (_, loseRight) => {
    const given = await approved();
    const { grantId, email } = given;
    const before = await read(grantId);
    expect(before.viewerMay.approveGuardRequest.allowed).toBe(true);
    await loseRight(given);
    expect(await read(grantId)).toEqual({
      ...before,
      viewerMay: {
        approveGuardRequest: { allowed: false, code: 'APPROVAL_LAPSED' },
        denyGuardRequest: { allowed: true, code: null },
      },
    });
    // Somebody who may not decide for the Guard changes nothing.
    expect(await attempt(admin, 'approveGuardRequest', { grantId })).toMatchObject({ code: 'FORBIDDEN' });
    expect((await read(grantId)).version).toBe(before.version);

    expect(await attempt(guardAdmin, 'approveGuardRequest', { grantId })).toMatchObject({
      __typename: 'InvalidStateError',
      code: 'APPROVAL_LAPSED',
    });
    const decision = {
      ...{ stage: 'CUSTOMER', outcome: 'APPROVED', reason: 'go ahead' },
      decidedBy: { email },
    };
    expect(await read(grantId)).toEqual({
      ...{ state: 'PENDING_APPROVAL', version: before.version + 1, path: null, expiresAt: null },
      approvalDueAt: before.approvalDueAt,
      decisions: [decision],
      viewerMay: {
        approveGuardRequest: { allowed: false, code: 'NOT_AWAITING_GUARD' },
        denyGuardRequest: { allowed: false, code: 'NOT_AWAITING_GUARD' },
      },
    });
  });

  test('leaves the request to the customer: with an event, and until the next approval', async () => {
    const given = await approved();
    const { grantId, ticketId } = given;
    const engineer = await gateway.as(world.engineer.email);
    const events = engineer.socket().iterate({
      query: `subscription Watch($id: ID!) { grantEvents(filter: { ticketId: $id }, withCurrentState: true) {
        type grant { state decisions { stage } } } }`,
      variables: { id: ticketId },
    });
    expect(await nextOfGrant(events)).toMatchObject({ type: 'CURRENT' });
    await removeRole(given);
    await attempt(guardAdmin, 'approveGuardRequest', { grantId });
    expect(await nextOfGrant(events)).toMatchObject({
      type: 'APPROVAL_LAPSED',
      grant: { state: 'PENDING_APPROVAL', decisions: [{ stage: 'CUSTOMER' }] },
    });
    await events.return?.();

    await done(admin, 'approveDataAccess', { ticketId });
    expect(await done(guardAdmin, 'approveGuardRequest', { grantId })).toMatchObject({ state: 'ACTIVE' });
    const { decisions } = await read(grantId);
    expect(decisions.map(({ stage, decidedBy }: Json) => [stage, decidedBy.email])).toEqual([
      ['CUSTOMER', given.email],
      ['CUSTOMER', admin.email],
      ['GUARD', guardAdmin.email],
    ]);
  });

  test('can be denied by the Guard all the same', async () => {
    const given = await approved();
    await removeRole(given);
    expect(await done(guardAdmin, 'denyGuardRequest', { grantId: given.grantId })).toMatchObject({
      state: 'DENIED',
    });
  });

  test('is not lapsed if it is taken back: that is a decision of the customer, with its reason', async () => {
    const { grantId, email } = await approved();
    await done(await gateway.as(email), 'revokeDataAccess', { grantId, reason: 'a mistake' });
    const by = { stage: 'CUSTOMER', decidedBy: { email } };
    expect((await read(grantId)).decisions).toEqual([
      { ...by, outcome: 'APPROVED', reason: 'go ahead' },
      { ...by, outcome: 'DENIED', reason: 'a mistake' },
    ]);
  });

  test('leaves at most a hundred decisions to be shown: the last ones, in order', async () => {
    const { grantId } = await approved();
    await gateway.sql.query(
      `INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, reason, decided_at)
       SELECT gen_random_uuid(), d.grant_id, 'CUSTOMER', 'APPROVED', d.decided_by_id, n::text, d.decided_at + n * interval '1 ms'
         FROM decisions d, generate_series(1, 149) n WHERE d.grant_id = $1`,
      [rawId(grantId)],
    );
    const reasons = (await read(grantId)).decisions.map(({ reason }: Json) => reason);
    expect(reasons).toEqual(Array.from({ length: 100 }, (_, index) => String(50 + index)));
  });
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

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
