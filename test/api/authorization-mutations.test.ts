/**
 * Every mutation × every person of the authorization table: what is answered, what is written, and the audit entries.
 *
 * On an ordinary day, who may do it and a random quarter of the others. MUTATIONS_SEED=… draws the same people again.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type OperationName, operations } from '../../src/authorization/operations.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { insertAuditStreams, insertInboundTicketEvents, insertInvitations } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { journal, type Written } from '../support/written.ts';
import { type Attempt, askedFor, attempt, readTable } from './authorization-asking.ts';
import {
  type Everybody,
  fileTickets,
  globalId,
  type Name,
  openSessions,
  rawId,
  startGatewayWithEverybody,
  type TicketSpec,
} from './authorization-people.ts';
import { obstacles, tables, whoMayGrant } from './authorization-table.ts';

const seed = seedOf('MUTATIONS_SEED');

let gateway: TestGateway;
let everybody: Everybody;
let written: () => Promise<Written[]>;

beforeAll(async () => {
  ({ gateway, everybody } = await startGatewayWithEverybody());
  written = await journal(gateway.sql);
});
afterAll(() => gateway.dispose());

const parts = Object.values(tables).map(readTable);
const mutations = [...(parts[0]?.keys() ?? [])].filter((row) => operations[nameOf(row)].kind === 'mutation');

function nameOf(row: string): OperationName {
  return row.split(':')[0] as OperationName;
}

/** The objects that one cell acts on. Every cell has its own. */
type Target = {
  ticketId: string;
  grantId: string;
  changeRequestId: string;
  accountId: string;
  roleAssignmentId: string;
  siteId: string;
  proposedChangeId: string;
  supportSessionId: string;
  inboundTicketEventId: string;
  rovoDataDeletionId: string;
  invitationId: string;
  /** Of somebody who left Acme. */
  invitationOfFormerId: string;
  auditStreamId: string;
};

type Writes = { relation: string; operation: Written['operation'] };

type Row = {
  /** The state of the ticket and its grant. */
  on?: Partial<TicketSpec>;
  /** An open support session of the ticket's engineer under the grant. */
  session?: true;
  /** A new account of Acme, with a role there. */
  account?: 'active' | 'inactive';
  /** A change of Acme's main site that its organization admin has proposed: the account becomes a Guard admin. */
  proposal?: true;
  /** An event that Acme's ticketing system has sent. */
  event?: true;
  /** A deletion of the new site's data in Rovo, which the approver has requested. */
  deletion?: true;
  /** An invitation to Acme of an address that nobody has, and one of `former`. */
  invitation?: true;
  /** A stream of Acme's audit log. */
  stream?: 'ACTIVE' | 'PAUSED';
  /** A new site of Acme. */
  site?: 'ACTIVE' | 'DEACTIVATED';
  input: (target: Target, name: Name, person: Person) => Record<string, unknown>;
  /** The row that it writes when it succeeds, besides the audit entry. */
  writes: Writes;
  /** What it writes instead when an operator asks for it, who only proposes it. */
  writesByOperator?: Writes;
  /** Whether it needs an approval that holds: the person who gave it has a role meanwhile. */
  approverMayGrant?: boolean;
  /** Whether it is about the platform, not about Acme. */
  ofThePlatform?: boolean;
  /** Undoes its effect, which must not change the answer to the next person. */
  undo?: string;
};

const pending = { grant: 'PENDING_APPROVAL' } as const;
const active = { grant: 'ACTIVE' } as const;
const awaitsGuard = { grant: 'PENDING_GUARD_APPROVAL' } as const;
const changesGrant = { writes: { relation: 'grants', operation: 'UPDATE' } } as const;
const changesTicket = { writes: { relation: 'tickets', operation: 'UPDATE' } } as const;
const changesSite = { writes: { relation: 'sites', operation: 'UPDATE' } } as const;
const addsAccount = { writes: { relation: 'accounts', operation: 'INSERT' }, ofThePlatform: true } as const;
const grantId = ({ grantId: id }: Target) => ({ grantId: id });
const inBulk = ({ grantId: id }: Target) => ({ grantIds: [id] });
const ticketId = ({ ticketId: id }: Target) => ({ ticketId: id });
const siteId = ({ siteId: id }: Target) => ({ siteId: id });
const changeRequestId = ({ changeRequestId: id }: Target) => ({ changeRequestId: id });
const changesRequest = { writes: { relation: 'change_requests', operation: 'UPDATE' } } as const;
const proposedChangeId = ({ proposedChangeId: id }: Target) => ({ proposedChangeId: id });
const changesProposal = { writes: { relation: 'proposed_changes', operation: 'UPDATE' } } as const;
const streamOf = ({ auditStreamId }: Target) => ({ auditStreamId });
const changesStream = { writes: { relation: 'audit_streams', operation: 'UPDATE' } } as const;
const deletionOf = ({ rovoDataDeletionId }: Target) => ({ rovoDataDeletionId });
const changesDeletion = { writes: { relation: 'rovo_data_deletions', operation: 'UPDATE' } } as const;
const newcomer = () => ({ email: `${newId()}@newcomers.example`, name: 'Newcomer' });

function acme() {
  return everybody.world.acme;
}

const rows: Record<string, Row> = {
  createTicket: {
    input: (_, name) => ({
      productId: acme().sites.main.products.jira,
      summary: 'It is slow',
      grantDataAccess: false,
      // A ticketing system names the reporter; everybody else is the reporter of their tickets.
      ...(['ticketing', 'acmeTickt', 'globexProg'].includes(name)
        ? { reporterId: everybody.colleague.id }
        : {}),
    }),
    writes: { relation: 'tickets', operation: 'INSERT' },
  },
  assignTicket: {
    on: pending,
    input: (target) => ({ ...ticketId(target), engineerId: everybody.thirdEngineer.id }),
    ...changesTicket,
  },
  updateTicketStatus: {
    on: pending,
    input: (target) => ({ ...ticketId(target), status: 'RESOLVED' }),
    ...changesTicket,
  },
  updateTicket: {
    on: pending,
    input: (target) => ({ ...ticketId(target), summary: 'It is very slow' }),
    ...changesTicket,
  },
  closeTicket: { on: pending, input: ticketId, ...changesTicket },
  reopenTicket: { on: { closed: true }, input: ticketId, ...changesTicket },
  replayInboundTicketEvent: {
    event: true,
    input: ({ inboundTicketEventId }) => ({ inboundTicketEventId }),
    writes: { relation: 'inbound_ticket_events', operation: 'UPDATE' },
  },

  requestDataAccess: { on: {}, input: ticketId, writes: { relation: 'grants', operation: 'INSERT' } },
  withdrawDataAccessRequest: { on: pending, input: grantId, ...changesGrant },
  releaseDataAccess: { on: active, input: grantId, ...changesGrant },
  startSupportSession: {
    on: active,
    input: (target) => ({
      ...{ ...grantId(target), reason: 'INVESTIGATE_PROBLEM', note: 'To see it', country: 'DE' },
    }),
    writes: { relation: 'support_sessions', operation: 'INSERT' },
  },
  endSupportSession: {
    ...{ on: active, session: true },
    input: ({ supportSessionId }) => ({ supportSessionId }),
    writes: { relation: 'support_sessions', operation: 'UPDATE' },
  },
  approveDataAccess: { on: pending, input: ticketId, ...changesGrant },
  'approveDataAccess: by grant': { on: pending, input: grantId, ...changesGrant },
  approveDataAccessInBulk: {
    on: pending,
    input: (target) => ({ grantIds: [target.grantId] }),
    ...changesGrant,
  },
  denyDataAccess: { on: pending, input: grantId, ...changesGrant },
  denyDataAccessInBulk: { on: pending, input: inBulk, ...changesGrant },
  revokeDataAccess: { on: active, input: grantId, ...changesGrant },
  'revokeDataAccess: takes back': { on: awaitsGuard, input: grantId, ...changesGrant },
  revokeDataAccessInBulk: {
    on: active,
    input: (target) => ({ grantIds: [target.grantId] }),
    ...changesGrant,
  },
  approveGuardRequest: { on: awaitsGuard, input: grantId, ...changesGrant, approverMayGrant: true },
  denyGuardRequest: { on: awaitsGuard, input: grantId, ...changesGrant },
  approveGuardRequestInBulk: { on: awaitsGuard, input: inBulk, ...changesGrant, approverMayGrant: true },
  denyGuardRequestInBulk: { on: awaitsGuard, input: inBulk, ...changesGrant },

  requestChange: {
    on: {},
    input: (target) => ({
      ...{ ...ticketId(target), kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
      ...{ description: 'Switch it on', justification: 'It is off' },
      validUntil: new Date(Date.now() + 86_400_000).toISOString(),
    }),
    writes: { relation: 'change_requests', operation: 'INSERT' },
  },
  withdrawChangeRequest: { on: { change: 'PENDING_CONSENT' }, input: changeRequestId, ...changesRequest },
  recordChangeResult: {
    on: { ...active, change: 'IN_PROGRESS' },
    input: (target) => ({ ...changeRequestId(target), result: 'APPLIED' }),
    ...changesRequest,
  },
  consentToChange: { on: { change: 'PENDING_CONSENT' }, input: changeRequestId, ...changesRequest },
  refuseChange: { on: { change: 'PENDING_CONSENT' }, input: changeRequestId, ...changesRequest },
  revokeChangeConsent: { on: { change: 'CONSENTED' }, input: changeRequestId, ...changesRequest },

  setSupportAccessRestrictions: {
    input: () => ({ siteId: acme().sites.main.id, restricted: true }),
    ...changesSite,
  },
  setSupportAccessPolicy: {
    input: () => ({
      ...{ siteId: acme().sites.main.id, requestWaitSeconds: 1_209_600 },
      samePersonMayApproveTwice: false,
    }),
    ...changesSite,
  },
  deactivateSite: { site: 'ACTIVE', input: siteId, ...changesSite },
  reactivateSite: { site: 'DEACTIVATED', input: siteId, ...changesSite },
  assignRole: {
    account: 'active',
    input: ({ accountId }) => ({
      ...{ userId: accountId, organizationId: acme().organizationId },
      role: 'GUARD_ADMIN',
    }),
    // Acme restricts support access on a site, so this takes two people.
    writes: { relation: 'proposed_changes', operation: 'INSERT' },
  },
  removeRole: {
    account: 'active',
    input: ({ roleAssignmentId }) => ({ roleAssignmentId }),
    writes: { relation: 'role_assignments', operation: 'DELETE' },
  },
  triggerScimSync: {
    input: () => ({ organizationId: acme().organizationId }),
    writes: { relation: 'role_assignments', operation: 'UPDATE' },
    writesByOperator: { relation: 'proposed_changes', operation: 'INSERT' },
    undo: `UPDATE role_assignments SET sync_state = 'PENDING_SYNC', synced_at = NULL WHERE origin = 'SCIM';
      UPDATE proposed_changes SET state = 'WITHDRAWN', settled_by_id = proposed_by_id, settled_at = proposed_at,
             version = version + 1 WHERE state = 'WAITING' AND kind = 'SYNC_ROLE'`,
  },
  confirmProposedChange: {
    ...{ account: 'active', proposal: true, input: proposedChangeId },
    writes: { relation: 'role_assignments', operation: 'INSERT' },
  },
  declineProposedChange: { account: 'active', proposal: true, input: proposedChangeId, ...changesProposal },
  withdrawProposedChange: { account: 'active', proposal: true, input: proposedChangeId, ...changesProposal },

  requestRovoDataDeletion: {
    site: 'ACTIVE',
    input: (target) => ({ organizationId: acme().organizationId, ...siteId(target) }),
    writes: { relation: 'rovo_data_deletions', operation: 'INSERT' },
  },
  withdrawRovoDataDeletion: { site: 'ACTIVE', deletion: true, input: deletionOf, ...changesDeletion },
  recordRovoDataDeletion: {
    ...{ site: 'ACTIVE', deletion: true },
    input: (target) => ({ ...deletionOf(target), step: 'STARTED' }),
    ...changesDeletion,
  },

  createOrganization: {
    input: () => ({ name: 'Initech', hasGuard: true }),
    writes: { relation: 'organizations', operation: 'INSERT' },
    ofThePlatform: true,
  },
  setOrganizationGuard: {
    input: () => ({ organizationId: acme().organizationId, hasGuard: true }),
    writes: { relation: 'organizations', operation: 'UPDATE' },
  },
  createSite: {
    input: () => ({
      ...{ organizationId: acme().organizationId, name: 'Another', url: `https://${newId()}.example` },
    }),
    writes: { relation: 'sites', operation: 'INSERT' },
  },
  licenseProduct: {
    input: () => ({ siteId: acme().sites.original.id, key: `p-${newId()}`, name: 'Another' }),
    writes: { relation: 'products', operation: 'INSERT' },
  },
  unlicenseProduct: {
    input: () => ({ productId: acme().sites.original.products.jira }),
    writes: { relation: 'products', operation: 'UPDATE' },
    undo: 'UPDATE products SET licensed = true',
  },
  addUser: {
    input: () => ({ ...newcomer(), organizationId: acme().organizationId }),
    writes: { relation: 'memberships', operation: 'INSERT' },
  },
  inviteUser: {
    input: () => ({ ...newcomer(), organizationId: acme().organizationId }),
    writes: { relation: 'invitations', operation: 'INSERT' },
  },
  withdrawInvitation: {
    ...{ invitation: true, input: ({ invitationId }) => ({ invitationId }) },
    writes: { relation: 'invitations', operation: 'UPDATE' },
  },
  acceptInvitation: {
    invitation: true,
    input: ({ invitationId, invitationOfFormerId }, name) => ({
      invitationId: name === 'former' ? invitationOfFormerId : invitationId,
    }),
    writes: { relation: 'memberships', operation: 'INSERT' },
    undo: `DELETE FROM memberships WHERE account_id = (SELECT id FROM accounts WHERE email = 'former@acme.example')`,
  },
  removeUser: {
    account: 'active',
    input: ({ accountId }) => ({ organizationId: acme().organizationId, userId: accountId }),
    writes: { relation: 'memberships', operation: 'DELETE' },
  },
  setAuditRetention: {
    input: () => ({ organizationId: acme().organizationId, days: null }),
    writes: { relation: 'organizations', operation: 'UPDATE' },
  },
  createAuditStream: {
    input: () => ({
      ...{
        organizationId: acme().organizationId,
        name: 'SIEM',
        endpointUrl: 'https://siem.customer.example',
      },
    }),
    writes: { relation: 'audit_streams', operation: 'INSERT' },
    undo: 'DELETE FROM audit_streams',
  },
  updateAuditStream: {
    ...{ stream: 'ACTIVE', input: ({ auditStreamId }) => ({ auditStreamId, name: 'Another' }) },
    ...changesStream,
  },
  rotateAuditStreamSecret: {
    ...{ stream: 'ACTIVE', input: streamOf },
    writes: { relation: 'audit_stream_secrets', operation: 'INSERT' },
  },
  pauseAuditStream: { stream: 'ACTIVE', input: streamOf, ...changesStream },
  resumeAuditStream: { stream: 'PAUSED', input: streamOf, ...changesStream },
  replayAuditStream: {
    ...{ stream: 'ACTIVE', input: ({ auditStreamId }) => ({ auditStreamId, after: 0 }) },
    ...changesStream,
  },
  testAuditStream: {
    ...{ stream: 'ACTIVE', input: streamOf },
    writes: { relation: 'audit_stream_progress', operation: 'UPDATE' },
  },
  deleteAuditStream: {
    ...{ stream: 'ACTIVE', input: streamOf },
    writes: { relation: 'audit_streams', operation: 'DELETE' },
  },
  addSupportEngineer: { input: newcomer, ...addsAccount },
  addOperator: { input: newcomer, ...addsAccount },
  addComplianceAnalyst: { input: newcomer, ...addsAccount },
  addServiceAccount: {
    input: () => ({ ...newcomer(), capabilities: ['TICKETING'], organizationId: acme().organizationId }),
    ...addsAccount,
  },
  deactivateAccount: {
    account: 'active',
    input: ({ accountId }) => ({ accountId }),
    writes: { relation: 'accounts', operation: 'UPDATE' },
    ofThePlatform: true,
  },
  reactivateAccount: {
    account: 'inactive',
    input: ({ accountId }) => ({ accountId }),
    writes: { relation: 'accounts', operation: 'UPDATE' },
    ofThePlatform: true,
  },
};

/** The audit entries of refusals, by the log that they are in: Acme's, or only the vendor's. */
const refusals: { acme: string[]; vendor: string[] } = { acme: [], vendor: [] };

describe(`every mutation, MUTATIONS_SEED=${seed}`, () => {
  test.each(mutations)('%s', async (name) => {
    const row = rows[name];
    if (row === undefined) throw new Error(`There is no row for ${name}`);
    const due = expected(name);
    const everyone = askedFor(due, everybody.people, seed + mutations.indexOf(name));
    const targets = (await prepare(row, everyone.flatMap(([, persons]) => persons).length)).values();
    if (row.approverMayGrant === true) await giveApproverARole();
    const answered: Record<string, string> = {};
    const wrong: string[] = [];
    await written();
    for (const [column, persons] of everyone) {
      const answers: string[] = [];
      for (const person of persons) {
        const target = targets.next().value;
        if (target === undefined) throw new Error('Not enough targets');
        // Whoever is asked in two roles is refused for the first time in each.
        await gateway.sql.query('DELETE FROM repeated_refusals');
        const answer = await attempt(person, nameOf(name), row.input(target, column, person));
        answers.push(answer.cell);
        const rest = await written();
        wrong.push(
          ...whatIsWrong(
            column === 'operator' ? { ...row, writes: row.writesByOperator ?? row.writes } : row,
            name,
            column,
            person,
            answer,
            rest,
          ).map((what) => `${column}: ${what}`),
        );
        if (row.undo !== undefined && answer.cell === 'yes') {
          await gateway.sql.query(row.undo);
          await written();
        }
      }
      answered[column] = [...new Set(answers)].join(' and ');
    }
    expect(answered).toEqual(Object.fromEntries(everyone.map(([column]) => [column, due[column]])));
    expect(wrong).toEqual([]);
  });

  test('all refusals are on the audit log, and visible only to its readers', async () => {
    const { acme: ofAcme, vendor: ofVendor } = refusals;
    expect(ofAcme.length).toBeGreaterThan(bySize(100, 500));
    expect(ofVendor.length).toBeGreaterThan(bySize(100, 500));
    const all = new Set([...ofAcme, ...ofVendor]);
    const seenBy = async (name: Name, which = 0) => {
      const person = everybody.people[name][which];
      if (person === undefined) throw new Error(`Nobody is ${name}`);
      return (await readRecord(person)).filter((id) => all.has(id)).toSorted();
    };
    for (const name of ['orgAdmin', 'guard', 'acmeAudit'] as const) {
      expect(await seenBy(name)).toEqual(ofAcme.toSorted());
    }
    for (const name of ['operator', 'auditing'] as const) {
      expect(await seenBy(name)).toEqual([...all].toSorted());
    }
    expect(await seenBy('globexAdmin', 0)).toEqual([]);
    expect(await seenBy('globexAdmin', 1)).toEqual([]);
    expect(await seenBy('globexProg')).toEqual([]);
    // A Guard admin of one site sees the entries of that site, and none of the other one.
    expect((await seenBy('siteGuard')).length).toBeGreaterThan(bySize(60, 300));
    expect(await seenBy('guardElse')).toEqual([]);
  });
});

/**
 * An object that a person may not see gets the same answer as one that does not exist, and an unknown id writes
 * nothing.
 */
test.each(mutations.filter((name) => expected(name)['globexAdmin'] === '-'))(
  '%s answers the same for an object that the person may not see and for one that does not exist',
  async (name) => {
    const row = rows[name];
    const [person] = everybody.people.globexAdmin;
    if (row === undefined || person === undefined) throw new Error(`There is no row for ${name}`);
    const [target] = await prepare(row, 1);
    if (target === undefined) throw new Error('No target');
    const input = row.input(target, 'globexAdmin', person);
    const ofUnknownIds = JSON.parse(JSON.stringify(input), (_, value: unknown) => {
      const [type, id] = Buffer.from(String(value), 'base64').toString().split(':');
      return /^[A-Z]\w+$/.test(type ?? '') && id?.length === 36 ? globalId(type ?? '', newId()) : value;
    });
    const other = await attempt(person, nameOf(name), input);
    await written();
    const none = await attempt(person, nameOf(name), ofUnknownIds);
    expect(await written()).toEqual([]);
    expect(none).toEqual(other);
  },
);

const codeOf: Record<string, string> = { no: 'FORBIDDEN', '-': 'NOT_FOUND', why: 'NOT_ELIGIBLE' };

/** The differences between the cell and what was answered, written and put on the audit log. */
function whatIsWrong(
  row: Row,
  name: string,
  column: Name,
  person: Person,
  { cell, obstacles: reported }: Attempt,
  rest: readonly Written[],
): string[] {
  const wrong: string[] = [];
  const entries = rest.filter(({ relation }) => relation === 'audit_entries').map((one) => one.row);
  const others = rest.filter(({ relation }) => relation !== 'audit_entries');
  if (cell === 'yes') {
    const { relation, operation } = row.writes;
    if (!others.some((one) => one.relation === relation && one.operation === operation))
      wrong.push(`succeeded, and wrote no ${operation} of ${relation}`);
    if (!entries.some((entry) => entry.outcome === 'SUCCEEDED' && entry.actor_email === person.email))
      wrong.push('succeeded, and has no audit entry');
    return wrong;
  }
  if (others.length > 0)
    wrong.push(`was refused, and wrote ${others.map(({ relation }) => relation).join()}`);
  if (['anonymous', 'stranger', 'deactivated'].includes(column)) {
    return entries.length === 0 ? wrong : [...wrong, 'is not signed in, and wrote an audit entry'];
  }
  const [entry, ...more] = entries;
  if (entry === undefined || more.length > 0) return [...wrong, `left ${entries.length} entries`];
  const organizationId =
    cell === '-' || row.ofThePlatform === true ? null : rawId(everybody.world.acme.organizationId);
  const due = { outcome: 'REFUSED', code: codeOf[cell], actor: person.email, organizationId };
  const is = {
    ...{ outcome: entry.outcome, code: entry.refusal_code, actor: entry.actor_email },
    organizationId: entry.organization_id,
  };
  if (JSON.stringify(is) !== JSON.stringify(due))
    wrong.push(`left ${JSON.stringify(is)} instead of ${JSON.stringify(due)}`);
  if (organizationId === null && [entry.site_id, entry.ticket_id, entry.grant_id].some((id) => id !== null))
    wrong.push("named the site, ticket or grant in the vendor's entry");
  refusals[organizationId === null ? 'vendor' : 'acme'].push(globalId('AuditEntry', entry.id));

  const listed = readTable(whoMayGrant).get(column)?.get('main:jira') ?? '';
  const expectedObstacles =
    cell === 'why' ? listed.split('+').map((word) => obstacles[word as keyof typeof obstacles]) : [];
  if (reported.join() !== expectedObstacles.join())
    wrong.push(`${name} named ${reported.join()} instead of ${expectedObstacles.join()}`);
  return wrong;
}

/** Creates this many targets. */
async function prepare(row: Row, count: number): Promise<Target[]> {
  const { main } = acme().sites;
  const id = (email: string) => everybody.accountIds.get(email) ?? '';
  const spec = {
    ...{ siteId: main.id, productId: main.products.jira },
    ...{ reporterId: id(acme().emails.reporter), assigneeId: id(everybody.world.engineer.email) },
    approverId: id('approver@acme.example'),
  };
  const tickets =
    row.on === undefined ? [] : await fileTickets(gateway, Array(count).fill({ ...spec, ...row.on }));
  const accounts = row.account === undefined ? [] : await addAccounts(count, row.account === 'active');
  const sites = row.site === undefined ? [] : await addSites(count, row.site);
  const sessions = row.session === undefined ? [] : await openSessions(gateway, tickets);
  const events =
    row.event === undefined ? [] : await insertInboundTicketEvents(gateway, 'ticketing@acme.example', count);
  const proposals = row.proposal === undefined ? [] : await addProposals(accounts);
  const deletions = row.deletion === undefined ? [] : await addDeletions(sites);
  const streams = row.stream === undefined ? [] : await addStreams(count, row.stream);
  const invitations = row.invitation === undefined ? [] : await addInvitations(count);
  return Array.from({ length: count }, (_, index) => ({
    ...{ ticketId: '', grantId: '', changeRequestId: '', ...tickets[index] },
    ...{ accountId: '', roleAssignmentId: '', ...accounts[index] },
    siteId: sites[index] ?? '',
    proposedChangeId: proposals[index] ?? '',
    supportSessionId: sessions[index] ?? '',
    inboundTicketEventId: events[index] ?? '',
    rovoDataDeletionId: deletions[index] ?? '',
    ...{ invitationId: '', invitationOfFormerId: '', ...invitations[index] },
    auditStreamId: streams[index] ?? '',
  }));
}

/** Until the test ends. */
async function giveApproverARole(): Promise<void> {
  const id = newId();
  await gateway.sql.query(
    `INSERT INTO role_assignments (id, account_id, role, organization_id, created_at)
     SELECT $1, id, 'ORGANIZATION_ADMIN', $2, now() FROM accounts WHERE email = 'approver@acme.example'`,
    [id, rawId(acme().organizationId)],
  );
  onTestFinished(() => gateway.sql.query('DELETE FROM role_assignments WHERE id = $1', [id]).then(() => {}));
}

async function addAccounts(count: number, isActive: boolean) {
  const organizationId = rawId(acme().organizationId);
  const ids = Array.from({ length: count }, () => ({ account: newId(), role: newId() }));
  await gateway.sql.query(
    `INSERT INTO accounts (id, kind, email, name, active, created_at)
     SELECT id, 'USER', id || '@acme.example', 'Fresh', $2, now() FROM unnest($1::uuid[]) AS id`,
    [ids.map(({ account }) => account), isActive],
  );
  await gateway.sql.query(
    `INSERT INTO memberships (organization_id, account_id, created_at)
     SELECT $2, id, now() FROM unnest($1::uuid[]) AS id`,
    [ids.map(({ account }) => account), organizationId],
  );
  await gateway.sql.query(
    `INSERT INTO role_assignments (id, account_id, role, organization_id, site_id, created_at)
     SELECT role, account, 'BILLING_ADMIN', $3, $4, now() FROM unnest($1::uuid[], $2::uuid[]) AS each(role, account)`,
    [
      ids.map(({ role }) => role),
      ids.map(({ account }) => account),
      organizationId,
      rawId(acme().sites.main.id),
    ],
  );
  return ids.map(({ account, role }) => ({
    accountId: globalId('User', account),
    roleAssignmentId: globalId('RoleAssignment', role),
  }));
}

/** A proposal for each account to make it a Guard admin of the main site. */
async function addProposals(accounts: readonly { accountId: string }[]): Promise<string[]> {
  const { organizationId, sites, emails } = acme();
  const [organization, site] = [rawId(organizationId), rawId(sites.main.id)];
  const now = new Date();
  const changes = accounts.map(({ accountId }) => ({
    ...{ id: newId(), organization_id: organization, site_id: site, kind: 'ASSIGN_ROLE', about: newId() },
    input: {
      ...{ accountId: rawId(accountId), role: 'GUARD_ADMIN', organizationId: organization },
      ...{ siteId: site, productId: null, origin: 'DIRECT' },
    },
    ...{ before: { role: null }, after: { role: 'GUARD_ADMIN' }, summary: 'Appoint', state: 'WAITING' },
    ...{ subject_id: rawId(accountId), proposed_by_id: everybody.accountIds.get(emails.organizationAdmin) },
    ...{ proposed_at: now, expires_at: new Date(now.getTime() + 86_400_000) },
    ...{ needs: 'GUARD_ADMIN', version: 1 },
  }));
  await gateway.sql.query(
    'INSERT INTO proposed_changes SELECT * FROM jsonb_populate_recordset(NULL::proposed_changes, $1)',
    [JSON.stringify(changes)],
  );
  return changes.map(({ id }) => globalId('ProposedChange', id));
}

async function addSites(count: number, status: string): Promise<string[]> {
  const ids = Array.from({ length: count }, newId);
  await gateway.sql.query(
    `INSERT INTO sites (id, organization_id, url, name, status, experience, data_residency_region, created_at)
     SELECT id, $2, 'https://' || id || '.example', 'Fresh', $3::site_status, 'CENTRALIZED', 'EU', now()
       FROM unnest($1::uuid[]) AS id`,
    [ids, rawId(acme().organizationId), status],
  );
  return ids.map((id) => globalId('Site', id));
}

/** A deletion for each of these sites. */
async function addDeletions(sites: readonly string[]): Promise<string[]> {
  const ids = sites.map(() => newId());
  await gateway.sql.query(
    `INSERT INTO rovo_data_deletions (id, organization_id, site_id, requested_by_id, requested_at, state, version)
     SELECT id, $3, site_id, $4, now(), 'REQUESTED', 1 FROM unnest($1::uuid[], $2::uuid[]) AS each(id, site_id)`,
    [ids, sites.map(rawId), rawId(acme().organizationId), everybody.accountIds.get('approver@acme.example')],
  );
  return ids.map((id) => globalId('RovoDataDeletion', id));
}

function addStreams(count: number, state: 'ACTIVE' | 'PAUSED') {
  const { organizationId, emails } = acme();
  return insertAuditStreams(gateway, rawId(organizationId), emails.organizationAdmin, count, state);
}

async function addInvitations(count: number) {
  const { organizationId, emails } = acme();
  await gateway.sql.query(`DELETE FROM invitations WHERE email = 'former@acme.example'`);
  const addresses = ['former@acme.example', ...Array.from({ length: count }, () => newcomer().email)];
  const [ofFormer = '', ...ids] = await insertInvitations(
    gateway,
    rawId(organizationId),
    emails.organizationAdmin,
    addresses,
  );
  return ids.map((invitationId) => ({ invitationId, invitationOfFormerId: ofFormer }));
}

/** The ids of all refusals on the audit log that the person may see. */
async function readRecord(person: Person): Promise<string[]> {
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const { auditLog }: Json = await person.ask(
      `query ($after: String) { auditLog(first: 100, after: $after, filter: { outcome: REFUSED }) {
         edges { node { id } } pageInfo { hasNextPage endCursor } } }`,
      { after },
    );
    ids.push(...auditLog.edges.map((edge: Json) => edge.node.id));
    after = auditLog.pageInfo.hasNextPage ? auditLog.pageInfo.endCursor : null;
  } while (after !== null);
  return ids;
}

function expected(name: string): Record<string, string> {
  return Object.assign({}, ...parts.map((table) => Object.fromEntries(table.get(name) ?? [])));
}

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
