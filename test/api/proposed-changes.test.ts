/** Changes that take two people: who proposes them, who settles them, and what time does to them. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { settleDueChanges } from '../../src/commands/settle-due-changes.ts';
import { type Database, openDatabase } from '../../src/platform/database.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { globalId, rawId } from '../support/rows.ts';
import {
  assignRole,
  attempt,
  type Customer,
  done,
  doneByTwo,
  fileTicket,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

const hour = 3_600_000;
const day = 24 * hour;
const logger = createLogger('silent');

let gateway: TestGateway;
let world: World;
/** The databases of two gateways, to run the job concurrently. */
let databases: Database[];
/** How far the time of the gateway is ahead. */
let ahead = 0;
const clock = () => new Date(Date.now() + ahead);

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false, clock }));
  databases = [1, 2].map(() =>
    openDatabase({ url: gateway.databaseUrl, logger, poolSize: 2, deadlines: generousDatabaseDeadlines }),
  );
});
beforeEach(() => {
  ahead = 0;
});
afterAll(async () => {
  await Promise.all(databases.map((database) => database.dispose()));
  await gateway.dispose();
});

const admin = () => gateway.as(world.acme.emails.organizationAdmin);
const guard = () => gateway.as(world.acme.emails.guardAdmin);

/** Runs the job on two gateways at once, and returns how many changes they settled together. */
async function settle(): Promise<number> {
  const counts = await Promise.all(
    databases.map((database) => settleDueChanges({ database, clock, logger, announce: () => undefined })),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

let serial = 0;
async function addMember(
  { organizationId }: Customer = world.acme,
): Promise<{ userId: string; email: string }> {
  serial += 1;
  const email = `member-${serial}@acme.example`;
  const { id } = await done(world.operator, 'addUser', { organizationId, email, name: `Member ${serial}` });
  return { userId: id, email };
}

const appointmentOf = (userId: string, { organizationId }: Customer = world.acme) => ({
  ...{ userId, organizationId, role: 'GUARD_ADMIN' },
});

async function rolesOf(userId: string): Promise<{ id: string; role: string; syncState: string }[]> {
  // With a new token: time may have passed.
  const operator = await gateway.as(world.operator.email);
  const { roleAssignments } = await operator.ask(
    'query ($userId: ID!) { roleAssignments(filter: { userId: $userId }) { edges { node { id role syncState } } } }',
    { userId },
  );
  return roleAssignments.edges.map(({ node }: Json) => node);
}

const fields = `id changeKind summary before after needsConfirmationBy effectiveAt expiresAt state version affectedRole
  site { url } affectedUser { email } proposedBy { email } settledBy { email } settledAt
  viewerMay { confirmProposedChange { allowed code } declineProposedChange { allowed } withdrawProposedChange { allowed } }`;

async function read(person: Person, id: string): Promise<Json> {
  return (
    await person.ask(`query ($id: ID!) { node(id: $id) { ... on ProposedChange { ${fields} } } }`, { id })
  ).node;
}

async function list(
  person: Person,
  state: string,
  { organizationId }: Customer = world.acme,
): Promise<string[]> {
  const { node } = await person.ask(
    `query ($id: ID!, $state: ProposedChangeState) {
       node(id: $id) { ... on Organization { proposedChanges(first: 100, state: $state) { edges { node { id } } } } } }`,
    { id: organizationId, state },
  );
  return node.proposedChanges.edges.map((edge: Json) => edge.node.id);
}

/** The actions on the customer's log since the last call, with their actors; the oldest first. */
async function newEntries({ organizationId }: Customer = world.acme): Promise<string[]> {
  const { rows } = await gateway.sql.query(
    `SELECT action, coalesce(actor_email, actor_kind) AS actor, outcome, seq FROM audit_entries
      WHERE organization_id = $1 AND seq > $2 AND action <> 'account.add_user' ORDER BY txid, seq`,
    [Buffer.from(organizationId, 'base64').toString().split(':')[1], seen],
  );
  seen = rows.at(-1)?.seq ?? seen;
  return rows.map(({ action, actor, outcome }) => `${actor} ${action} ${outcome}`);
}
let seen = '0';

/** The kind of the mail about the proposed change, and its recipients. */
async function mailsAbout(id: string): Promise<string[]> {
  const { rows } = await gateway.sql.query(
    'SELECT m.kind, a.email FROM mails m JOIN accounts a ON a.id = m.recipient_id WHERE m.about_id = $1',
    [Buffer.from(id, 'base64').toString().split(':')[1]],
  );
  return [...new Set(rows.map(({ kind }) => kind)), ...rows.map(({ email }) => email).sort()];
}

async function isRestricted(siteId: string): Promise<boolean> {
  const { node } = await world.operator.ask(
    'query ($id: ID!) { node(id: $id) { ... on Site { supportAccessRestricted } } }',
    { id: siteId },
  );
  return node.supportAccessRestricted;
}

describe('the retention of the audit log', () => {
  const retention = async (): Promise<Json> => {
    const { node } = await (await admin()).ask(
      'query ($id: ID!) { node(id: $id) { ... on Organization { auditRetentionDays auditRetentionEffectiveAt } } }',
      { id: world.acme.organizationId },
    );
    return node;
  };

  test('is shortened by two people, a week after the second one, and lengthened by one', async () => {
    const [olivia, gina] = [await admin(), await guard()];
    const { organizationId } = world.acme;
    await newEntries();
    const forAYear = { organizationId, days: 365 };
    const { id } = await done(olivia, 'setAuditRetention', forAYear);
    expect(await read(gina, id)).toMatchObject({
      changeKind: 'SET_AUDIT_RETENTION',
      summary: 'Keep the audit log of acme for 365 days instead of for ever',
      ...{ before: { auditRetentionDays: null }, after: { auditRetentionDays: 365 } },
      ...{ needsConfirmationBy: 'GUARD_ADMIN', effectiveAt: null, site: null },
    });
    expect(await attempt(olivia, 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await retention()).toEqual({ auditRetentionDays: null, auditRetentionEffectiveAt: null });
    await done(gina, 'confirmProposedChange', { proposedChangeId: id });
    const { auditRetentionDays, auditRetentionEffectiveAt } = await retention();
    expect(auditRetentionDays).toBe(365);
    const wait = Date.parse(auditRetentionEffectiveAt) - clock().getTime();
    expect(wait).toBeLessThanOrEqual(7 * day);
    expect(wait).toBeGreaterThan(6 * day);
    expect(await done(olivia, 'setAuditRetention', { organizationId, days: null })).toMatchObject({
      __typename: 'Organization',
    });
    expect(await retention()).toEqual({ auditRetentionDays: null, auditRetentionEffectiveAt: null });
    expect(await attempt(olivia, 'setAuditRetention', { organizationId, days: 179 })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    expect(await newEntries()).toEqual([
      `${olivia.email} proposed_change.propose SUCCEEDED`,
      `${olivia.email} proposed_change.confirm REFUSED`,
      `${gina.email} proposed_change.confirm SUCCEEDED`,
      `${gina.email} organization.set_audit_retention SUCCEEDED`,
      `${olivia.email} organization.set_audit_retention SUCCEEDED`,
    ]);
  });

  test('is shortened by one admin where the organization does not have Guard', async () => {
    const { id: organizationId } = await done(world.operator, 'createOrganization', {
      ...{ name: 'Plain', hasGuard: false },
    });
    const { userId, email } = await addMember({ ...world.acme, organizationId });
    await done(world.operator, 'assignRole', { userId, role: 'ORGANIZATION_ADMIN', organizationId });
    const person = await gateway.as(email);
    const set = (days: number | null) => done(person, 'setAuditRetention', { organizationId, days });
    expect(await set(180)).toMatchObject({ __typename: 'Organization' });
    await set(null);
  });
});

describe('restrictions', () => {
  test('are switched off by two people, and on by one', async () => {
    const [olivia, gina] = [await admin(), await guard()];
    const siteId = world.acme.sites.restricted.id;
    await newEntries();
    const off = { siteId, restricted: false };
    const { id, __typename } = await done(olivia, 'setSupportAccessRestrictions', off);
    expect(__typename).toBe('ProposedChange');
    expect(await isRestricted(siteId)).toBe(true);
    expect(await read(olivia, id)).toMatchObject({
      changeKind: 'SET_SUPPORT_ACCESS_RESTRICTIONS',
      summary: `Switch support access restrictions off on ${world.acme.sites.restricted.url}`,
      ...{ before: { supportAccessRestricted: true }, after: { supportAccessRestricted: false } },
      ...{ needsConfirmationBy: 'GUARD_ADMIN', effectiveAt: null, state: 'WAITING', version: 1 },
      ...{
        site: { url: world.acme.sites.restricted.url },
        affectedUser: null,
        affectedRole: null,
        settledBy: null,
      },
      proposedBy: { email: olivia.email },
      viewerMay: {
        confirmProposedChange: { allowed: false, code: 'FORBIDDEN' },
        ...{ declineProposedChange: { allowed: false }, withdrawProposedChange: { allowed: true } },
      },
    });
    expect(await mailsAbout(id)).toEqual(['change-proposed', gina.email]);
    // An equal one answers the first, by whomever.
    expect(await done(olivia, 'setSupportAccessRestrictions', off)).toMatchObject({ id });
    expect(await done(gina, 'setSupportAccessRestrictions', off)).toMatchObject({ id });
    expect(await attempt(olivia, 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await isRestricted(siteId)).toBe(true);

    expect(await done(gina, 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
      state: 'APPLIED',
    });
    expect(await isRestricted(siteId)).toBe(false);
    expect(await read(gina, id)).toMatchObject({
      state: 'APPLIED',
      settledBy: { email: gina.email },
      version: 2,
    });
    await done(olivia, 'setSupportAccessRestrictions', { siteId, restricted: true });
    expect(await isRestricted(siteId)).toBe(true);
    expect(await newEntries()).toEqual([
      `${olivia.email} proposed_change.propose SUCCEEDED`,
      `${olivia.email} proposed_change.confirm REFUSED`,
      `${gina.email} proposed_change.confirm SUCCEEDED`,
      `${gina.email} site.set_support_access_restrictions SUCCEEDED`,
      `${olivia.email} site.set_support_access_restrictions SUCCEEDED`,
    ]);
  });

  test('that a Guard admin proposes to switch off need another Guard admin', async () => {
    const gina = await guard();
    const siteId = world.acme.sites.restricted.id;
    const { id } = await done(gina, 'setSupportAccessRestrictions', { siteId, restricted: false });
    const input = { proposedChangeId: id };
    expect((await read(gina, id)).viewerMay.confirmProposedChange).toEqual({
      allowed: false,
      code: 'OWN_PROPOSAL',
    });
    expect(await attempt(gina, 'confirmProposedChange', input)).toMatchObject({ code: 'OWN_PROPOSAL' });
    expect(await attempt(gina, 'declineProposedChange', input)).toMatchObject({ code: 'OWN_PROPOSAL' });
    expect(await done(gina, 'withdrawProposedChange', input)).toMatchObject({ state: 'WITHDRAWN' });
    expect(await attempt(gina, 'withdrawProposedChange', input)).toMatchObject({
      code: 'CHANGE_NOT_WAITING',
    });
  });

  test('two confirmations at once switch off once', async () => {
    const siteId = world.acme.sites.restricted.id;
    const { email, userId } = await addMember();
    await doneByTwo(await guard(), await admin(), 'assignRole', appointmentOf(userId));
    const { id } = await done(await admin(), 'setSupportAccessRestrictions', { siteId, restricted: false });
    const guards = [await guard(), await gateway.as(email)];
    await newEntries();
    const answers = await Promise.all(
      guards.map((person) => attempt(person, 'confirmProposedChange', { proposedChangeId: id })),
    );
    expect(answers.map(({ code, state }) => code ?? state).sort()).toEqual(['APPLIED', 'CHANGE_NOT_WAITING']);
    const entries = (await newEntries()).filter((entry) =>
      entry.includes('site.set_support_access_restrictions'),
    );
    expect(entries).toHaveLength(1);
    await done(await admin(), 'setSupportAccessRestrictions', { siteId, restricted: true });
  });
});

describe('the policy of a restricted site', () => {
  const policy = { requestWaitSeconds: 1_209_600, samePersonMayApproveTwice: false };
  const unchanged = {
    ...{ relayedConsentCounts: true, dataResidencyPinned: false, engineerCountries: [] },
    ...{ sessionIdleSeconds: 1_800, maxSessionSeconds: 28_800 },
  };
  const siteId = () => world.acme.sites.restricted.id;
  const set = async (values: object, by?: Person) =>
    await attempt(by ?? (await admin()), 'setSupportAccessPolicy', {
      siteId: siteId(),
      ...policy,
      ...values,
    });

  test('is tightened by one person and loosened by two, as a whole', async () => {
    expect(await set({ maxGrantSeconds: 3600 })).toMatchObject({ __typename: 'Site' });
    const longer = await set({ maxGrantSeconds: 7200 });
    expect(await read(await guard(), longer.id)).toMatchObject({
      summary: `Change the support access policy of ${world.acme.sites.restricted.url}: a grant lasts at most 2 hours instead of at most 1 hour`,
      before: { ...policy, ...unchanged, maxGrantSeconds: 3600 },
      after: { ...policy, ...unchanged, maxGrantSeconds: 7200 },
    });
    // Only one change of the policy waits.
    expect(await set({ maxGrantSeconds: null })).toMatchObject({ code: 'ANOTHER_CHANGE_WAITS' });
    const input = { proposedChangeId: longer.id };
    expect(await done(await guard(), 'declineProposedChange', input)).toMatchObject({ state: 'DECLINED' });
    expect(await set({ maxGrantSeconds: null })).toMatchObject({ __typename: 'ProposedChange' });
  });

  test('that has changed since is not loosened: the confirmation is refused, and the change has ended', async () => {
    const [waiting = ''] = await list(await admin(), 'WAITING');
    expect(await set({ maxGrantSeconds: 600 })).toMatchObject({ __typename: 'Site' });
    const gina = await guard();
    const answer = await attempt(gina, 'confirmProposedChange', { proposedChangeId: waiting });
    expect(answer).toMatchObject({ code: 'CHANGE_LAPSED' });
    expect(answer.message).toContain('changed since');
    expect(await read(gina, waiting)).toMatchObject({ state: 'LAPSED', settledBy: { email: gina.email } });
    const { node } = await gina.ask(
      'query ($id: ID!) { node(id: $id) { ... on Site { supportAccessPolicy { maxGrantSeconds } } } }',
      { id: siteId() },
    );
    expect(node.supportAccessPolicy).toEqual({ maxGrantSeconds: 600 });
    await doneByTwo(gina, await admin(), 'setSupportAccessPolicy', { siteId: siteId(), ...policy });
  });
});

describe('from where support acts on a restricted site', () => {
  const policy = { requestWaitSeconds: 1_209_600, samePersonMayApproveTwice: false };
  const siteId = () => world.acme.sites.restricted.id;
  const defaults = {
    ...{ dataResidencyPinned: false, engineerCountries: [] },
    ...{ sessionIdleSeconds: 1_800, maxSessionSeconds: 28_800 },
  };
  const set = async (values: object) =>
    await attempt(await admin(), 'setSupportAccessPolicy', { siteId: siteId(), ...policy, ...values });
  const now = async () => {
    const { node } = await world.operator.ask(
      `query ($id: ID!) { node(id: $id) { ... on Site { supportAccessPolicy {
         dataResidencyPinned engineerCountries sessionIdleSeconds maxSessionSeconds } } } }`,
      { id: siteId() },
    );
    return node.supportAccessPolicy;
  };

  test('is tightened by one person and loosened by two, and what is left out stays', async () => {
    const tight = {
      ...{ dataResidencyPinned: true, engineerCountries: ['DE', 'IE'] },
      ...{ sessionIdleSeconds: 600, maxSessionSeconds: 3_600 },
    };
    expect(await set({ ...tight, engineerCountries: ['IE', 'DE', 'IE'] })).toMatchObject({
      __typename: 'Site',
    });
    expect(await now()).toEqual(tight);
    expect(await set({})).toMatchObject({ __typename: 'Site' });
    expect(await now()).toEqual(tight);
    const proposed = await set(defaults);
    expect(proposed.summary).toContain("engineers act from all of the vendor's countries instead of DE, IE");
    expect(await now()).toEqual(tight);
    await done(await guard(), 'confirmProposedChange', { proposedChangeId: proposed.id });
    expect(await now()).toEqual(defaults);
  });

  test('is left as it is by a change that a version without it has proposed', async () => {
    await done(await admin(), 'setSupportAccessPolicy', { siteId: siteId(), ...policy, maxGrantSeconds: 60 });
    const { id, ...kept } = await set({ maxGrantSeconds: 120 });
    expect(kept).toMatchObject({ __typename: 'ProposedChange' });
    const { rows } = await gateway.sql.query(
      `INSERT INTO proposed_changes
       SELECT p.* FROM proposed_changes q, jsonb_populate_record(q, jsonb_build_object(
         'id', $3::uuid, 'about', 'proposed before',
         'input', q.input - $2::text[], 'before', q.before - $2::text[], 'after', q.after - $2::text[])) AS p
        WHERE q.id = $1 RETURNING id`,
      [rawId(id), Object.keys(defaults), newId()],
    );
    await done(await admin(), 'setSupportAccessPolicy', {
      ...{ siteId: siteId(), ...policy, maxGrantSeconds: 60, engineerCountries: ['DE'] },
    });
    const proposedChangeId = globalId('ProposedChange', rows[0].id);
    expect(await done(await guard(), 'confirmProposedChange', { proposedChangeId })).toMatchObject({
      state: 'APPLIED',
    });
    expect(await now()).toEqual({ ...defaults, engineerCountries: ['DE'] });
    await done(await admin(), 'withdrawProposedChange', { proposedChangeId: id });
    await doneByTwo(await guard(), await admin(), 'setSupportAccessPolicy', {
      ...{ siteId: siteId(), ...policy, ...defaults },
    });
  });
});

describe('a Guard admin', () => {
  test('is added and removed by two people', async () => {
    const [olivia, gina] = [await admin(), await guard()];
    const { userId, email } = await addMember();
    const appointment = await done(olivia, 'assignRole', appointmentOf(userId));
    expect(await rolesOf(userId)).toEqual([]);
    expect(await read(olivia, appointment.id)).toMatchObject({
      ...{ changeKind: 'ASSIGN_ROLE', summary: `Assign the role Guard admin over acme to ${email}` },
      ...{ before: { role: null }, after: { role: 'GUARD_ADMIN' }, affectedRole: 'GUARD_ADMIN', site: null },
      affectedUser: { email },
    });
    await done(gina, 'confirmProposedChange', { proposedChangeId: appointment.id });
    const [held] = await rolesOf(userId);
    expect(held).toMatchObject({ role: 'GUARD_ADMIN', syncState: 'SYNCED' });

    const removal = await done(olivia, 'removeRole', { roleAssignmentId: held?.id });
    expect(await read(olivia, removal.id)).toMatchObject({
      ...{ changeKind: 'REMOVE_ROLE', summary: `Remove the role Guard admin over acme from ${email}` },
      ...{ before: { role: 'GUARD_ADMIN' }, after: { role: null } },
    });
    const leaving = await done(world.operator, 'removeUser', {
      userId,
      organizationId: world.acme.organizationId,
    });
    expect(await read(olivia, leaving.id)).toMatchObject({
      ...{ changeKind: 'REMOVE_USER', summary: `Remove ${email}, who is a Guard admin, from acme` },
      proposedBy: { email: world.operator.email },
    });
    // The operator sees only what they proposed themselves.
    expect(await read(world.operator, removal.id)).toBeNull();
    expect((await read(world.operator, leaving.id)).viewerMay.withdrawProposedChange).toEqual({
      allowed: true,
    });
    await done(gina, 'confirmProposedChange', { proposedChangeId: removal.id });
    expect(await rolesOf(userId)).toEqual([]);
    await done(gina, 'confirmProposedChange', { proposedChangeId: leaving.id });
    // Nobody is left to remove.
    expect(
      await attempt(world.operator, 'removeUser', { userId, organizationId: world.acme.organizationId }),
    ).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('of another site sees what is proposed, and does not confirm it', async () => {
    const { userId, email } = await addMember();
    const elsewhere = { ...appointmentOf(userId), siteId: world.acme.sites.original.id };
    await doneByTwo(await guard(), await admin(), 'assignRole', elsewhere);
    const other = await gateway.as(email);
    const { userId: newcomer } = await addMember();
    const onMain = { ...appointmentOf(newcomer), siteId: world.acme.sites.main.id };
    const ofMain = await done(await admin(), 'assignRole', onMain);
    const ofAll = await done(await admin(), 'assignRole', appointmentOf(newcomer));
    expect((await read(other, ofMain.id)).viewerMay.confirmProposedChange.allowed).toBe(false);
    expect(await attempt(other, 'confirmProposedChange', { proposedChangeId: ofMain.id })).toMatchObject({
      code: 'FORBIDDEN',
    });
    // What is about the whole organization is also theirs.
    expect(await done(other, 'confirmProposedChange', { proposedChangeId: ofAll.id })).toMatchObject({
      state: 'APPLIED',
    });
    await done(await admin(), 'withdrawProposedChange', { proposedChangeId: ofMain.id });
  });

  test('is nobody by their own hand, restricted or not', async () => {
    const { id: organizationId } = await done(world.operator, 'createOrganization', {
      name: 'Free',
      hasGuard: true,
    });
    const [one, two] = [`one-${serial}@free.example`, `two-${serial}@free.example`];
    const userIds: string[] = [];
    for (const email of [one, two]) {
      const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: email });
      const by = userIds.length === 0 ? world.operator : await gateway.as(one);
      await done(by, 'assignRole', { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
      userIds.push(userId);
    }
    const [first = '', second = ''] = userIds;
    const self = await gateway.as(one);
    const appoint = (userId: string, more = {}) =>
      attempt(self, 'assignRole', { userId, organizationId, role: 'GUARD_ADMIN', ...more });
    expect(await appoint(first)).toMatchObject({ code: 'OWN_GUARD_ROLE' });
    expect(await appoint(first, { origin: 'SCIM' })).toMatchObject({ code: 'OWN_GUARD_ROLE' });
    // No site is restricted, so another one is appointed at once.
    expect(await appoint(second)).toMatchObject({ __typename: 'RoleAssignment' });
    // A role that the identity provider has pushed does not count by its holder's sync.
    await done(await gateway.as(two), 'assignRole', {
      ...{ userId: first, organizationId, role: 'GUARD_ADMIN', origin: 'SCIM' },
    });
    await done(self, 'triggerScimSync', { organizationId });
    expect(await rolesOf(first)).toMatchObject([{ syncState: 'PENDING_SYNC' }, {}]);
    await done(await gateway.as(two), 'triggerScimSync', { organizationId });
    expect(await rolesOf(first)).toMatchObject([{ syncState: 'SYNCED' }, {}]);

    const acmeAdmin = await admin();
    const { viewer } = await acmeAdmin.ask('{ viewer { account { ... on Node { id } } } }');
    expect(await attempt(acmeAdmin, 'assignRole', appointmentOf(viewer.account.id))).toMatchObject({
      code: 'OWN_GUARD_ROLE',
    });
  });

  test('who was appointed after the approval does not decide on it', async () => {
    const { ticketId } = await fileTicket(gateway, world, { site: 'restricted' });
    const { id: grantId } = await done(await admin(), 'approveDataAccess', { ticketId });
    const { userId, email } = await addMember();
    await doneByTwo(await guard(), await admin(), 'assignRole', appointmentOf(userId));
    const late = await gateway.as(email);
    const { node } = await late.ask(
      `query ($id: ID!) { node(id: $id) { ... on Grant { viewerMay {
         approveGuardRequest { code } denyGuardRequest { code } revokeDataAccess { allowed } } } } }`,
      { id: grantId },
    );
    const code = 'GUARD_ADMIN_ONLY_SINCE_APPROVAL';
    expect(node.viewerMay).toEqual({
      ...{ approveGuardRequest: { code }, denyGuardRequest: { code }, revokeDataAccess: { allowed: true } },
    });
    expect(await attempt(late, 'approveGuardRequest', { grantId })).toMatchObject({ code });
    expect(await attempt(late, 'denyGuardRequest', { grantId })).toMatchObject({ code });
    expect(await done(await guard(), 'approveGuardRequest', { grantId })).toMatchObject({ state: 'ACTIVE' });
    // The next request is theirs to decide.
    const { ticketId: next } = await fileTicket(gateway, world, { site: 'restricted' });
    const approved = await done(await admin(), 'approveDataAccess', { ticketId: next });
    expect(await done(late, 'approveGuardRequest', { grantId: approved.id })).toMatchObject({
      state: 'ACTIVE',
    });
  });

  test('from the identity provider is proposed by the sync, while the other roles count', async () => {
    const [someone, other] = [await addMember(), await addMember()];
    const { organizationId } = world.acme;
    const pushed = { ...appointmentOf(someone.userId), origin: 'SCIM' };
    expect(await assignRole(world, pushed)).toMatchObject({ __typename: 'RoleAssignment' });
    const role = { userId: other.userId, organizationId, role: 'ORGANIZATION_ADMIN', origin: 'SCIM' };
    await assignRole(world, role);
    const before = await list(await admin(), 'WAITING');
    await done(await admin(), 'triggerScimSync', { organizationId });
    await done(await admin(), 'triggerScimSync', { organizationId });
    const [id = '', ...more] = (await list(await admin(), 'WAITING')).filter((one) => !before.includes(one));
    expect(more).toEqual([]);
    expect(await read(await admin(), id)).toMatchObject({
      ...{ changeKind: 'SYNC_ROLE', affectedUser: { email: someone.email }, affectedRole: 'GUARD_ADMIN' },
      after: { role: 'GUARD_ADMIN', syncState: 'SYNCED' },
    });
    expect(await rolesOf(someone.userId)).toMatchObject([{ syncState: 'PENDING_SYNC' }]);
    expect(await rolesOf(other.userId)).toMatchObject([{ syncState: 'SYNCED' }]);
    await done(await guard(), 'confirmProposedChange', { proposedChangeId: id });
    expect(await rolesOf(someone.userId)).toMatchObject([{ syncState: 'SYNCED' }]);
  });

  test.each(['deactivateAccount', 'removeRole'])(
    'is not made where the person who proposed it may no longer: %s',
    async (name) => {
      const { organizationId } = world.acme;
      const [proposer, appointee] = [await addMember(), await addMember()];
      const role = { userId: proposer.userId, organizationId, role: 'ORGANIZATION_ADMIN' };
      const { id: roleAssignmentId } = await assignRole(world, role);
      const { id } = await done(
        await gateway.as(proposer.email),
        'assignRole',
        appointmentOf(appointee.userId),
      );
      const input = name === 'removeRole' ? { roleAssignmentId } : { accountId: proposer.userId };
      await done(world.operator, name, input);
      expect(await attempt(await guard(), 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
        code: 'CHANGE_LAPSED',
      });
      expect(await rolesOf(appointee.userId)).toEqual([]);
      expect(await read(await admin(), id)).toMatchObject({ state: 'LAPSED' });
    },
  );
});

describe('time', () => {
  test('ends what nobody confirms in 14 days, once, however many gateways', async () => {
    const { userId } = await addMember();
    const { id } = await done(await admin(), 'assignRole', appointmentOf(userId));
    const { expiresAt } = await read(await admin(), id);
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 14 * day)).toBeLessThan(hour);
    ahead = 14 * day - hour;
    expect(await settle()).toBe(0);
    ahead = 14 * day + hour;
    const olivia = await admin();
    // It is over even before the job has run.
    expect(await read(olivia, id)).toMatchObject({
      state: 'EXPIRED',
      version: 2,
      settledAt: expiresAt,
      settledBy: null,
    });
    expect(await list(olivia, 'EXPIRED')).toContain(id);
    expect(await list(olivia, 'WAITING')).not.toContain(id);
    expect(await attempt(await guard(), 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
      code: 'CHANGE_NOT_WAITING',
    });
    // Proposed again, the expired one is settled first.
    await newEntries();
    const again = await done(olivia, 'assignRole', appointmentOf(userId));
    expect(again.id).not.toBe(id);
    expect(await newEntries()).toEqual([
      'SYSTEM proposed_change.expire SUCCEEDED',
      `${olivia.email} proposed_change.propose SUCCEEDED`,
    ]);
    await settle();
    await newEntries();
    ahead += 15 * day;
    expect(await settle()).toBe(1);
    expect(await newEntries()).toEqual(['SYSTEM proposed_change.expire SUCCEEDED']);
    expect(await settle()).toBe(0);
  });

  test('makes an appointment take effect after 72 hours where no active Guard admin is left', async () => {
    const { globex } = world;
    const { organizationId } = globex;
    const gus = () => gateway.as(globex.emails.organizationAdmin);
    const guardId = await accountId(globex.emails.guardAdmin);
    await done(world.operator, 'deactivateAccount', { accountId: guardId });
    const [first, second] = [await addMember(globex), await addMember(globex)];
    expect(await attempt(world.operator, 'assignRole', appointmentOf(first.userId, globex))).toMatchObject({
      code: 'NO_GUARD_ADMIN',
    });
    // Not what is removed, and not what is pushed and synced by somebody else than an organization admin.
    const [held] = await rolesOf(guardId);
    const removal = await done(await gus(), 'removeRole', { roleAssignmentId: held?.id });
    expect(await read(await gus(), removal.id)).toMatchObject({ effectiveAt: null, state: 'WAITING' });
    await assignRole(world, { ...appointmentOf(second.userId, globex), origin: 'SCIM' });
    await done(await gateway.as(globex.emails.jiraAdmin), 'triggerScimSync', { organizationId });
    expect(await list(await gus(), 'WAITING', globex)).toEqual([removal.id]);

    const appointment = await done(await gus(), 'assignRole', appointmentOf(first.userId, globex));
    const { effectiveAt, expiresAt } = await read(await gus(), appointment.id);
    // Everybody with a role, also one that is not synced.
    const [kind, ...told] = await mailsAbout(appointment.id);
    expect(kind).toBe('appointment-waits');
    const holders = Object.entries(globex.emails).filter(
      ([name]) => !['reporter', 'guardAdmin'].includes(name),
    );
    expect(told).toEqual([...holders.map(([, email]) => email), second.email].sort());
    expect(expiresAt).toBeNull();
    expect(Math.abs(Date.parse(effectiveAt) - Date.now() - 72 * hour)).toBeLessThan(hour);
    await newEntries(globex);
    ahead = 72 * hour - hour;
    expect(await settle()).toBe(0);
    expect(await rolesOf(first.userId)).toEqual([]);
    ahead = 72 * hour + hour;
    expect(await settle()).toBe(1);
    expect(await rolesOf(first.userId)).toMatchObject([{ role: 'GUARD_ADMIN' }]);
    expect(await newEntries(globex)).toEqual([
      'SYSTEM proposed_change.apply SUCCEEDED',
      'SYSTEM role.assign SUCCEEDED',
    ]);
    expect(await read(await gus(), appointment.id)).toMatchObject({ state: 'APPLIED', settledBy: null });
    // The new Guard admin confirms what waits.
    const newcomer = await gateway.as(first.email);
    await done(newcomer, 'confirmProposedChange', { proposedChangeId: removal.id });
    expect(await rolesOf(guardId)).toEqual([]);
  });

  test('makes nothing take effect that can no longer be made', async () => {
    const { globex } = world;
    const { rows } = await gateway.sql.query(
      `SELECT a.id FROM accounts a JOIN role_assignments r ON r.account_id = a.id
        WHERE r.role = 'GUARD_ADMIN' AND r.organization_id = $1`,
      [Buffer.from(globex.organizationId, 'base64').toString().split(':')[1]],
    );
    for (const { id } of rows)
      await done(world.operator, 'deactivateAccount', { accountId: globalId('User', id) });
    const { userId } = await addMember(globex);
    const gus = () => gateway.as(globex.emails.organizationAdmin);
    const { id } = await done(await gus(), 'assignRole', appointmentOf(userId, globex));
    await done(world.operator, 'removeUser', { userId, organizationId: globex.organizationId });
    await newEntries(globex);
    ahead = 73 * hour;
    expect(await settle()).toBe(1);
    expect(await newEntries(globex)).toEqual(['SYSTEM proposed_change.lapse SUCCEEDED']);
    expect(await read(await gus(), id)).toMatchObject({ state: 'LAPSED', settledBy: null });
  });

  test('takes effect 72 hours after an organization has lost its last admin, if an operator appoints somebody', async () => {
    const { organizationId, admin: first, guard: gina } = await withAdminAndGuard('Bereft');
    const customer = { ...world.acme, organizationId };
    const [second, third] = [await addMember(customer), await addMember(customer)];
    const role = 'ORGANIZATION_ADMIN';
    await done(first, 'assignRole', { userId: third.userId, organizationId, role, origin: 'SCIM' });
    await done(world.operator, 'deactivateAccount', { accountId: await accountId(first.email) });
    const appointment = { userId: second.userId, organizationId, role };
    const { id } = await done(world.operator, 'assignRole', appointment);
    const { effectiveAt, ...waiting } = await read(gina, id);
    expect(Math.abs(Date.parse(effectiveAt) - Date.now() - 72 * hour)).toBeLessThan(hour);
    expect(waiting).toMatchObject({ needsConfirmationBy: role, expiresAt: null, state: 'WAITING' });
    expect(await mailsAbout(id)).toEqual(['appointment-waits', gina.email, third.email].sort());
    await done(world.operator, 'triggerScimSync', { organizationId });
    expect(await rolesOf(third.userId)).toMatchObject([{ syncState: 'PENDING_SYNC' }]);
    expect(await attempt(world.operator, 'confirmProposedChange', { proposedChangeId: id })).toMatchObject({
      code: 'FORBIDDEN',
    });
    await newEntries(customer);
    ahead = 72 * hour - hour;
    expect(await settle()).toBe(0);
    ahead = 72 * hour + hour;
    expect(await settle()).toBe(1);
    expect(await rolesOf(second.userId)).toMatchObject([{ role, syncState: 'SYNCED' }]);
    expect(await newEntries(customer)).toEqual([
      'SYSTEM proposed_change.apply SUCCEEDED',
      'SYSTEM role.assign SUCCEEDED',
    ]);
  });
});

describe('as many as may wait', () => {
  /** Lets so many changes of the customer wait for the confirmation, until the test ends. */
  async function fill(count: number, needs: string): Promise<void> {
    const [local] = [world.acme.organizationId].map(
      (id) => Buffer.from(id, 'base64').toString().split(':')[1],
    );
    await gateway.sql.query(
      `INSERT INTO proposed_changes (id, organization_id, kind, about, input, before, after, summary, proposed_by_id,
                                     proposed_at, needs, expires_at, version)
       SELECT gen_random_uuid(), $1, 'REMOVE_ROLE', 'filling ' || n, '{}', '{}', '{}', 'Remove a role', a.id,
              now(), $3::confirmation, now() + interval '1 day', 1
         FROM generate_series(1, $2) AS n, accounts a WHERE a.email = $4`,
      [local, count, needs, world.acme.emails.organizationAdmin],
    );
    onTestFinished(async () => {
      await gateway.sql.query(
        `UPDATE proposed_changes SET state = 'WITHDRAWN', settled_by_id = proposed_by_id, settled_at = now(),
                version = version + 1 WHERE about LIKE 'filling %' AND state = 'WAITING'`,
      );
    });
  }

  const waitingFor = async (needs: string): Promise<number> => {
    const { rows } = await gateway.sql.query(
      `SELECT count(*)::int AS count FROM proposed_changes WHERE state = 'WAITING' AND needs = $1::confirmation
          AND organization_id = $2`,
      [needs, Buffer.from(world.acme.organizationId, 'base64').toString().split(':')[1]],
    );
    return rows[0].count;
  };

  test('are a thousand for each confirmation, and a sync proposes no more', async () => {
    const [someone, pushed] = [await addMember(), await addMember()];
    await assignRole(world, { ...appointmentOf(pushed.userId), origin: 'SCIM' });
    await fill(1_000 - (await waitingFor('GUARD_ADMIN')), 'GUARD_ADMIN');
    const olivia = await admin();
    const tooMany = { code: 'TOO_MANY_CHANGES_WAIT' };
    const siteId = world.acme.sites.restricted.id;
    const policy = { siteId, requestWaitSeconds: 31_536_000, samePersonMayApproveTwice: false };
    const [held] = await rolesOf(await accountId(world.acme.emails.guardAdmin));
    const { organizationId } = world.acme;
    const userId = await accountId(world.acme.emails.guardAdmin);
    for (const [person, name, input] of [
      [olivia, 'assignRole', appointmentOf(someone.userId)],
      [olivia, 'removeRole', { roleAssignmentId: held?.id }],
      [world.operator, 'removeUser', { userId, organizationId }],
      [olivia, 'setSupportAccessRestrictions', { siteId, restricted: false }],
      [olivia, 'setSupportAccessPolicy', policy],
    ] as const)
      expect(await attempt(person, name, { ...input }), name).toMatchObject(tooMany);
    await done(olivia, 'triggerScimSync', { organizationId });
    expect(await waitingFor('GUARD_ADMIN')).toBe(1_000);
    const role = { userId: someone.userId, organizationId, role: 'ORGANIZATION_ADMIN' };
    const { id } = await done(world.operator, 'assignRole', role);
    await done(olivia, 'declineProposedChange', { proposedChangeId: id });
  });
});

test('an organization gets Guard later, and keeps it while a site is restricted', async () => {
  const { id: organizationId } = await done(world.operator, 'createOrganization', { name: 'Later' });
  const set = (hasGuard: boolean) =>
    attempt(world.operator, 'setOrganizationGuard', { organizationId, hasGuard });
  const { id: siteId } = await done(world.operator, 'createSite', {
    ...{ organizationId, name: 'Later', url: 'https://later.example' },
  });
  const people = [];
  for (const [email, role] of [
    ['admin@later.example', 'ORGANIZATION_ADMIN'],
    ['guard@later.example', 'GUARD_ADMIN'],
  ] as const) {
    const { id: userId } = await done(world.operator, 'addUser', { organizationId, email, name: email });
    await done(people[0] ?? world.operator, 'assignRole', { userId, organizationId, role });
    people.push(await gateway.as(email));
  }
  const [first, second] = people;
  if (first === undefined || second === undefined) throw new Error('Two people');
  const restrict = { siteId, restricted: true };
  expect(await attempt(first, 'setSupportAccessRestrictions', restrict)).toMatchObject({
    code: 'ORGANIZATION_WITHOUT_GUARD',
  });
  expect(await set(true)).toMatchObject({ __typename: 'Organization' });
  await done(first, 'setSupportAccessRestrictions', restrict);
  expect(await set(false)).toMatchObject({ code: 'SUPPORT_ACCESS_RESTRICTED' });
  await doneByTwo(second, first, 'setSupportAccessRestrictions', { siteId, restricted: false });
  expect(await set(false)).toMatchObject({ __typename: 'Organization' });
});

/** An organization that has Guard, with an organization admin and a Guard admin. */
async function withAdminAndGuard(name: string) {
  const input = { name, hasGuard: true };
  const { id: organizationId } = await done(world.operator, 'createOrganization', input);
  const customer = { ...world.acme, organizationId };
  const [first, second] = [await addMember(customer), await addMember(customer)];
  const role = 'ORGANIZATION_ADMIN';
  await done(world.operator, 'assignRole', { userId: first.userId, organizationId, role });
  const person = await gateway.as(first.email);
  await done(person, 'assignRole', appointmentOf(second.userId, customer));
  return { organizationId, admin: person, guard: await gateway.as(second.email) };
}

async function accountId(email: string): Promise<string> {
  const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
  return globalId('User', rows[0].id);
}

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
