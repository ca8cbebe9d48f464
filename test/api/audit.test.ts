/** The audit log: it has an entry for every action, with the documented details, and filters find the entries. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSupportAction, mayName, supportActions } from '../../src/access/catalogue.ts';
import { openEvaluationDatabase } from '../../src/access/connection.ts';
import { createEvaluator } from '../../src/access/evaluator.ts';
import { auditActions } from '../../src/audit/actions.ts';
import { operations } from '../../src/authorization/operations.ts';
import { anywhere } from '../../src/organizations/residency.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { beginChanges } from '../support/begun-changes.ts';
import { generousDatabaseDeadlines } from '../support/deadlines.ts';
import { expectToCombine, readAll } from '../support/filters.ts';
import { type Json, type Person, startGateway, type TestGateway } from '../support/gateway.ts';
import { giveAllPositions } from '../support/positions.ts';
import { insertInboundTicketEvents, rawId } from '../support/rows.ts';
import { seedOf } from '../support/size.ts';
import {
  addRovoBackend,
  attempt,
  buildWorld,
  type Customer,
  done,
  fileTicket,
  type PersonName,
  type World,
} from '../support/world.ts';

const entryFields = `id occurredAt actor { kind email name } action resource { type name node { __typename id } } outcome refusalCode details
  organizationId siteId ticketId grantId supportSessionId`;
const log = {
  field: 'auditLog',
  filter: 'AuditLogFilter',
  selected: `${entryFields} clientAddress productKey ticketKey`,
};

/** The value of the enum for an action as docs/audit.md and the database write it. */
const enumValueOf = (action: string) => action.replace('.', '_').toUpperCase();

let gateway: TestGateway;
let world: World;
let acme: Customer;
let operator: Person;
/** How far the gateway's clock is ahead of the real time, in milliseconds. */
let ahead = 0;

beforeAll(async () => {
  gateway = await startGateway({ maintenance: false, clock: () => new Date(Date.now() + ahead) });
  world = await buildWorld(gateway);
  ({ acme, operator } = world);
});
afterAll(() => gateway.dispose());

const member = (name: PersonName) => gateway.as(acme.emails[name]);

/** The documented keys of each action's details, by the names in docs/audit.md: `reason?` may be missing. */
const documented: Map<string, string[]> = (() => {
  const page = readFileSync('docs/audit.md', 'utf8');
  const rows = [...page.matchAll(/^\| (`?)([\w.]+)\1 \|(?:[^|]*\|)? ([^|]*)\|$/gm)];
  const keys = (cell = '') => [...cell.matchAll(/`(\w+\??)`/g)].map(([, key = '']) => key);
  const shapes = new Map(
    rows.filter(([, tick]) => tick === '').map(([, , name = '', cell]) => [name, keys(cell)]),
  );
  return new Map(
    rows
      .filter(([, , name = '']) => name.includes('.'))
      .map(([, , name = '', cell = '']) => [enumValueOf(name), shapes.get(cell.trim()) ?? keys(cell)]),
  );
})();

test('every action is documented, and every documented action exists', () => {
  expect([...documented.keys()].sort()).toEqual(auditActions.map(enumValueOf).sort());
  for (const [action, keys] of documented) expect(keys.length, action).toBeGreaterThan(0);
});

describe('successful and refused actions', () => {
  type Expected = Partial<
    Record<
      | 'action'
      | 'outcome'
      | 'refusalCode'
      | 'resource'
      | 'details'
      | 'ticketId'
      | 'grantId'
      | 'organizationId'
      | 'siteId'
      | 'supportSessionId',
      unknown
    >
  >;
  const everything: Json[] = [];
  const attempted = new Map<string, Set<'done' | 'refused'>>();
  let last: string | null = null;

  /** The entries that were written since the last call, in the order of writing. */
  async function newEntries(): Promise<Json[]> {
    const { auditLog } = await operator.ask(
      `query ($before: String) { auditLog(last: 100, before: $before) { edges { node { ${entryFields} } } pageInfo { startCursor } } }`,
      { before: last },
    );
    last = auditLog.pageInfo.startCursor ?? last;
    return auditLog.edges.map(({ node }: Json) => node).reverse();
  }

  beforeAll(async () => {
    while ((await newEntries()).length > 0);
  });

  /** Runs a mutation and expects exactly these entries, with the present time and this actor (or Latchkey itself). */
  async function expectEntries(
    by: Person,
    name: string,
    input: Record<string, unknown>,
    expected: Expected[],
  ) {
    const from = Date.now() + ahead;
    const answer = await attempt(by, name, input);
    const until = Date.now() + ahead;
    const written = await newEntries();
    // The first request of an account also signs it in, which writes an entry of its own.
    const entries = written.filter(({ action }) => action !== 'ACCOUNT_BIND_SUBJECT');
    const title = `${name} answers ${JSON.stringify(answer)}`;
    expect(
      entries.map(({ action, outcome }) => `${action} ${outcome}`),
      title,
    ).toEqual(expected.map(({ action, outcome = 'SUCCEEDED' }) => `${action} ${outcome}`));
    for (const [at, entry] of entries.entries()) {
      expect(entry, title).toMatchObject({ refusalCode: null, ...expected[at] });
      const when = Date.parse(entry.occurredAt);
      expect(when, title).toBeGreaterThanOrEqual(from);
      expect(when, title).toBeLessThanOrEqual(until);
      if (entry.actor.kind !== 'SYSTEM') expect(entry.actor.email, title).toBe(by.email);
    }
    const own = entries.at(-1);
    if (own?.outcome === 'REFUSED') expect(answer.code, title).toBe(own.refusalCode);
    everything.push(...written);
    attempted.set(name, (attempted.get(name) ?? new Set()).add('code' in answer ? 'refused' : 'done'));
    return answer;
  }

  /** The entry of a refusal. */
  const refused = (action: string, refusalCode: string, more: Expected = {}): Expected[] => [
    { action, outcome: 'REFUSED', refusalCode, details: {}, ...more },
  ];

  test('provisioning', async () => {
    const expectOne = (name: string, input: Record<string, unknown>, action: string, more: Expected = {}) =>
      expectEntries(operator, name, input, [{ action, ...more }]);
    const { id: organizationId } = await expectOne(
      'createOrganization',
      { name: 'New', hasGuard: true },
      'ORGANIZATION_CREATE',
      {
        details: { name: 'New', hasGuard: true },
      },
    );
    await expectOne('setOrganizationGuard', { organizationId, hasGuard: true }, 'ORGANIZATION_SET_GUARD', {
      details: { hasGuard: true },
    });
    const site = { organizationId, url: 'https://new.example', name: 'New' };
    const { id: siteId } = await expectOne('createSite', site, 'SITE_CREATE', {
      details: { ...site, experience: 'CENTRALIZED', dataResidencyRegion: 'GLOBAL' },
    });
    const exists = (action: string) => refused(action, 'ALREADY_EXISTS');
    await expectEntries(operator, 'createSite', site, exists('SITE_CREATE'));
    const license = { siteId, key: 'jira', name: 'Jira' };
    const { id: productId } = await expectOne('licenseProduct', license, 'PRODUCT_LICENSE');
    await expectOne('unlicenseProduct', { productId }, 'PRODUCT_UNLICENSE', {
      resource: { type: 'Product', node: { id: productId } },
      details: { key: 'jira' },
    });
    await expectEntries(
      operator,
      'unlicenseProduct',
      { productId },
      refused('PRODUCT_UNLICENSE', 'PRODUCT_NOT_LICENSED'),
    );
    await expectOne('licenseProduct', license, 'PRODUCT_LICENSE');

    const ada = { organizationId, email: 'ada@new.example', name: 'Ada' };
    const { id: userId } = await expectOne('addUser', ada, 'ACCOUNT_ADD_USER', {
      details: { email: 'ada@new.example', name: 'Ada' },
    });
    await expectEntries(operator, 'addUser', ada, exists('ACCOUNT_ADD_USER'));
    const role = { userId, organizationId, role: 'PRODUCT_ADMIN', siteId, productId };
    const held = { email: ada.email, userId, role: 'PRODUCT_ADMIN', siteId, productId };
    const { id: roleAssignmentId } = await expectOne(
      'assignRole',
      { ...role, origin: 'SCIM' },
      'ROLE_ASSIGN',
      {
        details: { ...held, origin: 'SCIM', syncState: 'PENDING_SYNC' },
      },
    );
    await expectEntries(operator, 'assignRole', role, exists('ROLE_ASSIGN'));
    await expectEntries(
      operator,
      'assignRole',
      { ...role, role: 'SITE_ADMIN' },
      refused('ROLE_ASSIGN', 'INVALID_INPUT', { resource: { type: 'User', node: { id: userId } } }),
    );
    await expectOne('triggerScimSync', { organizationId }, 'ROLE_SYNC', { details: { synced: 1 } });
    await expectOne('removeRole', { roleAssignmentId }, 'ROLE_REMOVE', {
      resource: { type: 'RoleAssignment', node: null },
      details: { ...held, origin: 'SCIM', syncState: 'SYNCED' },
    });
    await expectOne('removeUser', { organizationId, userId }, 'ACCOUNT_REMOVE_USER', {
      details: { email: ada.email },
    });
    await expectEntries(
      operator,
      'removeUser',
      { organizationId, userId },
      refused('ACCOUNT_REMOVE_USER', 'NOT_FOUND'),
    );

    const { organizationId: acme } = world.acme;
    const bob = { organizationId: acme, email: world.globex.emails.reporter, name: 'Bob' };
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const outsider = await gateway.as(bob.email);
    const { email } = bob;
    const { id: invitationId } = await expectEntries(admin, 'inviteUser', bob, [
      {
        ...{ action: 'ACCOUNT_INVITE', organizationId: acme, details: { email, name: 'Bob' } },
        resource: { type: 'Invitation' },
      },
    ]);
    await expectEntries(admin, 'inviteUser', bob, refused('ACCOUNT_INVITE', 'ALREADY_EXISTS'));
    await expectEntries(outsider, 'acceptInvitation', { invitationId }, [
      { action: 'ACCOUNT_ACCEPT_INVITATION', organizationId: acme },
    ]);
    await expectEntries(
      outsider,
      'acceptInvitation',
      { invitationId },
      refused('ACCOUNT_ACCEPT_INVITATION', 'INVITATION_OVER'),
    );
    const carl = { organizationId: acme, email: 'carl@newcomers.example', name: 'Carl' };
    const { id: another } = await done(admin, 'inviteUser', carl);
    await newEntries();
    await expectEntries(admin, 'withdrawInvitation', { invitationId: another }, [
      { action: 'ACCOUNT_WITHDRAW_INVITATION', organizationId: acme, details: { email: carl.email } },
    ]);
    await expectEntries(
      admin,
      'withdrawInvitation',
      { invitationId: another },
      refused('ACCOUNT_WITHDRAW_INVITATION', 'INVITATION_OVER'),
    );

    for (const [name, action] of [
      ['addSupportEngineer', 'ACCOUNT_ADD_SUPPORT_ENGINEER'],
      ['addOperator', 'ACCOUNT_ADD_OPERATOR'],
      ['addComplianceAnalyst', 'ACCOUNT_ADD_COMPLIANCE_ANALYST'],
    ] as const) {
      const person = { email: `${name.toLowerCase()}@vendor.example`, name: 'New' };
      await expectOne(name, person, action, { details: person });
      await expectEntries(operator, name, person, exists(action));
    }
    const service = { email: 'new@vendor.example', name: 'New', capabilities: ['TICKETING'] };
    await expectOne('addServiceAccount', { ...service, organizationId }, 'ACCOUNT_ADD_SERVICE_ACCOUNT', {
      details: { ...service, organizationId },
    });
    await expectEntries(operator, 'addServiceAccount', service, exists('ACCOUNT_ADD_SERVICE_ACCOUNT'));

    await expectOne('deactivateAccount', { accountId: userId }, 'ACCOUNT_DEACTIVATE', {
      resource: { type: 'User', node: { id: userId } },
      details: { email: ada.email },
    });
    await expectOne('reactivateAccount', { accountId: userId }, 'ACCOUNT_REACTIVATE');
    const { viewer } = await operator.ask('{ viewer { account { ... on Operator { id } } } }');
    const own = { accountId: viewer.account.id };
    await expectEntries(operator, 'deactivateAccount', own, refused('ACCOUNT_DEACTIVATE', 'OWN_ACCOUNT'));
    await expectEntries(operator, 'reactivateAccount', own, refused('ACCOUNT_REACTIVATE', 'OWN_ACCOUNT'));
  });

  test('of the retention of the audit log', async () => {
    const { organizationId } = acme;
    const admin = await gateway.as(acme.emails.organizationAdmin);
    await newEntries();
    const input = { organizationId, days: null };
    await expectEntries(admin, 'setAuditRetention', input, [
      {
        ...{ action: 'ORGANIZATION_SET_AUDIT_RETENTION', organizationId },
        resource: { type: 'Organization', node: { id: organizationId } },
        details: { from: null, to: null, effectiveAt: null },
      },
    ]);
    await expectEntries(
      operator,
      'setAuditRetention',
      input,
      refused('ORGANIZATION_SET_AUDIT_RETENTION', 'FORBIDDEN'),
    );
  });

  test('of streams of the audit log', async () => {
    const { organizationId } = acme;
    const admin = await gateway.as(acme.emails.organizationAdmin);
    const plain = await done(operator, 'createOrganization', { name: 'Plain', hasGuard: false });
    const settings = { name: 'SIEM', endpointUrl: 'https://siem.customer.example/secret/path' };
    await newEntries();
    const { auditStream } = await expectEntries(admin, 'createAuditStream', { organizationId, ...settings }, [
      {
        ...{ action: 'AUDIT_STREAM_CREATE', organizationId, resource: { type: 'AuditStream' } },
        details: { name: 'SIEM', to: { origin: 'https://siem.customer.example' } },
      },
    ]);
    await expectEntries(
      operator,
      'createAuditStream',
      { organizationId: plain.id, ...settings },
      refused('AUDIT_STREAM_CREATE', 'FORBIDDEN'),
    );
    const named = { auditStreamId: auditStream.id };
    const steps: [string, string, Record<string, unknown>][] = [
      ['updateAuditStream', 'AUDIT_STREAM_UPDATE', { name: 'Other' }],
      ['rotateAuditStreamSecret', 'AUDIT_STREAM_ROTATE_SECRET', {}],
      ['pauseAuditStream', 'AUDIT_STREAM_PAUSE', {}],
      ['resumeAuditStream', 'AUDIT_STREAM_RESUME', {}],
      ['replayAuditStream', 'AUDIT_STREAM_REPLAY', { after: 0 }],
      ['testAuditStream', 'AUDIT_STREAM_TEST', {}],
      ['deleteAuditStream', 'AUDIT_STREAM_DELETE', {}],
    ];
    for (const [name, action, more] of steps) {
      const input = { ...named, ...more };
      await expectEntries(operator, name, input, refused(action, 'NOT_FOUND'));
      await expectEntries(admin, name, input, [
        { action, organizationId, resource: { type: 'AuditStream' } },
      ]);
    }
  });

  test('an action that the viewer may not run writes an entry with the viewer as its actor', async () => {
    const admin = await member('organizationAdmin');
    const { organizationId, sites } = acme;
    const tries: [string, Record<string, unknown>, string][] = [
      ['createOrganization', { name: 'Mine', hasGuard: false }, 'ORGANIZATION_CREATE'],
      ['setOrganizationGuard', { organizationId, hasGuard: true }, 'ORGANIZATION_SET_GUARD'],
      ['createSite', { organizationId, url: 'https://mine.example', name: 'Mine' }, 'SITE_CREATE'],
      ['licenseProduct', { siteId: sites.main.id, key: 'other', name: 'Other' }, 'PRODUCT_LICENSE'],
      ['unlicenseProduct', { productId: sites.main.products.jira }, 'PRODUCT_UNLICENSE'],
      ['addUser', { organizationId, email: 'x@acme.example', name: 'X' }, 'ACCOUNT_ADD_USER'],
    ];
    for (const [name, input, action] of tries)
      await expectEntries(admin, name, input, refused(action, 'FORBIDDEN'));
    const reporter = await member('reporter');
    await expectEntries(
      reporter,
      'setSupportAccessPolicy',
      policyOf(sites.main.id),
      refused('SITE_SET_SUPPORT_ACCESS_POLICY', 'FORBIDDEN'),
    );
    await expectEntries(reporter, 'triggerScimSync', { organizationId }, refused('ROLE_SYNC', 'FORBIDDEN'));
    const { roleAssignments } = await admin.ask('{ roleAssignments(first: 1) { edges { node { id } } } }');
    const roleAssignmentId = roleAssignments.edges[0].node.id;
    await expectEntries(
      await member('jiraAdmin'),
      'removeRole',
      { roleAssignmentId },
      refused('ROLE_REMOVE', 'FORBIDDEN'),
    );
  });

  const policyOf = (siteId: string) => ({
    siteId,
    requestWaitSeconds: 3_600,
    samePersonMayApproveTwice: false,
  });

  test('actions on a site', async () => {
    const url = 'https://life.example';
    const { id: siteId } = await done(operator, 'createSite', {
      organizationId: acme.organizationId,
      url,
      name: 'Life',
    });
    const { id: productId } = await done(operator, 'licenseProduct', { siteId, key: 'jira', name: 'Jira' });
    const admin = await member('organizationAdmin');
    const file = { productId, summary: 'Slow', grantDataAccess: false };
    await done(admin, 'createTicket', { ...file, grantDataAccess: true });
    await done(admin, 'createTicket', file);
    await newEntries();
    const policy = {
      ...{ ...policyOf(siteId), maxGrantSeconds: 60, dataResidencyPinned: true, maxSessionSeconds: 3_600 },
      engineerCountries: ['IE', 'DE', 'IE'],
    };
    await expectEntries(admin, 'setSupportAccessPolicy', policy, [
      {
        action: 'SITE_SET_SUPPORT_ACCESS_POLICY',
        resource: { type: 'Site', node: { id: siteId } },
        details: {
          ...{ requestWaitSeconds: 3_600, maxGrantSeconds: 60, samePersonMayApproveTwice: false },
          relayedConsentCounts: true,
          ...{ dataResidencyPinned: true, engineerCountries: ['DE', 'IE'] },
          ...{ sessionIdleSeconds: 1_800, maxSessionSeconds: 3_600 },
        },
      },
      {
        action: 'GRANT_SHORTEN_WAIT',
        details: expect.objectContaining({
          ...{ from: 'PENDING_APPROVAL', to: 'PENDING_APPROVAL', approvalDueAt: expect.any(String) },
        }),
      },
    ]);
    await expectEntries(admin, 'setSupportAccessRestrictions', { siteId, restricted: true }, [
      { action: 'SITE_SET_SUPPORT_ACCESS_RESTRICTIONS', details: { supportAccessRestricted: true } },
    ]);
    await expectEntries(
      await member('reporter'),
      'setSupportAccessRestrictions',
      { siteId, restricted: false },
      [{ action: 'SITE_SET_SUPPORT_ACCESS_RESTRICTIONS', outcome: 'REFUSED', refusalCode: 'FORBIDDEN' }],
    );
    await expectEntries(admin, 'deactivateSite', { siteId }, [
      { action: 'SITE_DEACTIVATE', details: { status: 'DEACTIVATED' } },
      {
        action: 'GRANT_END',
        details: expect.objectContaining({ from: 'ACTIVE', to: 'ENDED', endReason: 'SITE_DEACTIVATED' }),
      },
      {
        action: 'GRANT_WITHDRAW',
        details: expect.objectContaining({ to: 'WITHDRAWN', endReason: 'SITE_DEACTIVATED' }),
      },
    ]);
    await expectEntries(admin, 'deactivateSite', { siteId }, refused('SITE_DEACTIVATE', 'SITE_DEACTIVATED'));
    await expectEntries(admin, 'createTicket', file, [{ action: 'TICKET_CREATE' }]);
    await expectEntries(admin, 'reactivateSite', { siteId }, [
      { action: 'SITE_REACTIVATE', details: { status: 'ACTIVE' } },
    ]);
    await expectEntries(
      admin,
      'reactivateSite',
      { siteId },
      refused('SITE_REACTIVATE', 'SITE_NOT_DEACTIVATED'),
    );
  });

  test('changes that take two people', async () => {
    const [admin, guard] = [await member('organizationAdmin'), await member('guardAdmin')];
    const { organizationId } = acme;
    const newcomer = { organizationId, email: 'gus@acme.example', name: 'Gus' };
    const { id: userId } = await done(operator, 'addUser', newcomer);
    await newEntries();
    const appointment = { userId, organizationId, role: 'GUARD_ADMIN' };
    const summary = 'Assign the role Guard admin over acme to gus@acme.example';
    const proposal = { kind: 'ASSIGN_ROLE', summary, before: { role: null }, after: { role: 'GUARD_ADMIN' } };
    const details = { ...proposal, needs: 'GUARD_ADMIN', userId, expiresAt: expect.any(String) };
    const propose = async () => {
      const proposed = [{ action: 'PROPOSED_CHANGE_PROPOSE', details }];
      const { id } = await expectEntries(admin, 'assignRole', appointment, proposed);
      return { proposedChangeId: id };
    };
    const first = await propose();
    const no = (action: string) => refused(action, 'FORBIDDEN');
    await expectEntries(admin, 'confirmProposedChange', first, no('PROPOSED_CHANGE_CONFIRM'));
    await expectEntries(admin, 'declineProposedChange', first, no('PROPOSED_CHANGE_DECLINE'));
    await expectEntries(guard, 'withdrawProposedChange', first, no('PROPOSED_CHANGE_WITHDRAW'));
    await expectEntries(guard, 'declineProposedChange', first, [
      { action: 'PROPOSED_CHANGE_DECLINE', details },
    ]);
    await expectEntries(admin, 'withdrawProposedChange', await propose(), [
      { action: 'PROPOSED_CHANGE_WITHDRAW', details },
    ]);
    await expectEntries(guard, 'confirmProposedChange', await propose(), [
      { action: 'PROPOSED_CHANGE_CONFIRM', details },
      { action: 'ROLE_ASSIGN', details: expect.objectContaining({ email: newcomer.email }) },
    ]);
  });

  test('the replay of an event', async () => {
    const [inboundTicketEventId = ''] = await insertInboundTicketEvents(gateway, world.services.ticketing, 1);
    const input = { inboundTicketEventId };
    const [resource, webhookId] = [{ type: 'InboundTicketEvent' }, rawId(inboundTicketEventId)];
    const details = { webhookId, externalId: webhookId, type: 'CLOSED', reason: 'NO_TICKET_YET' };
    await expectEntries(operator, 'replayInboundTicketEvent', input, [
      { action: 'INBOUND_TICKET_EVENT_REPLAY', details, resource: expect.objectContaining(resource) },
    ]);
    await gateway.sql.query(`UPDATE inbound_ticket_events SET state = 'APPLIED', reason = NULL`);
    await expectEntries(
      operator,
      'replayInboundTicketEvent',
      input,
      refused('INBOUND_TICKET_EVENT_REPLAY', 'ALREADY_APPLIED'),
    );
  });

  test("deletions of Rovo's data", async () => {
    const [admin, rovo] = [await member('organizationAdmin'), await addRovoBackend(gateway)];
    const { organizationId, sites } = acme;
    const ofSite = { organizationId, siteId: sites.main.id, reason: 'We move' };
    const entry = (action: string, details: object) => [
      { action: `ROVO_DATA_DELETION_${action}`, organizationId, siteId: sites.main.id, details },
    ];
    await newEntries();
    const { id } = await expectEntries(
      admin,
      'requestRovoDataDeletion',
      ofSite,
      entry('REQUEST', { to: 'REQUESTED', reason: 'We move' }),
    );
    const about = { rovoDataDeletionId: id };
    await expectEntries(
      admin,
      'requestRovoDataDeletion',
      ofSite,
      refused('ROVO_DATA_DELETION_REQUEST', 'DELETION_ALREADY_REQUESTED'),
    );
    const record = (step: string, reason?: string) => ({ ...about, step, reason });
    const inProgress = { from: 'REQUESTED', to: 'IN_PROGRESS' };
    await expectEntries(rovo, 'recordRovoDataDeletion', record('STARTED'), entry('RECORD', inProgress));
    const failed = { from: 'IN_PROGRESS', to: 'FAILED', reason: 'No space' };
    await expectEntries(
      rovo,
      'recordRovoDataDeletion',
      record('FAILED', 'No space'),
      entry('RECORD', failed),
    );
    await expectEntries(
      rovo,
      'recordRovoDataDeletion',
      record('COMPLETED'),
      refused('ROVO_DATA_DELETION_RECORD', 'DELETION_NOT_STARTED'),
    );
    await expectEntries(
      admin,
      'withdrawRovoDataDeletion',
      about,
      refused('ROVO_DATA_DELETION_WITHDRAW', 'DELETION_STARTED'),
    );
    const { id: another } = await done(admin, 'requestRovoDataDeletion', { organizationId });
    await newEntries();
    await expectEntries(admin, 'withdrawRovoDataDeletion', { rovoDataDeletionId: another }, [
      {
        action: 'ROVO_DATA_DELETION_WITHDRAW',
        ...{ organizationId, siteId: null, details: { from: 'REQUESTED', to: 'WITHDRAWN' } },
      },
    ]);
  });

  test('actions on a change request', async () => {
    const [reporter, admin] = [await member('reporter'), await member('jiraAdmin')];
    const engineer = await gateway.as(world.engineer.email);
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await done(admin, 'approveDataAccess', { grantId });
    await newEntries();
    const asked = { kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' };
    const texts = { description: 'Switch it on', justification: 'It is off' };
    const validUntil = () => new Date(Date.now() + ahead + 86_400_000).toISOString();
    const entry = (verb: string, details: object): Expected => ({
      ...{ action: `CHANGE_REQUEST_${verb}`, ticketId },
      details: expect.objectContaining({ ...asked, ...details }),
    });
    const request = async () => {
      const made = {
        from: null,
        to: 'PENDING_CONSENT',
        version: 1,
        description: 'Switch it on',
        reason: 'It is off',
      };
      const input = { ticketId, ...asked, ...texts, validUntil: validUntil() };
      const { id } = await expectEntries(engineer, 'requestChange', input, [entry('REQUEST', made)]);
      expect(everything.at(-1)?.resource).toMatchObject({ type: 'ChangeRequest', node: { id } });
      return { changeRequestId: id };
    };
    const no = (verb: string, code = 'FORBIDDEN') => refused(`CHANGE_REQUEST_${verb}`, code);
    await expectEntries(
      engineer,
      'requestChange',
      { ticketId, ...asked, ...texts, validUntil: '2020-01-01T00:00:00Z' },
      no('REQUEST', 'VALID_UNTIL_IN_THE_PAST'),
    );

    const refusedOne = await request();
    await expectEntries(engineer, 'refuseChange', refusedOne, no('REFUSE'));
    await expectEntries(admin, 'refuseChange', { ...refusedOne, reason: 'No' }, [
      entry('REFUSE', {
        from: 'PENDING_CONSENT',
        to: 'REFUSED',
        endReason: 'REFUSED_BY_CUSTOMER',
        reason: 'No',
      }),
    ]);
    await expectEntries(admin, 'consentToChange', refusedOne, no('CONSENT', 'CHANGE_REQUEST_OVER'));

    const takenBack = await request();
    await expectEntries(
      reporter,
      'revokeChangeConsent',
      takenBack,
      no('REVOKE_CONSENT', 'NOT_CONSENTED_YET'),
    );
    await done(admin, 'consentToChange', takenBack);
    await newEntries();
    await expectEntries(reporter, 'revokeChangeConsent', takenBack, [
      entry('REVOKE_CONSENT', { from: 'CONSENTED', to: 'REFUSED', endReason: 'CONSENT_REVOKED' }),
    ]);

    const made = await request();
    await expectEntries(admin, 'consentToChange', { ...made, reason: 'Yes' }, [
      entry('CONSENT', { from: 'PENDING_CONSENT', to: 'CONSENTED', version: 2, reason: 'Yes' }),
    ]);
    await expectEntries(
      engineer,
      'recordChangeResult',
      { ...made, result: 'FAILED' },
      no('COMPLETE', 'CHANGE_NOT_IN_PROGRESS'),
    );
    await beginChanges(gateway, [made.changeRequestId]);
    await expectEntries(
      engineer,
      'recordChangeResult',
      { ...made, result: 'FAILED', note: 'No such project' },
      [
        entry('COMPLETE', {
          from: 'IN_PROGRESS',
          to: 'COMPLETED',
          result: 'FAILED',
          resultNote: 'No such project',
        }),
      ],
    );

    const withdrawn = await request();
    await expectEntries(reporter, 'withdrawChangeRequest', withdrawn, no('WITHDRAW'));
    await expectEntries(engineer, 'withdrawChangeRequest', withdrawn, [
      entry('WITHDRAW', { to: 'WITHDRAWN', endReason: 'WITHDRAWN_BY_ENGINEER' }),
    ]);
    await request();
    await expectEntries(reporter, 'closeTicket', { ticketId }, [
      { action: 'TICKET_CLOSE' },
      entry('WITHDRAW', { from: 'PENDING_CONSENT', to: 'WITHDRAWN', endReason: 'TICKET_CLOSED' }),
      { action: 'GRANT_REVOKE' },
      { action: 'SUPPORT_SESSION_END' },
    ]);
  });

  test('actions on a ticket and its grants', async () => {
    const [reporter, admin, wrong] = [
      await member('reporter'),
      await member('jiraAdmin'),
      await member('confluenceAdmin'),
    ];
    const [engineer, other] = [
      await gateway.as(world.engineer.email),
      await gateway.as(world.otherEngineer.email),
    ];
    const { id: productId } = { id: acme.sites.main.products.jira };
    const file = { productId, summary: 'It is slow', grantDataAccess: false };
    const { id: ticketId, key } = await expectEntries(reporter, 'createTicket', file, [
      {
        action: 'TICKET_CREATE',
        details: {
          key: expect.stringMatching(/^SUP-\d+$/),
          product: 'jira',
          grantDataAccess: false,
          reporterId: expect.any(String),
        },
      },
      {
        action: 'GRANT_REQUEST',
        details: expect.objectContaining({ from: null, to: 'PENDING_APPROVAL', version: 1 }),
      },
    ]);
    expect(everything.at(-2)).toMatchObject({
      ticketId,
      resource: { type: 'Ticket', node: { id: ticketId } },
      details: { key },
    });
    const { grantId, organizationId, siteId } = everything.at(-1);
    expect(everything.at(-1)).toMatchObject({ ticketId, resource: { type: 'Grant', node: { id: grantId } } });
    expect({ organizationId, siteId }).toEqual({
      organizationId: acme.organizationId,
      siteId: acme.sites.main.id,
    });

    // The ticketing system relays a consent: it acted, not the person.
    const ticketing = await gateway.as(world.services.ticketing);
    const [relayedById, onBehalfOfId] = await Promise.all(
      [ticketing, admin].map(
        async (person) => (await person.ask('{ viewer { account { id } } }')).viewer.account.id,
      ),
    );
    const relayed = { ...file, grantDataAccess: true, reporterId: onBehalfOfId };
    const byProgram = { kind: 'SERVICE_ACCOUNT', email: world.services.ticketing };
    await expectEntries(ticketing, 'createTicket', relayed, [
      {
        ...{ action: 'TICKET_CREATE', actor: expect.objectContaining(byProgram) },
        details: expect.objectContaining({ relayedConsent: 'COUNTED', reporterId: onBehalfOfId }),
      },
      { action: 'GRANT_REQUEST' },
      {
        ...{ action: 'GRANT_APPROVE', actor: expect.objectContaining(byProgram) },
        details: expect.objectContaining({ path: 'TICKET_CREATION', relayedById, onBehalfOfId }),
      },
    ]);

    const assignment = { ticketId, engineerId: world.engineer.id };
    await expectEntries(operator, 'assignTicket', assignment, [
      { action: 'TICKET_ASSIGN', details: { engineerId: world.engineer.id, formerEngineerId: null } },
      {
        action: 'GRANT_REASSIGN',
        grantId,
        details: expect.objectContaining({ engineerId: world.engineer.id, version: 2 }),
      },
    ]);
    await expectEntries(operator, 'assignTicket', assignment, []);
    await expectEntries(reporter, 'assignTicket', assignment, refused('TICKET_ASSIGN', 'FORBIDDEN'));
    await expectEntries(engineer, 'updateTicketStatus', { ticketId, status: 'RESOLVED' }, [
      { action: 'TICKET_UPDATE_STATUS', details: { from: 'OPEN', to: 'RESOLVED' } },
    ]);
    await expectEntries(
      reporter,
      'updateTicketStatus',
      { ticketId, status: 'OPEN' },
      refused('TICKET_UPDATE_STATUS', 'FORBIDDEN'),
    );

    await expectEntries(
      engineer,
      'requestDataAccess',
      { ticketId },
      refused('GRANT_REQUEST', 'ALREADY_REQUESTED'),
    );
    await expectEntries(wrong, 'approveDataAccess', { ticketId }, [
      {
        ...{ action: 'GRANT_APPROVE', outcome: 'REFUSED', refusalCode: 'NOT_ELIGIBLE', ticketId },
        details: { obstacles: ['WRONG_PRODUCT'] },
      },
    ]);
    await expectEntries(engineer, 'approveDataAccess', { ticketId }, refused('GRANT_APPROVE', 'FORBIDDEN'));
    await expectEntries(
      admin,
      'approveDataAccess',
      { grantId, expectedVersion: 1 },
      refused('GRANT_APPROVE', 'VERSION_CONFLICT', { grantId }),
    );
    await expectEntries(admin, 'revokeDataAccess', { grantId }, refused('GRANT_REVOKE', 'NOT_APPROVED_YET'));
    await expectEntries(admin, 'releaseDataAccess', { grantId }, refused('GRANT_RELEASE', 'FORBIDDEN'));
    await expectEntries(
      await member('guardAdmin'),
      'approveGuardRequest',
      { grantId },
      refused('GRANT_APPROVE_AS_GUARD', 'NOT_AWAITING_GUARD'),
    );
    await expectEntries(
      await member('guardAdmin'),
      'denyGuardRequest',
      { grantId },
      refused('GRANT_DENY_AS_GUARD', 'NOT_AWAITING_GUARD'),
    );

    const change = (from: string, to: string, more: Record<string, unknown> = {}) =>
      expect.objectContaining({ from, to, scope: { kind: 'PRODUCT_DATA' }, ...more });
    await expectEntries(engineer, 'withdrawDataAccessRequest', { grantId, reason: 'Not needed' }, [
      {
        action: 'GRANT_WITHDRAW',
        details: change('PENDING_APPROVAL', 'WITHDRAWN', {
          endReason: 'WITHDRAWN_BY_ENGINEER',
          reason: 'Not needed',
        }),
      },
    ]);
    await expectEntries(
      engineer,
      'withdrawDataAccessRequest',
      { grantId },
      refused('GRANT_WITHDRAW', 'ALREADY_OVER'),
    );
    const { id: second } = await expectEntries(
      engineer,
      'requestDataAccess',
      { ticketId, justification: 'To look' },
      [{ action: 'GRANT_REQUEST', details: expect.objectContaining({ reason: 'To look' }) }],
    );
    await expectEntries(admin, 'denyDataAccess', { grantId: second, reason: 'No' }, [
      {
        action: 'GRANT_DENY',
        details: change('PENDING_APPROVAL', 'DENIED', { reason: 'No', endReason: 'DENIED_BY_CUSTOMER' }),
      },
    ]);
    await expectEntries(admin, 'denyDataAccess', { grantId: second }, refused('GRANT_DENY', 'ALREADY_OVER'));
    // Without an outstanding request, one is opened and approved in the same step.
    const { id: third } = await expectEntries(admin, 'approveDataAccess', { ticketId, reason: 'Yes' }, [
      { action: 'GRANT_REQUEST' },
      {
        action: 'GRANT_APPROVE',
        details: change('PENDING_APPROVAL', 'ACTIVE', { path: 'SUPPORT_PORTAL', reason: 'Yes' }),
      },
    ]);
    await expectEntries(engineer, 'releaseDataAccess', { grantId: third }, [
      { action: 'GRANT_RELEASE', details: change('ACTIVE', 'ENDED', { endReason: 'RELEASED_BY_ENGINEER' }) },
    ]);
    const { id: fourth } = await done(admin, 'approveDataAccess', { ticketId });
    await newEntries();
    const use = { grantId: fourth, reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' };
    const starts = { ...{ action: 'SUPPORT_SESSION_START', ticketId, grantId: fourth } };
    const { id: session } = await expectEntries(engineer, 'startSupportSession', use, [
      {
        ...starts,
        details: {
          ...{ engineerId: world.engineer.id, reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' },
          ...{ idleSeconds: 1_800, expiresAt: expect.any(String) },
        },
      },
    ]);
    expect(everything.at(-1)).toMatchObject({
      ...{
        supportSessionId: session,
        resource: { type: 'SupportSession', name: key, node: { id: session } },
      },
    });
    await expectEntries(
      engineer,
      'startSupportSession',
      use,
      refused('SUPPORT_SESSION_START', 'SESSION_ALREADY_OPEN', { grantId: fourth, supportSessionId: null }),
    );
    const its = { supportSessionId: session };
    await expectEntries(reporter, 'endSupportSession', its, refused('SUPPORT_SESSION_END', 'FORBIDDEN', its));
    const ended = (endReason: string) => ({
      action: 'SUPPORT_SESSION_END',
      details: { engineerId: world.engineer.id, endReason, endedAt: expect.any(String) },
    });
    await expectEntries(engineer, 'endSupportSession', its, [ended('ENDED_BY_ENGINEER')]);
    await expectEntries(engineer, 'startSupportSession', use, [starts]);
    await expectEntries(reporter, 'revokeDataAccess', { grantId: fourth }, [
      { action: 'GRANT_REVOKE', details: change('ACTIVE', 'REVOKED', { endReason: 'REVOKED_BY_CUSTOMER' }) },
      ended('GRANT_REVOKED'),
    ]);
    await done(admin, 'approveDataAccess', { ticketId });
    await newEntries();
    await expectEntries(operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id }, [
      {
        action: 'TICKET_ASSIGN',
        details: { engineerId: world.otherEngineer.id, formerEngineerId: world.engineer.id },
      },
      {
        action: 'GRANT_REASSIGN',
        details: change('ACTIVE', 'ACTIVE', { engineerId: world.otherEngineer.id }),
      },
    ]);
    await done(other, 'requestDataAccess', {
      ticketId,
      scope: 'ROVO_CONVERSATIONS',
      conversationIds: ['a', 'b'],
    });
    await newEntries();
    await expectEntries(other, 'updateTicket', { ticketId, summary: 'It is very slow' }, [
      {
        action: 'TICKET_UPDATE',
        details: { before: { summary: expect.any(String) }, after: { summary: 'It is very slow' } },
      },
    ]);
    await expectEntries(other, 'updateTicket', { ticketId, summary: 'It is very slow' }, []);
    await expectEntries(
      reporter,
      'updateTicket',
      { ticketId, summary: 'It is slow' },
      refused('TICKET_UPDATE', 'FORBIDDEN'),
    );
    await expectEntries(reporter, 'closeTicket', { ticketId }, [
      { action: 'TICKET_CLOSE', details: { from: 'RESOLVED', to: 'CLOSED' } },
      { action: 'GRANT_REVOKE', details: change('ACTIVE', 'REVOKED', { endReason: 'TICKET_CLOSED' }) },
      {
        action: 'GRANT_WITHDRAW',
        details: expect.objectContaining({
          scope: { kind: 'ROVO_CONVERSATIONS', conversationIds: ['a', 'b'] },
        }),
      },
    ]);
    await expectEntries(reporter, 'closeTicket', { ticketId }, []);
    await expectEntries(operator, 'closeTicket', { ticketId }, refused('TICKET_CLOSE', 'FORBIDDEN'));
    await expectEntries(reporter, 'reopenTicket', { ticketId }, [
      { action: 'TICKET_REOPEN', details: { from: 'CLOSED', to: 'OPEN' } },
    ]);
    await expectEntries(
      reporter,
      'reopenTicket',
      { ticketId },
      refused('TICKET_REOPEN', 'TICKET_NOT_CLOSED'),
    );
    await expectEntries(
      await gateway.as(world.services.ticketing),
      'createTicket',
      { ...file, reporterId: world.engineer.id.replace(/./, 'X') },
      [],
    );
  });

  test('decisions of a Guard admin', async () => {
    const [admin, guardAdmin] = [await member('organizationAdmin'), await member('guardAdmin')];
    for (const [name, action, to] of [
      ['approveGuardRequest', 'GRANT_APPROVE_AS_GUARD', 'ACTIVE'],
      ['denyGuardRequest', 'GRANT_DENY_AS_GUARD', 'DENIED'],
    ] as const) {
      const { grantId } = await fileTicket(gateway, world, { site: 'restricted' });
      await newEntries();
      await expectEntries(admin, 'approveDataAccess', { grantId, path: 'ADMIN_CONSOLE' }, [
        {
          action: 'GRANT_APPROVE',
          details: expect.objectContaining({ to: 'PENDING_GUARD_APPROVAL', path: 'ADMIN_CONSOLE' }),
        },
      ]);
      await expectEntries(guardAdmin, name, { grantId, reason: 'Seen' }, [
        { action, details: expect.objectContaining({ from: 'PENDING_GUARD_APPROVAL', to, reason: 'Seen' }) },
      ]);
    }
  });

  test('an approval that a Guard admin finds lapsed: Latchkey is the actor, and says whose it was', async () => {
    const { organizationId } = acme;
    const email = 'giver@acme.example';
    const { id: userId } = await done(operator, 'addUser', { organizationId, email, name: 'Giver' });
    const held = { userId, role: 'ORGANIZATION_ADMIN', organizationId };
    const { id: roleAssignmentId } = await done(await member('organizationAdmin'), 'assignRole', held);
    const { grantId } = await fileTicket(gateway, world, { site: 'restricted' });
    await done(await gateway.as(email), 'approveDataAccess', { grantId });
    await done(operator, 'removeRole', { roleAssignmentId });
    await newEntries();
    await expectEntries(await member('guardAdmin'), 'approveGuardRequest', { grantId }, [
      {
        ...{ action: 'GRANT_LAPSE_APPROVAL', grantId },
        details: expect.objectContaining({
          ...{ from: 'PENDING_GUARD_APPROVAL', to: 'PENDING_APPROVAL', approverId: userId },
        }),
      },
      { action: 'GRANT_APPROVE_AS_GUARD', outcome: 'REFUSED', refusalCode: 'APPROVAL_LAPSED' },
    ]);
    expect(everything.at(-2)?.actor).toEqual({ kind: 'SYSTEM', email: null, name: 'Latchkey' });
  });

  test('a bulk mutation writes an entry for each grant', async () => {
    const [one, two] = [
      await fileTicket(gateway, world),
      await fileTicket(gateway, world, { product: 'confluence' }),
    ];
    await newEntries();
    const grantIds = [one.grantId, two.grantId];
    const approve = await attempt(await member('jiraAdmin'), 'approveDataAccessInBulk', { grantIds });
    expect(approve.results).toMatchObject([
      { result: { state: 'ACTIVE' } },
      { result: { code: 'NOT_ELIGIBLE' } },
    ]);
    const byGrant = async () => {
      const entries = await newEntries();
      everything.push(...entries);
      return Object.fromEntries(entries.map((entry) => [entry.grantId, `${entry.action} ${entry.outcome}`]));
    };
    expect(await byGrant()).toEqual({
      [one.grantId ?? '']: 'GRANT_APPROVE SUCCEEDED',
      [two.grantId ?? '']: 'GRANT_APPROVE REFUSED',
    });
    await attempt(await member('organizationAdmin'), 'revokeDataAccessInBulk', { grantIds });
    expect(await byGrant()).toEqual({
      [one.grantId ?? '']: 'GRANT_REVOKE SUCCEEDED',
      [two.grantId ?? '']: 'GRANT_REVOKE REFUSED',
    });
    for (const name of ['approveDataAccessInBulk', 'revokeDataAccessInBulk']) {
      attempted.set(name, new Set(['done', 'refused']));
    }
  });

  test('a bulk mutation writes the entry of each grant with its own reason', async () => {
    const [one, two, three] = [
      await fileTicket(gateway, world, { site: 'restricted' }),
      await fileTicket(gateway, world, { site: 'restricted' }),
      await fileTicket(gateway, world, { site: 'restricted' }),
    ].map(({ grantId }) => ({ grantId: grantId ?? '' }));
    const [admin, guardAdmin] = [await member('organizationAdmin'), await member('guardAdmin')];
    await done(admin, 'approveDataAccessInBulk', { items: [one, two] });
    await newEntries();
    for (const [name, by, grants, action] of [
      ['denyDataAccessInBulk', admin, [three, one], 'GRANT_DENY'],
      ['approveGuardRequestInBulk', guardAdmin, [one, three], 'GRANT_APPROVE_AS_GUARD'],
      ['denyGuardRequestInBulk', guardAdmin, [two, three], 'GRANT_DENY_AS_GUARD'],
    ] as const) {
      const [first, second] = grants;
      const own = { ...first, reason: 'Its own' };
      await done(by, name, { items: [own, second ?? {}], reason: 'For all' });
      const entries = await newEntries();
      everything.push(...entries);
      expect(entries).toMatchObject([
        { action, outcome: 'SUCCEEDED', grantId: first?.grantId, details: { reason: 'Its own' } },
        { action, outcome: 'REFUSED', grantId: second?.grantId },
      ]);
      attempted.set(name, new Set(['done', 'refused']));
    }
  });

  test('the end of a grant by time has Latchkey as its actor, and the time at which it was noticed', async () => {
    const active = await fileTicket(gateway, world);
    const expiresAt = new Date(Date.now() + ahead + 60_000).toISOString();
    await done(await member('jiraAdmin'), 'approveDataAccess', { ticketId: active.ticketId, expiresAt });
    const pending = await fileTicket(gateway, world);
    const off = { siteId: acme.sites.restricted.id, restricted: false };
    await done(await member('organizationAdmin'), 'setSupportAccessRestrictions', off);
    await newEntries();
    ahead += 15 * 24 * 60 * 60 * 1000;
    operator = await gateway.as(operator.email);
    world = { ...world, operator };
    const system = { kind: 'SYSTEM', email: null, name: 'Latchkey' };
    const engineer = await gateway.as(world.engineer.email);
    await expectEntries(engineer, 'requestDataAccess', { ticketId: active.ticketId }, [
      {
        ...{ action: 'GRANT_END', grantId: active.grantId },
        details: expect.objectContaining({
          from: 'ACTIVE',
          to: 'ENDED',
          endReason: 'TIME_ELAPSED',
          expiresAt,
        }),
      },
      { action: 'GRANT_REQUEST' },
    ]);
    expect(everything.at(-2)?.actor).toEqual(system);
    // The end is recorded even if the command that noticed it is refused.
    await expectEntries(await member('jiraAdmin'), 'approveDataAccess', { grantId: pending.grantId }, [
      {
        ...{ action: 'GRANT_EXPIRE', grantId: pending.grantId },
        details: expect.objectContaining({ to: 'EXPIRED', endReason: 'APPROVAL_TIMED_OUT' }),
      },
      { action: 'GRANT_APPROVE', outcome: 'REFUSED', refusalCode: 'ALREADY_OVER' },
    ]);
    expect(everything.at(-2)?.actor).toEqual(system);
    await expectEntries(await member('organizationAdmin'), 'setSupportAccessRestrictions', off, [
      { action: 'PROPOSED_CHANGE_EXPIRE' },
      { action: 'PROPOSED_CHANGE_PROPOSE' },
    ]);
    expect(everything.at(-2)?.actor).toEqual(system);
  });

  test('an action on something that its actor may not see is only in the log of the vendor', async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await newEntries();
    const stranger = await gateway.as(world.globex.emails.organizationAdmin);
    const input = { ticketId, reason: 'Mine' };
    await expectEntries(stranger, 'approveDataAccess', input, [
      {
        ...{ action: 'GRANT_APPROVE', outcome: 'REFUSED', refusalCode: 'NOT_FOUND' },
        ...{
          resource: { type: 'Ticket', node: { id: ticketId } },
          ticketId: null,
          grantId: null,
          details: {},
        },
      },
    ]);
    expect(everything.at(-1)).toMatchObject({ organizationId: null, siteId: null });
    await expectEntries(
      stranger,
      'revokeDataAccess',
      { grantId },
      refused('GRANT_REVOKE', 'NOT_FOUND', { grantId: null }),
    );
    const { id } = everything.at(-1);
    for (const person of [await member('organizationAdmin'), stranger]) {
      expect(await person.ask(`{ node(id: "${id}") { id } }`)).toEqual({ node: null });
    }
  });

  test('engineers read what they did, and no names of what they may not see any more', async () => {
    const { ticketId, key, grantId } = await fileTicket(gateway, world);
    const elsewhere = await fileTicket(gateway, world, { customer: 'globex' });
    const engineer = await gateway.as(world.engineer.email);
    const other = await gateway.as(world.otherEngineer.email);
    await done(engineer, 'withdrawDataAccessRequest', { grantId });
    await done(engineer, 'withdrawDataAccessRequest', { grantId: elsewhere.grantId });
    // A guess: the entry is in the log of the vendor, so that it says nothing.
    expect(await attempt(other, 'requestDataAccess', { ticketId })).toMatchObject({ code: 'NOT_FOUND' });
    const query = `query ($filter: AuditLogFilter) { auditLog(first: 100, filter: $filter) { edges { node {
      id actor { email } action ticketId ticketKey siteUrl organizationName resource { name node { id } } grant { id } } } } }`;
    const readBy = async (person: Person, filter: object) => {
      const { auditLog } = await person.ask(query, { filter });
      return auditLog.edges.map(({ node }: Json) => node);
    };
    const { id: siteId, url: siteUrl } = acme.sites.main;
    const named = {
      ...{ action: 'GRANT_WITHDRAW', ticketId, ticketKey: key, siteUrl, organizationName: 'acme' },
      ...{ resource: { name: key, node: { id: grantId } }, grant: { id: grantId } },
    };
    const [mine] = await readBy(engineer, { ticketId });
    expect(mine).toMatchObject(named);
    expect(await readBy(engineer, { ticketKeys: [key] })).toEqual(await readBy(engineer, { ticketId }));
    for (const filter of [
      { actorEmail: engineer.email, siteIds: [siteId] },
      { action: 'GRANT_WITHDRAW', siteId },
    ])
      expect((await readBy(engineer, filter)).map(({ id }: Json) => id)).toContain(mine.id);
    const all = await readBy(engineer, {});
    expect(new Set(all.map(({ actor }: Json) => actor.email))).toEqual(new Set([engineer.email]));
    const place = { organizationId: acme.organizationId, siteId: world.globex.sites.main.id };
    expect(await readBy(engineer, place)).toEqual([]);
    const byId = `{ node(id: "${mine.id}") { ... on AuditEntry { ticketKey } } }`;
    expect(await engineer.ask(byId)).toEqual({ node: { ticketKey: key } });
    expect(await other.ask(byId)).toEqual({ node: null });
    expect(await readBy(other, { ticketId })).toEqual([]);

    await done(operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
    expect((await readBy(engineer, { ticketId })).at(-1)).toMatchObject({
      ...{ id: mine.id, action: 'GRANT_WITHDRAW', ticketId, ticketKey: null },
      ...{ resource: { name: null, node: null }, grant: null },
    });
    // A name that is not told cannot be tried out either.
    expect(await readBy(engineer, { ticketKeys: [key] })).toEqual([]);
    expect(await readBy(engineer, { ticketId, text: key })).toEqual([]);
    expect((await readBy(operator, { ticketKeys: [key], actorEmails: [engineer.email] })).at(-1).id).toBe(
      mine.id,
    );
    await newEntries();
  });

  test('neither a repetition nor an action on an unknown id writes an entry', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    await newEntries();
    const admin = await member('jiraAdmin');
    const input = { ticketId, idempotencyKey: 'once' };
    await expectEntries(admin, 'approveDataAccess', input, [{ action: 'GRANT_APPROVE' }]);
    await expectEntries(admin, 'approveDataAccess', input, []);
    await expectEntries(admin, 'approveDataAccess', { ...input, reason: 'Other' }, []);
    const unknown = Buffer.from('Ticket:01890a5d-ac96-774b-bcce-b302099a8057').toString('base64');
    await expectEntries(admin, 'approveDataAccess', { ticketId: unknown }, []);
    await expectEntries(admin, 'approveDataAccess', { ticketId: 'garbage' }, []);
  });

  test('the tests above cover every mutation, successful and refused', () => {
    const mutations = Object.entries(operations).filter(([, { kind }]) => kind === 'mutation');
    const missing = mutations.flatMap(([name]) =>
      (['done', 'refused'] as const)
        .filter((way) => !attempted.get(name)?.has(way))
        .map((way) => `${name} ${way}`),
    );
    expect(missing).toEqual([]);
  });

  test('the tests above wrote every action, with the documented details', () => {
    const wrong = everything
      .filter(({ outcome }) => outcome === 'SUCCEEDED')
      .flatMap(({ action, details }) => {
        const keys = documented.get(action) ?? [];
        const missing = keys.filter((key) => !key.endsWith('?') && !(key in details));
        const unknown = Object.keys(details).filter(
          (key) => !keys.includes(key) && !keys.includes(`${key}?`),
        );
        return [
          ...missing.map((key) => `${action}: no ${key}`),
          ...unknown.map((key) => `${action}: ${key}`),
        ];
      });
    expect(wrong).toEqual([]);
    const written = new Set(
      everything.filter(({ outcome }) => outcome === 'SUCCEEDED').map(({ action }) => action),
    );
    // Mail that cannot be delivered is tested in test/notifications, what only a job writes in proposed-changes.test.ts.
    const ofCommands = auditActions.filter(
      (action) => action !== 'access.evaluate' && !isSupportAction(action),
    );
    expect(ofCommands.map(enumValueOf).filter((action) => !written.has(action))).toEqual([
      // Who reads leaves no entries in this gateway: test/http/audit-log.test.ts.
      'AUDIT_ENTRIES_COUNT',
      'AUDIT_ENTRIES_EXPORT',
      'AUDIT_ENTRIES_PROVE',
      'AUDIT_ENTRIES_SEARCH',
      'AUDIT_ENTRIES_STREAM',
      // A job writes it: test/audit/streams.
      'AUDIT_STREAM_DISABLE',
      // An evaluation writes the one, and a job the other: test/access, time-limits.test.ts.
      ...['CHANGE_REQUEST_BEGIN', 'CHANGE_REQUEST_EXPIRE'],
      // Only earlier versions wrote it.
      'GUARD_MAIL_GIVE_UP',
      'MAIL_GIVE_UP',
      // The database writes it: test/audit/removals.test.ts.
      'ORGANIZATION_REMOVE_AUDIT_ENTRIES',
      ...['PROPOSED_CHANGE_APPLY', 'PROPOSED_CHANGE_LAPSE'],
    ]);
  });

  test('an existing resource has a node of its type and a name; a deleted one may have a name', () => {
    const succeeded = everything.filter(({ outcome }) => outcome === 'SUCCEEDED');
    const gone = succeeded.filter(({ resource }) => resource.node === null);
    // The operator, who reads the log here, sees only the changes that they have proposed themselves, and no streams.
    expect([...new Set(gone.map(({ resource }) => resource.type))].sort()).toEqual([
      ...['AuditStream', 'ProposedChange', 'RoleAssignment'],
    ]);
    for (const { resource } of succeeded) {
      expect(resource.name, JSON.stringify(resource)).toEqual(expect.any(String));
      if (resource.node !== null) expect(resource.node.__typename).toBe(resource.type);
    }
  });
});

test('a question of a backend is an entry with the documented details, and names the resource of the product', async () => {
  const database = openEvaluationDatabase({
    ...{ url: gateway.databaseUrl, logger: createLogger('silent') },
    deadlines: generousDatabaseDeadlines,
  });
  try {
    const decide = createEvaluator({
      ...{ database, announce: () => undefined, vendor: anywhere },
      clock: () => new Date(Date.now() + ahead),
    });
    const caller = { id: newId(), issuer: 'audit', subject: 'jira' };
    const email = 'jira@vendor.example';
    await gateway.sql.query(
      `INSERT INTO accounts (id, kind, email, name, subject, subject_issuer, capabilities, evaluated_products, created_at)
       VALUES ($1, 'SERVICE_ACCOUNT', $2, 'Jira', $3, $4, '{ACCESS_EVALUATION}', '{jira}', now())`,
      [caller.id, email, caller.subject, caller.issuer],
    );
    const ask = (action: string, type: string) => ({
      evaluation: {
        subject: { type: 'support_engineer', id: world.engineer.email },
        action: { name: action },
        resource: { type, id: 'jira', properties: { site: acme.sites.main.url, product: 'jira' } },
        context: { ticket: 'SUP-0', destination_region: 'EU', change_request: 'none' },
      },
    });
    const asked = supportActions.map((action) => {
      // A name that every object has.
      const types = ['constructor', 'product', ...productResources];
      return ask(action, types.find((type) => mayName(action, type)) ?? '');
    });
    await decide([...asked, ask('none', 'product')], 'execute_all', caller);
    const { auditLog } = await operator.ask(
      `{ auditLog(first: ${asked.length + 1}) { edges { node { ${entryFields} } } } }`,
    );
    const entries: Json[] = auditLog.edges.map(({ node }: Json) => node).reverse();
    expect(entries.map(({ action }) => action)).toEqual(
      [...supportActions, 'access.evaluate'].map(enumValueOf),
    );
    for (const { action, details, outcome, refusalCode, resource } of entries) {
      expect({ outcome, refusalCode }).toEqual({ outcome: 'REFUSED', refusalCode: null });
      const keys = documented.get(action) ?? [];
      expect(keys.filter((key) => !key.endsWith('?') && !(key in details))).toEqual([]);
      expect(Object.keys(details).filter((key) => !keys.includes(key) && !keys.includes(`${key}?`))).toEqual(
        [],
      );
      if (action !== 'ACCESS_EVALUATE') expect(resource).toMatchObject({ name: 'jira', node: null });
    }
    expect(entries.at(-1)?.resource).toMatchObject({ type: 'ServiceAccount', name: email });
  } finally {
    await database.dispose();
  }
});

const productResources = ['work_item', 'comment', 'attachment', 'page', 'rovo_conversation'];

test('who reads a whole log sees the positions in it, once they are given', async () => {
  const { grantId } = await fileTicket(gateway, world);
  await done(await gateway.as(world.engineer.email), 'withdrawDataAccessRequest', { grantId });
  const query = `query ($filter: AuditLogFilter) { auditLog(filter: $filter) { edges { node { id position } } } }`;
  const positionsFor = async (person: Person, filter: object = {}): Promise<(number | null)[]> => {
    const { auditLog } = await person.ask(query, { filter });
    return auditLog.edges.map(({ node }: Json) => node.position);
  };
  const admin = await member('organizationAdmin');
  expect((await positionsFor(admin)).at(0)).toBeNull();
  await giveAllPositions(gateway.sql);
  const seen = await positionsFor(admin);
  const { rows } = await gateway.sql.query(
    'SELECT count(*)::int AS length FROM audit_entries WHERE organization_id = $1',
    [rawId(acme.organizationId)],
  );
  expect(seen).toEqual(seen.map((_, at) => rows[0].length - at));
  const sameLog = { organizationId: acme.organizationId };
  for (const reader of [operator, await member('guardAdmin'), await gateway.as(world.services.auditing)])
    expect(await positionsFor(reader, sameLog)).toEqual(seen);
  // Whoever signs in for the first time adds to the log of the vendor.
  await giveAllPositions(gateway.sql);
  expect((await positionsFor(operator)).every((position) => position !== null)).toBe(true);
  const ofEngineer = await positionsFor(await gateway.as(world.engineer.email));
  expect(new Set(ofEngineer)).toEqual(new Set([null]));
});

describe('filters', () => {
  const combining = seedOf('COMBINING_SEED');

  test(`combine in every way (COMBINING_SEED=${combining})`, async () => {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    const { node } = await operator.ask(`{ node(id: "${ticketId}") { ... on Ticket { key } } }`);
    const ticketKey: string = node.key;
    await attempt(await member('confluenceAdmin'), 'approveDataAccess', { ticketId });
    await done(await member('jiraAdmin'), 'approveDataAccess', { ticketId });
    const { id: session } = await done(await gateway.as(world.engineer.email), 'startSupportSession', {
      ...{ grantId, reason: 'GATHER_LOGS', note: 'To read them', country: 'DE' },
    });
    await done(await member('jiraAdmin'), 'revokeDataAccess', { grantId });
    const all = await readAll(operator, log, {});
    const [from, until] = [all[Math.floor(all.length / 2)].occurredAt, all[3].occurredAt];
    const email = acme.emails.jiraAdmin;
    await expectToCombine(
      operator,
      log,
      {
        organizationId: {
          value: acme.organizationId,
          fits: (row) => row.organizationId === acme.organizationId,
        },
        actorEmail: { value: email.toUpperCase(), fits: (row) => row.actor.email === email },
        actorEmails: {
          value: [email, acme.emails.reporter],
          fits: (row) => [email, acme.emails.reporter].includes(row.actor.email),
        },
        actorKind: { value: 'USER', fits: (row) => row.actor.kind === 'USER' },
        actions: {
          value: ['GRANT_APPROVE', 'GRANT_REVOKE'],
          fits: (row) => ['GRANT_APPROVE', 'GRANT_REVOKE'].includes(row.action),
        },
        action: { value: 'GRANT_APPROVE', fits: (row) => row.action === 'GRANT_APPROVE' },
        outcome: { value: 'REFUSED', fits: (row) => row.outcome === 'REFUSED' },
        siteId: { value: acme.sites.main.id, fits: (row) => row.siteId === acme.sites.main.id },
        siteIds: { value: [acme.sites.main.id], fits: (row) => row.siteId === acme.sites.main.id },
        supportSessionId: { value: session, fits: (row) => row.supportSessionId === session },
        ticketId: { value: ticketId, fits: (row) => row.ticketId === ticketId },
        grantId: { value: grantId, fits: (row) => row.grantId === grantId },
        supportSessionIds: { value: [session], fits: (row) => row.supportSessionId === session },
        ticketIds: { value: [ticketId], fits: (row) => row.ticketId === ticketId },
        ticketKeys: {
          value: [ticketKey.toLowerCase(), 'NONE-1'],
          fits: (row) => row.ticketKey === ticketKey,
        },
        grantIds: { value: [grantId], fits: (row) => row.grantId === grantId },
        actorEmailPrefixes: {
          value: ['CONFL', '@vendor.'],
          fits: (row) => /^confl|@vendor\./.test(row.actor.email ?? ''),
        },
        actorKinds: {
          value: ['OPERATOR', 'SUPPORT_ENGINEER'],
          fits: (row) => ['OPERATOR', 'SUPPORT_ENGINEER'].includes(row.actor.kind),
        },
        actionsOn: {
          value: ['GRANT', 'ROLE'],
          fits: (row) => /^(GRANT|ROLE)_/.test(row.action),
        },
        refusalCodes: {
          value: ['NOT_ELIGIBLE', 'COUNTRY_NOT_ALLOWED'],
          fits: (row) => row.refusalCode === 'NOT_ELIGIBLE',
        },
        resourceTypes: {
          value: ['SupportSession', 'Ticket'],
          fits: (row) => ['SupportSession', 'Ticket'].includes(row.resource.type),
        },
        resourceIds: {
          value: [session, 'jira'],
          fits: (row) =>
            row.resource.node?.id === session ||
            (/^[a-z]/.test(row.resource.type) && row.resource.name === 'jira'),
        },
        productKeys: { value: ['jira'], fits: (row) => row.productKey === 'jira' },
        engineerCountries: { value: ['DE', 'FR'], fits: (row) => row.details.country === 'DE' },
        clientAddresses: { value: ['127.0.0.0/8'], fits: (row) => row.clientAddress === '127.0.0.1' },
        text: {
          value: 'the READ',
          fits: (row) => /\bto read them\b/i.test(JSON.stringify(row.details)),
        },
        from: { value: from, fits: (row) => row.occurredAt >= from },
        until: { value: until, fits: (row) => row.occurredAt < until },
      },
      2,
      combining,
    );
  });

  test('of adjacent periods return each entry exactly once', async () => {
    const all = await readAll(operator, log, {});
    const moments = [...new Set(all.map(({ occurredAt }) => occurredAt as string))].sort();
    const cuts = [0.2, 0.5, 0.8].map((share) => moments[Math.floor(moments.length * share)]);
    const bounds = [undefined, ...cuts, undefined];
    const periods = await Promise.all(
      bounds.slice(1).map((until, at) => readAll(operator, log, { from: bounds[at], until })),
    );
    const ids = periods.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(all.map(({ id }) => id).sort());
    for (const [at, cut] of cuts.entries()) {
      expect(periods[at]?.some(({ occurredAt }) => occurredAt === cut)).toBe(false);
      expect(periods[at + 1]?.some(({ occurredAt }) => occurredAt === cut)).toBe(true);
    }
  });

  test('keep the order: newest first, and the entries of one command together', async () => {
    const { ticketId } = await fileTicket(gateway, world);
    await done(await member('jiraAdmin'), 'approveDataAccess', { ticketId });
    await done(await member('reporter'), 'closeTicket', { ticketId });
    const entries = await readAll(operator, log, { ticketId });
    expect(entries.map(({ action }) => action)).toEqual([
      ...['GRANT_REVOKE', 'TICKET_CLOSE', 'GRANT_APPROVE', 'GRANT_REASSIGN', 'TICKET_ASSIGN'],
      ...['GRANT_REQUEST', 'TICKET_CREATE'],
    ]);
    const times = entries.map(({ occurredAt }) => occurredAt);
    expect(times).toEqual([...times].sort().reverse());
  });

  test('with an end before the start, an unknown action or an id of another type are refused', async () => {
    const moment = '2026-01-01T00:00:00Z';
    for (const filter of [
      { from: moment, until: moment },
      { from: '2026-01-02T00:00:00Z', until: moment },
      { action: 'GRANT_APROVE' },
      { ticketId: acme.sites.main.id },
    ]) {
      const { errors } = await operator.send(
        'query ($filter: AuditLogFilter) { auditLog(filter: $filter) { edges { cursor } } }',
        { filter },
      );
      expect(errors[0]?.extensions, JSON.stringify(filter)).toMatchObject({ code: 'BAD_USER_INPUT' });
    }
  });
});
