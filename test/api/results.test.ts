/** Each mutation returns each type of its union, and no other: every row below causes all of them through a gateway. */
import { isUnionType } from 'graphql';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { MutationName } from '../../src/authorization/operations.ts';
import { schema } from '../../src/graphql/schema.ts';
import { beginChanges } from '../support/begun-changes.ts';
import { generousQuotas } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import {
  insertAuditStreams,
  insertInboundTicketEvents,
  insertInvitations,
  insertOpenRequests,
  rawId,
} from '../support/rows.ts';
import { everyNth, seedOf } from '../support/size.ts';
import {
  addRovoBackend,
  assignRole,
  attempt,
  done,
  fileTicket,
  type SiteName,
  startGatewayWithWorld,
  type World,
} from '../support/world.ts';

/** More than anybody files here. */
const openTicketsOfUser = 1_000;
let gateway: TestGateway;
let world: World;
let people: Record<
  | 'reporter'
  | 'organizationAdmin'
  | 'jiraAdmin'
  | 'confluenceAdmin'
  | 'guardAdmin'
  | 'engineer'
  | 'operator'
  | 'rovo'
  | 'auditor',
  Person
>;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({
    ...{ maintenance: false, config: { quotas: { ...generousQuotas, openTicketsOfUser } } },
  }));
  const { reporter, organizationAdmin, jiraAdmin, confluenceAdmin, guardAdmin } = world.acme.emails;
  const auditor = await done(world.operator, 'addUser', {
    ...{ organizationId: world.acme.organizationId, email: 'auditor@acme.example', name: 'Auditor' },
  });
  await assignRole(world, {
    ...{ userId: auditor.id, role: 'AUDITOR', organizationId: world.acme.organizationId },
  });
  people = {
    auditor: await gateway.as('auditor@acme.example'),
    reporter: await gateway.as(reporter),
    organizationAdmin: await gateway.as(organizationAdmin),
    jiraAdmin: await gateway.as(jiraAdmin),
    confluenceAdmin: await gateway.as(confluenceAdmin),
    guardAdmin: await gateway.as(guardAdmin),
    engineer: await gateway.as(world.engineer.email),
    operator: world.operator,
    rovo: await addRovoBackend(gateway),
  };
});
afterAll(() => gateway.dispose());

type Input = Record<string, unknown>;
type Case = () => Promise<{ as: Person; input: Input }>;

/** The calls that return each type of a mutation's union. */
type Row = {
  /** One for each success type. */
  succeeds: Case[];
  /** Somebody who may see the object, but may not run the mutation on it. */
  ForbiddenError?: Case;
  /** Changes the input of the first success, which causes the ConflictError: the idempotency key is the same. */
  otherInput?: Input;
  NotFoundError?: Case;
  NotEligibleError?: Case;
  InvalidStateError?: Case;
  SupportSessionOpenError?: Case;
};

const nowhere = (type: string) =>
  Buffer.from(`${type}:01890000-0000-7000-8000-000000000000`).toString('base64');
let count = 0;
function fresh(what: string): string {
  count += 1;
  return `${what}-${count}`;
}
const by =
  (who: keyof typeof people, input: Input | (() => Promise<Input>)): Case =>
  async () => ({ as: people[who], input: typeof input === 'function' ? await input() : input });

const ticket =
  (more: Input = {}, change: (ticketId: string) => Promise<unknown> = async () => undefined) =>
  async (): Promise<Input> => {
    const { ticketId } = await fileTicket(gateway, world);
    await change(ticketId);
    return { ticketId, ...more };
  };
const close = (ticketId: string) => done(people.reporter, 'closeTicket', { ticketId });

type Stage = 'PENDING_APPROVAL' | 'PENDING_GUARD_APPROVAL' | 'ACTIVE' | 'DENIED';
/** A grant in this state. */
const grant =
  (state: Stage, site: SiteName = state === 'PENDING_GUARD_APPROVAL' ? 'restricted' : 'main') =>
  async (): Promise<{ grantId: string }> => {
    const { grantId } = await fileTicket(gateway, world, { site });
    if (grantId === null) throw new Error('The ticket came without a request');
    if (state === 'DENIED') await done(people.organizationAdmin, 'denyDataAccess', { grantId });
    if (state === 'ACTIVE' || state === 'PENDING_GUARD_APPROVAL') {
      await done(people.organizationAdmin, 'approveDataAccess', { grantId });
    }
    return { grantId };
  };
/** What a session is started with, under an active grant. */
const use = async () => ({
  ...(await grant('ACTIVE')()),
  ...{ reason: 'INVESTIGATE_PROBLEM', note: 'To see it', country: 'DE' },
});
const session = async () => ({
  supportSessionId: (await done(people.engineer, 'startSupportSession', await use())).id as string,
});
const noGrant: Input = { grantId: nowhere('Grant') };

const anyChange: () => Input = () => ({
  ...{ kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
  ...{ description: 'Switch it on', justification: 'It is off' },
  validUntil: new Date(Date.now() + 86_400_000).toISOString(),
});
/** A change request in this state. */
const changeRequest =
  (state: 'PENDING_CONSENT' | 'CONSENTED' | 'IN_PROGRESS' | 'REFUSED', more: Input = {}) =>
  async (): Promise<Input> => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    const { id } = await done(people.engineer, 'requestChange', { ticketId, ...anyChange() });
    const input = { changeRequestId: id };
    if (state === 'REFUSED') await done(people.organizationAdmin, 'refuseChange', input);
    if (state === 'CONSENTED' || state === 'IN_PROGRESS')
      await done(people.organizationAdmin, 'consentToChange', input);
    if (state === 'IN_PROGRESS') {
      await done(people.organizationAdmin, 'approveDataAccess', { grantId });
      await beginChanges(gateway, [id]);
    }
    return { ...input, ...more };
  };
const decidesOnChange = (
  state: 'PENDING_CONSENT' | 'CONSENTED' | 'IN_PROGRESS',
  who: keyof typeof people,
  onlooker: keyof typeof people,
  more: Input = {},
): Row => ({
  succeeds: [by(who, changeRequest(state, more))],
  ForbiddenError: by(onlooker, changeRequest(state, more)),
  otherInput: { expectedVersion: 9 },
  NotFoundError: by(who, { changeRequestId: nowhere('ChangeRequest'), ...more }),
  InvalidStateError: by(who, changeRequest('REFUSED', more)),
});

const site = async (): Promise<{ siteId: string }> => {
  const { organizationId } = world.acme;
  const name = fresh('site');
  const { id } = await done(people.operator, 'createSite', {
    ...{ organizationId, name, url: `https://${name}.example` },
  });
  return { siteId: id };
};
const mainSite = async () => ({ siteId: world.acme.sites.main.id });
const restrictedSite = () => ({ siteId: world.acme.sites.restricted.id });
const noSite: Input = { siteId: nowhere('Site') };
/** A site of an organization without Guard, as its admin sees it. */
const siteWithoutGuard: Case = async () => {
  const name = fresh('guardless');
  const { id: organizationId } = await done(people.operator, 'createOrganization', { name });
  const { id: siteId } = await done(people.operator, 'createSite', {
    ...{ organizationId, name, url: `https://${name}.example` },
  });
  const email = `admin@${name}.example`;
  const { id: userId } = await done(people.operator, 'addUser', { organizationId, email, name });
  await done(people.operator, 'assignRole', { userId, organizationId, role: 'ORGANIZATION_ADMIN' });
  return { as: await gateway.as(email), input: { siteId, restricted: true } };
};

/** The Guard admin of a restricted organization, in which as many changes wait as may. */
const guardAdminOfFullOrganization = async () => {
  const name = fresh('full');
  const { id: organizationId } = await done(people.operator, 'createOrganization', { name, hasGuard: true });
  const url = `https://${name}.example`;
  const { id: siteId } = await done(people.operator, 'createSite', { organizationId, name, url });
  const add = async (as: Person, role: string) => {
    const email = `${role.toLowerCase()}@${name}.example`;
    const { id: userId } = await done(people.operator, 'addUser', { organizationId, email, name });
    const { id } = await done(as, 'assignRole', { userId, organizationId, role });
    return { organizationId, userId, roleAssignmentId: id, person: await gateway.as(email) };
  };
  const admin = await add(people.operator, 'ORGANIZATION_ADMIN');
  const guard = await add(admin.person, 'GUARD_ADMIN');
  await done(admin.person, 'setSupportAccessRestrictions', { siteId, restricted: true });
  await gateway.sql.query(
    `INSERT INTO proposed_changes (id, organization_id, kind, about, input, before, after, summary, proposed_by_id,
                                   proposed_at, needs, expires_at, version)
     SELECT gen_random_uuid(), o.id, 'REMOVE_ROLE', $1 || n, '{}', '{}', '{}', 'Remove a role', a.id,
            now(), 'GUARD_ADMIN', now() + interval '1 day', 1
       FROM generate_series(1, 1000) AS n, organizations o, accounts a WHERE o.name = $1 AND a.kind = 'OPERATOR'`,
    [name],
  );
  return guard;
};

const person = () => ({ email: `${fresh('person')}@acme.example`, name: 'Fresh' });
const member = async () => {
  const { organizationId } = world.acme;
  const { email, ...input } = person();
  const user = await done(people.operator, 'addUser', { organizationId, email, ...input });
  return { organizationId, userId: user.id as string, email };
};
const product = async () => {
  const input = { siteId: world.acme.sites.main.id, key: fresh('wiki'), name: 'Wiki' };
  const { id } = await done(people.operator, 'licenseProduct', input);
  return { productId: id };
};
/** A product whose licence has ended, and where not all is recorded as over yet. */
const unsettledProduct = async () => {
  const input = { ...(await mainSite()), key: fresh('wiki'), name: 'Wiki' };
  const { id } = await done(people.operator, 'licenseProduct', input);
  await gateway.sql.query(
    `UPDATE products SET licensed = false, unsettled_since = now(),
            unsettled_by_id = (SELECT id FROM accounts WHERE email = $2) WHERE id = $1`,
    [rawId(id), people.operator.email],
  );
  return input;
};
const assigned = async (role: Input = { role: 'ORGANIZATION_ADMIN' }) => {
  const { userId, organizationId, email } = await member();
  const { id } = await assignRole(world, { userId, organizationId, ...role });
  return { roleAssignmentId: id as string, email };
};
const account = (mutation: MutationName, more: Input) => async () => ({
  accountId: (await done(people.operator, mutation, { ...person(), ...more })).id,
});
/** A second Guard admin of Acme, whose appointment the first one has confirmed. */
const secondGuardAdmin = async () => {
  const { organizationId, userId } = await member();
  const appointment = { organizationId, userId, role: 'GUARD_ADMIN' };
  const { id: proposedChangeId } = await done(people.organizationAdmin, 'assignRole', appointment);
  await done(people.guardAdmin, 'confirmProposedChange', { proposedChangeId });
  const { roleAssignments } = await people.organizationAdmin.ask(
    'query ($userId: ID!) { roleAssignments(filter: { userId: $userId }) { edges { node { id } } } }',
    { userId },
  );
  return { organizationId, userId, roleAssignmentId: roleAssignments.edges[0].node.id as string };
};
const appointment = async () => {
  const { organizationId, userId } = await member();
  return { organizationId, userId, role: 'GUARD_ADMIN' };
};
/** A change that the organization admin has proposed. */
const proposal = async () => ({
  proposedChangeId: (await done(people.organizationAdmin, 'assignRole', await appointment())).id as string,
});
const settlesProposal = (who: keyof typeof people, onlooker: keyof typeof people): Row => ({
  succeeds: [by(who, proposal)],
  ForbiddenError: by(onlooker, proposal),
  otherInput: { proposedChangeId: nowhere('ProposedChange') },
  NotFoundError: by(who, { proposedChangeId: nowhere('ProposedChange') }),
  InvalidStateError: by(who, async () => {
    const input = await proposal();
    await done(people.organizationAdmin, 'withdrawProposedChange', input);
    return input;
  }),
});
/** An event that waits for its ticket. */
const inboundEvent = async () => ({
  inboundTicketEventId: (await insertInboundTicketEvents(gateway, world.services.ticketing, 1))[0],
});
/** A requested deletion of Rovo's data, of a new site. */
const deletion = async () => {
  const input = { organizationId: world.acme.organizationId, ...(await site()) };
  const { id } = await done(people.organizationAdmin, 'requestRovoDataDeletion', input);
  return { rovoDataDeletionId: id as string };
};
/** A stream of the audit log. */
const stream = (state: 'ACTIVE' | 'PAUSED') => async () => {
  const { organizationId, emails } = world.acme;
  await gateway.sql.query('DELETE FROM audit_streams');
  const [auditStreamId] = await insertAuditStreams(
    ...([gateway, rawId(organizationId), emails.organizationAdmin, 1, state] as const),
  );
  return { auditStreamId };
};
const noStream: Input = { auditStreamId: nowhere('AuditStream') };
/** What somebody who sees the stream may do: an auditor may not. */
const onStream = (
  more: Input = {},
  state: 'ACTIVE' | 'PAUSED' = 'ACTIVE',
  wrongState?: 'ACTIVE' | 'PAUSED',
): Row => {
  const input = (of: 'ACTIVE' | 'PAUSED') => async () => ({ ...(await stream(of)()), ...more });
  return {
    succeeds: [by('organizationAdmin', input(state))],
    ForbiddenError: by('auditor', input(state)),
    otherInput: noStream,
    NotFoundError: by('organizationAdmin', { ...noStream, ...more }),
    ...(wrongState === undefined ? {} : { InvalidStateError: by('organizationAdmin', input(wrongState)) }),
  };
};
/** Of a stream whose organization has given Guard up. */
const withoutGuard = (state: 'ACTIVE' | 'PAUSED') => async () => {
  const input = await stream(state)();
  await gateway.sql.query('UPDATE organizations SET has_guard = false WHERE id = $1', [
    rawId(world.acme.organizationId),
  ]);
  onTestFinished(async () => {
    await gateway.sql.query('UPDATE organizations SET has_guard = true WHERE id = $1', [
      rawId(world.acme.organizationId),
    ]);
  });
  return input;
};
/** A new invitation of an address that nobody has. */
const invitation = async () => {
  const input = { ...person(), organizationId: world.acme.organizationId };
  const { id } = await done(people.organizationAdmin, 'inviteUser', input);
  return { invitationId: id as string };
};
/** One of somebody who has an account: they are invited to the other customer. */
const invitationOfReporter = async () => {
  const { organizationId, emails } = world.globex;
  await gateway.sql.query(`DELETE FROM invitations WHERE email = $1`, [world.acme.emails.reporter]);
  const [invitationId] = await insertInvitations(gateway, rawId(organizationId), emails.organizationAdmin, [
    world.acme.emails.reporter,
  ]);
  return { invitationId };
};
const withdrawn = (make: () => Promise<Input>) => async () => {
  const input = await make();
  await done(people.operator, 'withdrawInvitation', input);
  return input;
};
const noInvitation: Input = { invitationId: nowhere('Invitation') };
const noDeletion: Input = { rovoDataDeletionId: nowhere('RovoDataDeletion') };
const service: Input = { capabilities: ['TICKETING'] };
const accountsOfEveryKind = (): Case[] => [
  by('operator', async () => ({ accountId: (await member()).userId })),
  by('operator', account('addSupportEngineer', {})),
  by('operator', account('addOperator', {})),
  by('operator', account('addComplianceAnalyst', {})),
  by('operator', account('addServiceAccount', service)),
];
const ownAccount: Case = async () => {
  const { viewer } = await people.operator.ask('{ viewer { account { ... on Node { id } } } }');
  return { as: people.operator, input: { accountId: viewer.account.id } };
};
const switchesAccount: Row = {
  succeeds: accountsOfEveryKind(),
  ForbiddenError: by('organizationAdmin', async () => ({ accountId: (await member()).userId })),
  otherInput: { accountId: nowhere('User') },
  NotFoundError: by('operator', { accountId: nowhere('User') }),
  InvalidStateError: ownAccount,
};
/** An account that is not a member's, and one with an email address that is in use. */
const addsAccount = (more: Input = {}): Row => ({
  succeeds: [by('operator', async () => ({ ...person(), ...more }))],
  ForbiddenError: by('reporter', async () => ({ ...person(), ...more })),
  otherInput: { name: 'Another' },
  InvalidStateError: by('operator', async () => ({ ...person(), ...more, email: world.engineer.email })),
});
const decidesOn = (
  state: Stage,
  wrongState: Stage,
  who: keyof typeof people,
  onlooker: keyof typeof people,
): Row => ({
  succeeds: [by(who, grant(state))],
  ForbiddenError: by(onlooker, grant(state)),
  otherInput: { reason: 'Another' },
  NotFoundError: by(who, noGrant),
  InvalidStateError: by(who, grant(wrongState, state === 'PENDING_GUARD_APPROVAL' ? 'restricted' : 'main')),
});

const inBulk: Row = {
  succeeds: [by('jiraAdmin', { grantIds: [nowhere('Grant')] })],
  otherInput: { reason: 'Another' },
};

const rows: Record<MutationName, () => Row> = {
  createTicket: () => {
    const input = {
      productId: world.acme.sites.main.products.jira,
      summary: 'It is slow',
      grantDataAccess: false,
    };
    return {
      succeeds: [by('reporter', input)],
      ForbiddenError: by('operator', input),
      otherInput: { summary: 'It is slower' },
      NotFoundError: by('reporter', { ...input, productId: nowhere('Product') }),
      InvalidStateError: by('confluenceAdmin', async () => {
        const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [
          people.confluenceAdmin.email,
        ]);
        const place = { siteId: rawId(world.acme.sites.main.id), productId: rawId(input.productId) };
        const of = { ...place, project: 'FULL', reporterId: rows[0]?.id, engineerId: null };
        await insertOpenRequests(gateway, of, openTicketsOfUser, 'The board does not load.');
        return input;
      }),
    };
  },
  assignTicket: () => ({
    succeeds: [by('operator', ticket({ engineerId: world.otherEngineer.id }))],
    ForbiddenError: by('reporter', ticket()),
    otherInput: { engineerId: null },
    NotFoundError: by('operator', { ticketId: nowhere('Ticket') }),
    InvalidStateError: by('operator', ticket({}, close)),
  }),
  updateTicketStatus: () => ({
    succeeds: [by('engineer', ticket({ status: 'RESOLVED' }))],
    ForbiddenError: by('operator', ticket({ status: 'RESOLVED' })),
    otherInput: { status: 'OPEN' },
    NotFoundError: by('engineer', { ticketId: nowhere('Ticket'), status: 'OPEN' }),
    InvalidStateError: by('engineer', ticket({ status: 'RESOLVED' }, close)),
  }),
  updateTicket: () => ({
    succeeds: [by('engineer', ticket({ summary: 'It is very slow' }))],
    ForbiddenError: by('operator', ticket({ summary: 'It is very slow' })),
    otherInput: { summary: 'It is slower' },
    NotFoundError: by('engineer', { ticketId: nowhere('Ticket'), summary: 'It is slower' }),
    InvalidStateError: by('engineer', ticket({ status: 'RESOLVED' }, close)),
  }),
  closeTicket: () => ({
    succeeds: [by('reporter', ticket())],
    ForbiddenError: by('operator', ticket()),
    otherInput: { ticketId: nowhere('Ticket') },
    NotFoundError: by('reporter', { ticketId: nowhere('Ticket') }),
  }),
  reopenTicket: () => ({
    succeeds: [by('reporter', ticket({}, close))],
    ForbiddenError: by('operator', ticket({}, close)),
    otherInput: { ticketId: nowhere('Ticket') },
    NotFoundError: by('reporter', { ticketId: nowhere('Ticket') }),
    InvalidStateError: by('reporter', ticket()),
  }),
  requestDataAccess: () => {
    const rovo = { scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] };
    return {
      succeeds: [by('engineer', ticket(rovo))],
      ForbiddenError: by('reporter', ticket(rovo)),
      otherInput: { justification: 'Another' },
      NotFoundError: by('engineer', { ticketId: nowhere('Ticket') }),
      InvalidStateError: by('engineer', ticket()),
    };
  },
  withdrawDataAccessRequest: () => decidesOn('PENDING_APPROVAL', 'DENIED', 'engineer', 'reporter'),
  releaseDataAccess: () => decidesOn('ACTIVE', 'PENDING_APPROVAL', 'engineer', 'reporter'),
  approveDataAccess: () => ({
    ...decidesOn('PENDING_APPROVAL', 'DENIED', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', grant('PENDING_APPROVAL')),
  }),
  denyDataAccess: () => ({
    ...decidesOn('PENDING_APPROVAL', 'DENIED', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', grant('PENDING_APPROVAL')),
  }),
  revokeDataAccess: () => ({
    ...decidesOn('ACTIVE', 'PENDING_APPROVAL', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', grant('ACTIVE')),
  }),
  approveGuardRequest: () =>
    decidesOn('PENDING_GUARD_APPROVAL', 'PENDING_APPROVAL', 'guardAdmin', 'reporter'),
  denyGuardRequest: () => decidesOn('PENDING_GUARD_APPROVAL', 'PENDING_APPROVAL', 'guardAdmin', 'reporter'),
  approveDataAccessInBulk: () => inBulk,
  denyDataAccessInBulk: () => inBulk,
  approveGuardRequestInBulk: () => inBulk,
  denyGuardRequestInBulk: () => inBulk,
  revokeDataAccessInBulk: () => inBulk,
  requestChange: () => ({
    succeeds: [by('engineer', ticket(anyChange()))],
    ForbiddenError: by('reporter', ticket(anyChange())),
    otherInput: { description: 'Another' },
    NotFoundError: by('engineer', { ticketId: nowhere('Ticket'), ...anyChange() }),
    InvalidStateError: by('engineer', ticket(anyChange(), close)),
  }),
  withdrawChangeRequest: () => decidesOnChange('PENDING_CONSENT', 'engineer', 'reporter'),
  recordChangeResult: () =>
    decidesOnChange('IN_PROGRESS', 'engineer', 'reporter', { result: 'FAILED', note: 'No such project' }),
  consentToChange: () => ({
    ...decidesOnChange('PENDING_CONSENT', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', changeRequest('PENDING_CONSENT')),
  }),
  refuseChange: () => ({
    ...decidesOnChange('PENDING_CONSENT', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', changeRequest('PENDING_CONSENT')),
  }),
  revokeChangeConsent: () => ({
    ...decidesOnChange('CONSENTED', 'jiraAdmin', 'engineer'),
    NotEligibleError: by('confluenceAdmin', changeRequest('CONSENTED')),
  }),
  setSupportAccessRestrictions: () => ({
    succeeds: [
      by('organizationAdmin', async () => ({ ...(await mainSite()), restricted: false })),
      by('organizationAdmin', async () => ({ ...restrictedSite(), restricted: false })),
    ],
    ForbiddenError: by('reporter', async () => ({ ...(await mainSite()), restricted: false })),
    otherInput: { restricted: true },
    NotFoundError: by('organizationAdmin', { ...noSite, restricted: true }),
    InvalidStateError: siteWithoutGuard,
  }),
  setSupportAccessPolicy: () => {
    const policy = { requestWaitSeconds: 1_209_600, samePersonMayApproveTwice: false };
    const looser = { requestWaitSeconds: 2_000_000 };
    return {
      succeeds: [
        by('organizationAdmin', async () => ({ ...(await mainSite()), ...policy })),
        by('organizationAdmin', async () => ({ ...restrictedSite(), ...policy, ...looser })),
      ],
      ForbiddenError: by('reporter', async () => ({ ...(await mainSite()), ...policy })),
      otherInput: { requestWaitSeconds: 60 },
      NotFoundError: by('organizationAdmin', { ...noSite, ...policy }),
      InvalidStateError: by('organizationAdmin', async () => {
        await attempt(people.organizationAdmin, 'setSupportAccessPolicy', {
          ...{ ...restrictedSite(), ...policy, ...looser },
        });
        return { ...restrictedSite(), ...policy, requestWaitSeconds: 2_000_001 };
      }),
    };
  },
  deactivateSite: () => ({
    succeeds: [by('operator', site)],
    ForbiddenError: by('reporter', site),
    otherInput: noSite,
    NotFoundError: by('operator', noSite),
    InvalidStateError: by('operator', async () => ({ siteId: world.acme.sites.deactivated.id })),
  }),
  reactivateSite: () => {
    const deactivated = async () => {
      const input = await site();
      await done(people.operator, 'deactivateSite', input);
      return input;
    };
    return {
      succeeds: [by('operator', deactivated)],
      ForbiddenError: by('reporter', deactivated),
      otherInput: noSite,
      NotFoundError: by('operator', noSite),
      InvalidStateError: by('operator', mainSite),
    };
  },
  assignRole: () => {
    const input = async () => {
      const { organizationId, userId } = await member();
      return { organizationId, userId, role: 'ORGANIZATION_ADMIN' };
    };
    return {
      succeeds: [by('organizationAdmin', input), by('organizationAdmin', appointment)],
      ForbiddenError: by('reporter', input),
      otherInput: { role: 'GUARD_ADMIN' },
      NotFoundError: by('operator', async () => ({
        ...(await input()),
        organizationId: nowhere('Organization'),
      })),
      InvalidStateError: by('operator', async () => {
        const given = await input();
        await assignRole(world, given);
        return given;
      }),
    };
  },
  removeRole: () => ({
    succeeds: [
      by('operator', async () => ({ roleAssignmentId: (await assigned()).roleAssignmentId })),
      by('organizationAdmin', async () => ({
        roleAssignmentId: (await secondGuardAdmin()).roleAssignmentId,
      })),
    ],
    ForbiddenError: async () => {
      const { roleAssignmentId, email } = await assigned({
        ...{ role: 'BILLING_ADMIN', siteId: world.acme.sites.main.id },
      });
      return { as: await gateway.as(email), input: { roleAssignmentId } };
    },
    otherInput: { roleAssignmentId: nowhere('RoleAssignment') },
    NotFoundError: by('operator', { roleAssignmentId: nowhere('RoleAssignment') }),
    InvalidStateError: by('operator', async () => ({
      roleAssignmentId: (await guardAdminOfFullOrganization()).roleAssignmentId,
    })),
  }),
  triggerScimSync: () => ({
    succeeds: [by('operator', async () => ({ organizationId: world.acme.organizationId }))],
    ForbiddenError: by('reporter', async () => ({ organizationId: world.acme.organizationId })),
    otherInput: { organizationId: nowhere('Organization') },
    NotFoundError: by('operator', { organizationId: nowhere('Organization') }),
  }),
  startSupportSession: () => ({
    succeeds: [by('engineer', use)],
    ForbiddenError: by('reporter', use),
    otherInput: { note: 'To see something else' },
    NotFoundError: by('engineer', async () => ({ ...(await use()), ...noGrant })),
    InvalidStateError: by('engineer', async () => ({
      ...(await use()),
      ...(await grant('PENDING_APPROVAL')()),
    })),
    SupportSessionOpenError: by('engineer', async () => {
      const input = await use();
      await done(people.engineer, 'startSupportSession', input);
      return input;
    }),
  }),
  endSupportSession: () => ({
    succeeds: [by('engineer', session)],
    ForbiddenError: by('reporter', session),
    otherInput: { supportSessionId: nowhere('SupportSession') },
    NotFoundError: by('engineer', { supportSessionId: nowhere('SupportSession') }),
  }),
  replayInboundTicketEvent: () => ({
    succeeds: [by('operator', inboundEvent)],
    ForbiddenError: async () => {
      const email = `${fresh('desk')}@acme.example`;
      await done(people.operator, 'addServiceAccount', { ...service, email, name: 'Desk' });
      const [inboundTicketEventId] = await insertInboundTicketEvents(gateway, email, 1);
      await gateway.sql.query(`UPDATE accounts SET capabilities = '{GRANT_WATCHING}' WHERE email = $1`, [
        email,
      ]);
      return { as: await gateway.as(email), input: { inboundTicketEventId } };
    },
    otherInput: { inboundTicketEventId: nowhere('InboundTicketEvent') },
    NotFoundError: by('operator', { inboundTicketEventId: nowhere('InboundTicketEvent') }),
    InvalidStateError: by('operator', async () => {
      const input = await inboundEvent();
      await gateway.sql.query(`UPDATE inbound_ticket_events SET state = 'APPLIED', reason = NULL`);
      return input;
    }),
  }),
  confirmProposedChange: () => settlesProposal('guardAdmin', 'organizationAdmin'),
  declineProposedChange: () => settlesProposal('guardAdmin', 'organizationAdmin'),
  withdrawProposedChange: () => settlesProposal('organizationAdmin', 'guardAdmin'),
  requestRovoDataDeletion: () => {
    const { organizationId } = world.acme;
    const ofSite = async () => ({ organizationId, ...(await site()) });
    return {
      succeeds: [by('organizationAdmin', ofSite)],
      ForbiddenError: by('reporter', ofSite),
      otherInput: { reason: 'Another' },
      NotFoundError: by('organizationAdmin', { organizationId: nowhere('Organization') }),
      InvalidStateError: by('organizationAdmin', async () => {
        const input = await ofSite();
        await done(people.organizationAdmin, 'requestRovoDataDeletion', input);
        return input;
      }),
    };
  },
  withdrawRovoDataDeletion: () => ({
    succeeds: [by('organizationAdmin', deletion)],
    ForbiddenError: by('operator', deletion),
    otherInput: noDeletion,
    NotFoundError: by('organizationAdmin', noDeletion),
    InvalidStateError: by('organizationAdmin', async () => {
      const input = await deletion();
      await done(people.organizationAdmin, 'withdrawRovoDataDeletion', input);
      return input;
    }),
  }),
  recordRovoDataDeletion: () => ({
    succeeds: [by('rovo', async () => ({ ...(await deletion()), step: 'STARTED' }))],
    ForbiddenError: by('organizationAdmin', async () => ({ ...(await deletion()), step: 'STARTED' })),
    otherInput: noDeletion,
    NotFoundError: by('rovo', { ...noDeletion, step: 'STARTED' }),
    InvalidStateError: by('rovo', async () => ({ ...(await deletion()), step: 'COMPLETED' })),
  }),
  setOrganizationGuard: () => {
    const { organizationId } = world.acme;
    const fresh = async () => {
      const { id } = await done(people.operator, 'createOrganization', { name: 'Initech' });
      return { organizationId: id, hasGuard: true };
    };
    return {
      succeeds: [by('operator', fresh)],
      ForbiddenError: by('organizationAdmin', { organizationId, hasGuard: true }),
      otherInput: { hasGuard: false },
      NotFoundError: by('operator', { organizationId: nowhere('Organization'), hasGuard: true }),
      InvalidStateError: by('operator', { organizationId, hasGuard: false }),
    };
  },
  createOrganization: () => ({
    succeeds: [by('operator', { name: 'Initech' })],
    ForbiddenError: by('reporter', { name: 'Initech' }),
    otherInput: { name: 'Initrode' },
  }),
  createSite: () => {
    const input = async () => {
      const name = fresh('site');
      return { organizationId: world.acme.organizationId, name, url: `https://${name}.example` };
    };
    return {
      succeeds: [by('operator', input)],
      ForbiddenError: by('reporter', input),
      otherInput: { name: 'Another' },
      NotFoundError: by('operator', async () => ({
        ...(await input()),
        organizationId: nowhere('Organization'),
      })),
      InvalidStateError: by('operator', async () => ({ ...(await input()), url: world.acme.sites.main.url })),
    };
  },
  licenseProduct: () => {
    const wiki = { key: 'wiki', name: 'Wiki' };
    return {
      succeeds: [by('operator', async () => ({ ...(await mainSite()), ...wiki }))],
      ForbiddenError: by('reporter', async () => ({ ...(await mainSite()), ...wiki })),
      otherInput: { name: 'Another' },
      NotFoundError: by('operator', { ...noSite, ...wiki }),
      InvalidStateError: by('operator', unsettledProduct),
    };
  },
  unlicenseProduct: () => ({
    succeeds: [by('operator', product)],
    ForbiddenError: by('reporter', product),
    otherInput: { productId: nowhere('Product') },
    NotFoundError: by('operator', { productId: nowhere('Product') }),
    InvalidStateError: by('operator', async () => {
      const input = await product();
      await done(people.operator, 'unlicenseProduct', input);
      return input;
    }),
  }),
  setAuditRetention: () => {
    const { organizationId } = world.acme;
    const setTo = (days: number | null) => ({ organizationId, days });
    return {
      succeeds: [by('organizationAdmin', setTo(null)), by('organizationAdmin', setTo(365))],
      ForbiddenError: by('reporter', setTo(null)),
      otherInput: { days: 180 },
      NotFoundError: by('organizationAdmin', { organizationId: nowhere('Organization'), days: 365 }),
      InvalidStateError: by('organizationAdmin', async () => {
        await attempt(people.organizationAdmin, 'setAuditRetention', { organizationId, days: 365 });
        return { organizationId, days: 366 };
      }),
    };
  },
  createAuditStream: () => {
    const { organizationId } = world.acme;
    const input = async () => {
      await gateway.sql.query('DELETE FROM audit_streams');
      return { organizationId, name: 'SIEM', endpointUrl: 'https://siem.customer.example/' };
    };
    return {
      succeeds: [by('organizationAdmin', input)],
      ForbiddenError: by('operator', input),
      otherInput: { name: 'Another' },
      NotFoundError: by('organizationAdmin', async () => ({
        ...(await input()),
        organizationId: nowhere('Organization'),
      })),
      InvalidStateError: by('organizationAdmin', async () => {
        await insertAuditStreams(
          ...([gateway, rawId(organizationId), world.acme.emails.organizationAdmin, 10] as const),
        );
        return { organizationId, name: 'SIEM', endpointUrl: 'https://siem.customer.example/' };
      }),
    };
  },
  updateAuditStream: () => onStream({ name: 'Another' }),
  rotateAuditStreamSecret: () => onStream(),
  pauseAuditStream: () => onStream({}, 'ACTIVE', 'PAUSED'),
  resumeAuditStream: () => onStream({}, 'PAUSED', 'ACTIVE'),
  replayAuditStream: () => onStream({ after: 0 }),
  testAuditStream: () => ({
    ...onStream(),
    InvalidStateError: by('organizationAdmin', withoutGuard('ACTIVE')),
  }),
  deleteAuditStream: () => onStream(),
  addUser: () => ({
    ...addsAccount({ organizationId: world.acme.organizationId }),
    NotFoundError: by('operator', async () => ({ ...person(), organizationId: nowhere('Organization') })),
  }),
  inviteUser: () => {
    const { organizationId, emails } = world.acme;
    const input = async () => ({ ...person(), organizationId });
    return {
      succeeds: [by('organizationAdmin', input)],
      ForbiddenError: by('operator', input),
      otherInput: { name: 'Another' },
      NotFoundError: by('organizationAdmin', async () => ({
        ...(await input()),
        organizationId: nowhere('Organization'),
      })),
      InvalidStateError: by('organizationAdmin', async () => ({
        ...(await input()),
        email: emails.reporter,
      })),
    };
  },
  withdrawInvitation: () => ({
    succeeds: [by('organizationAdmin', invitation)],
    ForbiddenError: by('reporter', invitationOfReporter),
    otherInput: noInvitation,
    NotFoundError: by('organizationAdmin', noInvitation),
    InvalidStateError: by('organizationAdmin', withdrawn(invitation)),
  }),
  acceptInvitation: () => ({
    succeeds: [by('reporter', invitationOfReporter)],
    ForbiddenError: by('organizationAdmin', invitation),
    otherInput: noInvitation,
    NotFoundError: by('reporter', noInvitation),
    InvalidStateError: by('reporter', withdrawn(invitationOfReporter)),
  }),
  removeUser: () => {
    const leaving = async () => {
      const { organizationId, userId } = await member();
      return { organizationId, userId };
    };
    return {
      succeeds: [
        by('operator', leaving),
        by('operator', async () => {
          const { organizationId, userId } = await secondGuardAdmin();
          return { organizationId, userId };
        }),
      ],
      ForbiddenError: by('reporter', leaving),
      otherInput: { userId: nowhere('User') },
      NotFoundError: by('operator', async () => ({ ...(await leaving()), userId: nowhere('User') })),
      InvalidStateError: by('operator', async () => {
        const { organizationId, userId } = await guardAdminOfFullOrganization();
        return { organizationId, userId };
      }),
    };
  },
  addSupportEngineer: () => addsAccount(),
  addOperator: () => addsAccount(),
  addComplianceAnalyst: () => addsAccount(),
  addServiceAccount: () => addsAccount(service),
  deactivateAccount: () => switchesAccount,
  reactivateAccount: () => switchesAccount,
};

function membersOf(union: string): string[] {
  const type = schema.getType(union);
  if (!isUnionType(type)) throw new Error(`${union} is no union`);
  return type.getTypes().map(({ name }) => name);
}

/** The types that the mutation returned for every call of its row, by the expected type. */
async function returnedBy(name: MutationName, row: Row): Promise<Record<string, string[]>> {
  const typeOf = async (run: Case, more: Input = {}): Promise<string> => {
    const { as, input } = await run();
    return (await attempt(as, name, { ...input, ...more })).__typename;
  };
  const { succeeds, otherInput, ...refusals } = row;
  const [first] = succeeds;
  if (first === undefined) throw new Error('A mutation succeeds in some way');
  const { as, input } = await first();
  const key = { idempotencyKey: fresh(name) };
  const successes = [(await attempt(as, name, { ...input, ...key })).__typename];
  for (const run of succeeds.slice(1)) successes.push(await typeOf(run));
  const returned: Record<string, string[]> = {
    success: successes,
    InvalidInputError: [await typeOf(first, { idempotencyKey: 'two words' })],
  };
  if (otherInput !== undefined) {
    const again = await attempt(as, name, { ...input, ...otherInput, ...key });
    returned['ConflictError'] = [again.__typename];
  }
  for (const [error, run] of Object.entries(refusals)) returned[error] = [await typeOf(run)];
  return returned;
}

const seed = seedOf('RESULTS_SEED');
/** Half of the mutations on an ordinary day. */
const onTurn = everyNth(Object.keys(rows) as MutationName[], seed, 3);

describe(`each type of the union, and no other, is returned by, RESULTS_SEED=${seed}`, () => {
  test.each(onTurn)('%s', async (name) => {
    const { success = [], ...refused } = await returnedBy(name, rows[name]());
    for (const [error, seen] of Object.entries(refused)) expect(seen, error).toEqual([error]);
    expect(success.filter((type) => type.endsWith('Error'))).toEqual([]);
    const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    expect([...success, ...Object.keys(refused)].sort()).toEqual(membersOf(`${capitalized}Result`).sort());
  });
});

describe.each(['approveDataAccessInBulk', 'revokeDataAccessInBulk'] as const)('one grant of %s', (name) => {
  const before: Stage = name === 'approveDataAccessInBulk' ? 'PENDING_APPROVAL' : 'ACTIVE';

  async function resultFor(as: Person, grantId: unknown, expectedVersion?: number): Promise<string> {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    const { bulk }: Json = await as.ask(
      `mutation ($input: ${type}Input!) {
         bulk: ${name}(input: $input) { ... on BulkPayload {
           results { grantId result { __typename } grant { __typename } error { __typename code message } } } } }`,
      { input: { items: [{ grantId, expectedVersion }] } },
    );
    const [{ result, grant, error, ...item }] = bulk.results;
    expect(item).toEqual({ grantId });
    // The deprecated fields say the same.
    expect((grant ?? error).__typename).toBe(result.__typename);
    if (error !== null)
      expect(error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    return result.__typename;
  }

  test('is returned as each type of the union', async () => {
    const { jiraAdmin, confluenceAdmin, engineer } = people;
    const { grantId } = await grant(before)();
    const seen = {
      NotFoundError: await resultFor(jiraAdmin, noGrant['grantId']),
      ForbiddenError: await resultFor(engineer, grantId),
      NotEligibleError: await resultFor(confluenceAdmin, grantId),
      InvalidStateError: await resultFor(jiraAdmin, (await grant('DENIED')()).grantId),
      ConflictError: await resultFor(jiraAdmin, grantId, 99),
      Grant: await resultFor(jiraAdmin, grantId),
      UnavailableError: await whileConnectionsBreak((await grant(before)()).grantId, (id) =>
        resultFor(jiraAdmin, id),
      ),
    };
    expect(seen).toEqual(Object.fromEntries(Object.keys(seen).map((type) => [type, type])));
    expect(Object.keys(seen).sort()).toEqual(membersOf('BulkItemResult').sort());
  });
});

/** Runs a mutation on the grant whose connection to the database breaks while it waits for the ticket's lock. */
async function whileConnectionsBreak<T>(grantId: string, run: (grantId: string) => Promise<T>): Promise<T> {
  const id = Buffer.from(grantId, 'base64').toString().replace('Grant:', '');
  const holder = await gateway.sql.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(
      'SELECT pg_advisory_xact_lock(hashtextextended(ticket_id::text, 2)) FROM grants WHERE id = $1',
      [id],
    );
    const result = run(grantId);
    await expect
      .poll(async () => {
        const { rows: broken } = await gateway.sql.query(
          `SELECT pg_terminate_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return broken.length;
      })
      .toBeGreaterThan(0);
    return await result;
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
}
