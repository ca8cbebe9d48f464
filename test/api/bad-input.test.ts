/**
 * Invalid input to every mutation and query of the schema: each field of each input gets values that are invalid
 * for its type, while all other fields are valid. The answer is a typed error and nothing is written, except an
 * audit entry where the command itself refused.
 *
 * On an ordinary day, a random third of the invalid values of each field. INPUT_SEED=… draws the same ones again.
 */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { insertAuditStreams, insertInboundTicketEvents, insertInvitations, rawId } from '../support/rows.ts';
import { bySize, seedOf } from '../support/size.ts';
import { addRovoBackend, done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';
import { journal, type Written } from '../support/written.ts';
import { globalId } from './authorization-people.ts';

const seed = seedOf('INPUT_SEED');

/** All of them in a full run, otherwise every eighth, beginning with one that the seed and the name choose. */
function someOf<Item>(items: readonly Item[], name: string): Item[] {
  const step = bySize(8, 1);
  const first = (seed + [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)) % step;
  return items.filter((_, index) => index % step === first);
}

let gateway: TestGateway;
let world: World;
let written: () => Promise<Written[]>;
let people: Record<'operator' | 'orgAdmin' | 'guard' | 'reporter' | 'engineer' | 'rovo', Person>;
type Thing = { ticketId: string; grantId: string; version: number };
let things: Record<'pending' | 'active' | 'awaitsGuard' | 'closed' | 'unasked', Thing>;
let reporterId: string;
let roleAssignmentId: string;
let proposedChangeId: string;
let changeRequestId: string;
let supportSessionId: string;
let inboundTicketEventId: string;
let rovoDataDeletionId: string;
let invitationId: string;
let auditStreamId: string;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  const { emails } = world.acme;
  people = {
    operator: world.operator,
    orgAdmin: await gateway.as(emails.organizationAdmin),
    guard: await gateway.as(emails.guardAdmin),
    reporter: await gateway.as(emails.reporter),
    engineer: await gateway.as(world.engineer.email),
    rovo: await addRovoBackend(gateway),
  };
  const { orgAdmin, reporter, engineer } = people;
  const file = async (site: 'main' | 'restricted' = 'main') => {
    const { ticketId, grantId } = await fileTicket(gateway, world, { site });
    return { ticketId, grantId: grantId ?? '', version: 0 };
  };
  things = {
    pending: await file(),
    active: await file(),
    awaitsGuard: await file('restricted'),
    closed: await file(),
    unasked: await file(),
  };
  await done(orgAdmin, 'approveDataAccess', { grantId: things.active.grantId });
  await done(orgAdmin, 'approveDataAccess', { grantId: things.awaitsGuard.grantId });
  await done(orgAdmin, 'denyDataAccess', { grantId: things.unasked.grantId });
  await done(reporter, 'closeTicket', { ticketId: things.closed.ticketId });
  for (const thing of Object.values(things)) {
    const query = 'query ($id: ID!) { node(id: $id) { ... on Grant { version } } }';
    thing.version = (await engineer.ask(query, { id: thing.grantId })).node.version;
  }
  const { accounts } = await orgAdmin.ask(
    '{ accounts(first: 100) { edges { node { ... on User { id email } } } } }',
  );
  reporterId = accounts.edges.find((edge: Json) => edge.node.email === emails.reporter).node.id;
  const { roleAssignments } = await orgAdmin.ask('{ roleAssignments(first: 1) { edges { node { id } } } }');
  roleAssignmentId = roleAssignments.edges[0].node.id;
  const session = { grantId: things.active.grantId, ...anySession };
  supportSessionId = (await done(engineer, 'startSupportSession', session)).id;
  changeRequestId = (await done(engineer, 'requestChange', anyChange())).id;
  const appointment = { userId: reporterId, organizationId: world.acme.organizationId, role: 'GUARD_ADMIN' };
  proposedChangeId = (await done(orgAdmin, 'assignRole', appointment)).id;
  [inboundTicketEventId = ''] = await insertInboundTicketEvents(gateway, world.services.ticketing, 1);
  [invitationId = ''] = await insertInvitations(
    gateway,
    rawId(world.acme.organizationId),
    emails.organizationAdmin,
    ['invited@newcomers.example'],
  );
  [auditStreamId = ''] = await insertAuditStreams(
    ...([gateway, rawId(world.acme.organizationId), emails.organizationAdmin, 1] as const),
  );
  const ofAcme = { organizationId: world.acme.organizationId };
  rovoDataDeletionId = (await done(orgAdmin, 'requestRovoDataDeletion', ofAcme)).id;
  written = await journal(gateway.sql);
});
afterAll(() => gateway.dispose());

const anySession = { reason: 'GATHER_LOGS', note: 'Reading the log', country: 'DE' };

const anyChange = () => ({
  ...{ ticketId: things.pending.ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
  ...{ description: 'Switch it on', justification: 'It is off' },
  validUntil: new Date(Date.now() + 86_400_000).toISOString(),
});

/** What names something beside its id: exactly one of both may be given. */
const alternatives = [
  'ticketKey',
  'externalId',
  'integration',
  'siteUrl',
  'productKey',
  'reporterEmail',
  'engineerEmail',
];

type Given = { by: keyof typeof people; input: Record<string, unknown> };

/** For each mutation a person who may send it, and a valid input. */
function rightInputs(): Record<string, Given> {
  const { organizationId, sites } = world.acme;
  const { main, deactivated } = sites;
  const decision = { reason: 'Because', idempotencyKey: 'a-key' };
  const of = ({ grantId, version: expectedVersion }: Thing) => ({ grantId, expectedVersion, ...decision });
  const ofChange = { changeRequestId, expectedVersion: 1, ...decision };
  const person = { email: 'new@acme.example', name: 'New' };
  const key = { idempotencyKey: 'a-key' };
  const filter = { actions: ['GRANT_APPROVE'], actorKinds: ['USER'], outcome: 'REFUSED', siteIds: [main.id] };
  const streamSettings = { name: 'SIEM', format: 'RECORD', maxBatchBytes: 5_000, filter };
  return {
    createTicket: {
      by: 'reporter',
      input: { productId: main.products.jira, summary: 'Slow', grantDataAccess: false, reporterId, ...key },
    },
    assignTicket: {
      by: 'operator',
      input: { ticketId: things.pending.ticketId, engineerId: world.otherEngineer.id, ...key },
    },
    updateTicketStatus: {
      by: 'engineer',
      input: { ticketId: things.pending.ticketId, status: 'RESOLVED', ...key },
    },
    updateTicket: {
      by: 'engineer',
      input: {
        ...{ ticketId: things.pending.ticketId, summary: 'Slow', status: 'RESOLVED' },
        ...{ productId: main.products.jira, ...key },
      },
    },
    closeTicket: { by: 'reporter', input: { ticketId: things.pending.ticketId, ...key } },
    reopenTicket: { by: 'reporter', input: { ticketId: things.closed.ticketId, ...key } },
    requestDataAccess: {
      by: 'engineer',
      input: {
        ...{ ticketId: things.unasked.ticketId, scope: 'ROVO_CONVERSATIONS', conversationIds: ['one'] },
        ...{ justification: 'Because', ...key },
      },
    },
    withdrawDataAccessRequest: { by: 'engineer', input: of(things.pending) },
    releaseDataAccess: { by: 'engineer', input: of(things.active) },
    approveDataAccess: {
      by: 'orgAdmin',
      input: { ...of(things.pending), expiresAt: '2090-01-01T00:00:00Z', path: 'SUPPORT_PORTAL' },
    },
    approveDataAccessInBulk: {
      by: 'orgAdmin',
      input: {
        ...{ grantIds: [things.pending.grantId], expiresAt: '2090-01-01T00:00:00Z', path: 'ADMIN_CONSOLE' },
        ...{ reason: 'Because', ...key },
      },
    },
    denyDataAccess: { by: 'orgAdmin', input: of(things.pending) },
    denyDataAccessInBulk: {
      by: 'orgAdmin',
      input: { grantIds: [things.pending.grantId], reason: 'Because', ...key },
    },
    revokeDataAccess: { by: 'orgAdmin', input: of(things.active) },
    revokeDataAccessInBulk: {
      by: 'orgAdmin',
      input: { grantIds: [things.active.grantId], reason: 'Because', ...key },
    },
    approveGuardRequest: {
      by: 'guard',
      input: { ...of(things.awaitsGuard), expiresAt: '2090-01-01T00:00:00Z' },
    },
    approveGuardRequestInBulk: {
      by: 'guard',
      input: {
        ...{ grantIds: [things.awaitsGuard.grantId], expiresAt: '2090-01-01T00:00:00Z' },
        ...{ reason: 'Because', ...key },
      },
    },
    denyGuardRequestInBulk: {
      by: 'guard',
      input: { grantIds: [things.awaitsGuard.grantId], reason: 'Because', ...key },
    },
    denyGuardRequest: { by: 'guard', input: of(things.awaitsGuard) },
    startSupportSession: {
      by: 'engineer',
      input: { grantId: things.active.grantId, ...anySession, ...key },
    },
    endSupportSession: { by: 'engineer', input: { supportSessionId, ...key } },
    requestChange: { by: 'engineer', input: { ...anyChange(), ...key } },
    withdrawChangeRequest: { by: 'engineer', input: ofChange },
    recordChangeResult: {
      by: 'engineer',
      input: { changeRequestId, expectedVersion: 1, result: 'APPLIED', note: 'Done', ...key },
    },
    consentToChange: { by: 'orgAdmin', input: ofChange },
    refuseChange: { by: 'orgAdmin', input: ofChange },
    revokeChangeConsent: { by: 'orgAdmin', input: ofChange },
    setSupportAccessRestrictions: { by: 'guard', input: { siteId: main.id, restricted: true, ...key } },
    setSupportAccessPolicy: {
      by: 'orgAdmin',
      input: {
        ...{ siteId: main.id, requestWaitSeconds: 60, maxGrantSeconds: 60, ...key },
        samePersonMayApproveTwice: true,
        relayedConsentCounts: true,
        ...{ dataResidencyPinned: true, engineerCountries: ['DE'] },
        ...{ sessionIdleSeconds: 60, maxSessionSeconds: 300 },
      },
    },
    deactivateSite: { by: 'orgAdmin', input: { siteId: main.id, ...key } },
    reactivateSite: { by: 'orgAdmin', input: { siteId: deactivated.id, ...key } },
    assignRole: {
      by: 'operator',
      input: {
        ...{ userId: reporterId, role: 'PRODUCT_ADMIN', organizationId, siteId: main.id, ...key },
        ...{ productId: main.products.jira, origin: 'DIRECT' },
      },
    },
    removeRole: { by: 'operator', input: { roleAssignmentId, ...key } },
    triggerScimSync: { by: 'operator', input: { organizationId, ...key } },
    replayInboundTicketEvent: { by: 'operator', input: { inboundTicketEventId, ...key } },
    confirmProposedChange: { by: 'guard', input: { proposedChangeId, ...key } },
    declineProposedChange: { by: 'guard', input: { proposedChangeId, ...key } },
    withdrawProposedChange: { by: 'orgAdmin', input: { proposedChangeId, ...key } },
    requestRovoDataDeletion: {
      by: 'orgAdmin',
      input: { organizationId, siteId: main.id, reason: 'Because', ...key },
    },
    withdrawRovoDataDeletion: { by: 'orgAdmin', input: { rovoDataDeletionId, ...key } },
    recordRovoDataDeletion: {
      by: 'rovo',
      input: { rovoDataDeletionId, step: 'FAILED', reason: 'Because', ...key },
    },
    setOrganizationGuard: { by: 'operator', input: { organizationId, hasGuard: true, ...key } },
    createOrganization: { by: 'operator', input: { name: 'New', hasGuard: true, ...key } },
    createSite: {
      by: 'operator',
      input: {
        ...{ organizationId, url: 'https://new.example', name: 'New', experience: 'ORIGINAL', ...key },
        dataResidencyRegion: 'EU',
      },
    },
    licenseProduct: {
      by: 'operator',
      input: { siteId: main.id, key: 'trello', name: 'Trello', idempotencyKey: 'k' },
    },
    unlicenseProduct: { by: 'operator', input: { productId: main.products.jira, ...key } },
    addUser: { by: 'operator', input: { organizationId, ...person, ...key } },
    removeUser: { by: 'operator', input: { organizationId, userId: reporterId, ...key } },
    inviteUser: { by: 'orgAdmin', input: { organizationId, ...person, ...key } },
    withdrawInvitation: { by: 'operator', input: { invitationId, ...key } },
    acceptInvitation: { by: 'operator', input: { invitationId, ...key } },
    setAuditRetention: { by: 'orgAdmin', input: { organizationId, days: 365, ...key } },
    createAuditStream: {
      by: 'orgAdmin',
      input: {
        organizationId,
        endpointUrl: 'https://siem.customer.example/',
        after: 0,
        ...streamSettings,
        ...key,
      },
    },
    updateAuditStream: {
      by: 'orgAdmin',
      input: { auditStreamId, endpointUrl: 'https://siem.customer.example/', ...streamSettings, ...key },
    },
    rotateAuditStreamSecret: { by: 'orgAdmin', input: { auditStreamId, ...key } },
    pauseAuditStream: { by: 'orgAdmin', input: { auditStreamId, ...key } },
    resumeAuditStream: { by: 'orgAdmin', input: { auditStreamId, ...key } },
    replayAuditStream: { by: 'orgAdmin', input: { auditStreamId, after: 0, ...key } },
    testAuditStream: { by: 'orgAdmin', input: { auditStreamId, ...key } },
    deleteAuditStream: { by: 'orgAdmin', input: { auditStreamId, ...key } },
    addSupportEngineer: { by: 'operator', input: { ...person, ...key } },
    addOperator: { by: 'operator', input: { ...person, ...key } },
    addComplianceAnalyst: { by: 'operator', input: { ...person, ...key } },
    addServiceAccount: {
      by: 'operator',
      input: {
        ...{ ...person, capabilities: ['ACCESS_EVALUATION'], evaluatedProducts: ['jira'] },
        ...{ organizationId, ...key },
      },
    },
    deactivateAccount: { by: 'operator', input: { accountId: reporterId, ...key } },
    reactivateAccount: { by: 'operator', input: { accountId: reporterId, ...key } },
  };
}

/** Invalid values of each type, by description. */
const wrongTexts: Record<string, unknown> = {
  nothing: '',
  'only spaces': '  \t ',
  'only invisible characters': '\u200b\u202e\u3164 \u2800',
  'far too long': 'x'.repeat(20_000),
  'a NUL': 'a\u0000b',
  'a control character': 'a\u0007b',
  'a line separator': 'a\u2028b',
  'half a character': 'a\ud800',
  'no character': 'a\uffff',
  'a number': 7,
  'a list of lists': [['a']],
};

function wrongIds(types: readonly string[]): Record<string, unknown> {
  const [type = 'Ticket'] = types;
  const id = newId();
  return {
    nothing: '',
    garbage: 'garbage',
    'a NUL': '\u0000',
    'an id without its type': id,
    'an id of another type': types.includes('Product')
      ? world.acme.organizationId
      : world.acme.sites.main.products.jira,
    'an id of no type there is': globalId('Nothing', id),
    'no id behind the type': globalId(type, ''),
    'a number behind the type': globalId(type, '42'),
    'an id in capitals': globalId(type, id.toUpperCase()),
    'an id of another version': globalId(type, 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6'),
    'an id and more': globalId(type, `${id}' OR '1'='1`),
    'far too long': globalId(type, 'x'.repeat(20_000)),
    'a number': 7,
    'a list': [[globalId(type, id)]],
  };
}

const wrongMoments: Record<string, unknown> = {
  'no moment': 'tomorrow',
  'a day': '2090-01-01',
  'a day that is none': '2090-02-30T00:00:00Z',
  seconds: 4_000_000_000,
  'before the calendar': '0000-01-01T00:00:00Z',
  'the end of the calendar': '9999-12-31T23:59:59Z',
  'beyond the calendar': '+275760-09-13T00:00:00Z',
};

const wrongNumbers: Record<string, unknown> = {
  'less than nothing': -1,
  'beyond four bytes': 2_147_483_648,
  'far beyond': 1e308,
  'a part': 1.5,
  'a text': '1',
  'a list of lists': [[1]],
};

/** More invalid values, for fields of this name. */
const wrongByName: Record<string, Record<string, unknown>> = {
  email: {
    ...{ 'no address': 'nobody', 'no host': 'nobody@', 'two lines': 'a@b.example\nc@d.example' },
    'a KELVIN SIGN': '\u212aim@acme.example',
  },
  url: {
    'no scheme': 'new.example',
    'not secure': 'http://new.example',
    'a path': 'https://new.example/wiki',
    'a script': 'javascript:alert(1)',
    'somebody else in it': 'https://a@new.example',
  },
  endpointUrl: {
    ...{
      'no scheme': 'siem.example',
      'not secure': 'http://siem.example',
      'a script': 'javascript:alert(1)',
    },
    ...{ 'somebody in it': 'https://a@siem.example', 'this machine': 'https://127.0.0.1/' },
    ...{ 'a private address': 'https://10.0.0.1/', 'the metadata of a cloud': 'https://169.254.169.254/' },
    ...{ 'IPv4 within IPv6': 'https://[::ffff:10.0.0.1]/', 'another spelling': 'https://0x7f.1/' },
  },
  maxBatchBytes: { 'too few': 999, 'too many': 1_000_001 },
  after: { negative: -1, 'beyond the log': 1_000_000 },
  key: { capitals: 'Trello', 'a digit first': '1trello', 'a space': 'tre llo' },
  idempotencyKey: { 'a space': 'a key', 'a letter beyond ASCII': 'schlüssel', 'too long': 'k'.repeat(101) },
  name: { 'two lines': 'New\nName' },
  summary: { 'two lines': 'Slow\nvery' },
  requestWaitSeconds: { 'no time': 0, 'more than ten years': 315_360_001 },
  maxGrantSeconds: { 'no time': 0, 'more than ten years': 315_360_001 },
  expectedVersion: { 'no version': 0 },
  expiresAt: { 'the past': '2020-01-01T00:00:00Z' },
  resourceType: { 'too long': 'x'.repeat(101), 'something invisible': 'pro\u200bject' },
  resourceId: { 'too long': 'x'.repeat(501), 'another direction': 'AC\u202eME', decomposed: 'e\u0301' },
  conversationIds: { none: [], 'too many': Array.from({ length: 101 }, (_, index) => `c-${index}`) },
  country: { 'one there is not': 'XX', 'lower case': 'de' },
  engineerCountries: {
    'one there is not': ['XX'],
    'lower case': ['de'],
    'too many': Array.from({ length: 251 }, () => 'DE'),
  },
  sessionIdleSeconds: { 'too short': 59, 'too long': 86_401 },
  maxSessionSeconds: { 'too short': 299, 'too long': 604_801 },
  capabilities: { none: [], 'one there is not': ['EVERYTHING'] },
  grantIds: { none: [] },
};

const typesById: Record<string, readonly string[]> = {
  organizationId: ['Organization'],
  siteId: ['Site'],
  productId: ['Product'],
  ticketId: ['Ticket'],
  grantId: ['Grant'],
  grantIds: ['Grant'],
  changeRequestId: ['ChangeRequest'],
  supportSessionId: ['SupportSession'],
  userId: ['User'],
  reporterId: ['User'],
  accountId: ['User', 'SupportEngineer', 'Operator', 'ComplianceAnalyst', 'ServiceAccount'],
  engineerId: ['SupportEngineer'],
  assigneeId: ['SupportEngineer'],
  roleAssignmentId: ['RoleAssignment'],
  id: ['Ticket'],
  ids: ['Ticket'],
};

/** All invalid values of a field, by description. */
function wrongFor(field: GraphQLInputField | GraphQLArgument): Record<string, unknown> {
  const { name } = field;
  const type = getNullableType(field.type);
  const item = getNamedType(type);
  const ofType: Record<string, unknown> = isEnumType(item)
    ? { 'no such value': 'NONSENSE', 'a number': 7, 'small letters': item.getValues()[0]?.name.toLowerCase() }
    : {
        ...(item.name === 'ID' ? wrongIds(typesById[name] ?? []) : {}),
        ...(item.name === 'String' ? wrongTexts : {}),
        ...(item.name === 'DateTime' ? wrongMoments : {}),
        ...(item.name === 'Int' ? wrongNumbers : {}),
        ...(item.name === 'Boolean' ? { 'a text': 'true', 'a number': 1 } : {}),
      };
  const inList = isListType(type)
    ? Object.fromEntries(Object.entries(ofType).map(([what, value]) => [`${what}, in a list`, [value]]))
    : ofType;
  const ofObject = { 'an object': { a: 1 }, ...(isNonNullType(field.type) ? { null: null } : {}) };
  return { ...inList, ...ofObject, ...wrongByName[name] };
}

const mutationFields = Object.values(schema.getMutationType()?.getFields() ?? {});

function inputOf({ args }: GraphQLField<unknown, unknown>): GraphQLInputObjectType {
  const type = getNamedType(args[0]?.type);
  if (!isInputObjectType(type)) throw new Error('Every mutation takes one input');
  return type;
}

/** The code of each answer; `SUCCEEDED` where there is no error. */
async function codesOf(person: Person, name: string, input: unknown): Promise<string> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const bulk = name.endsWith('InBulk')
    ? '... on BulkPayload { results { result { ... on Error { code } } } }'
    : '';
  const { status, data, errors } = await person.send(
    `mutation ($input: ${type}!) { result: ${name}(input: $input) { __typename ... on Error { code message } ${bulk} } }`,
    { input },
  );
  if (errors.length > 0) return String(errors[0]?.extensions['code'] ?? status);
  if (data.result.results !== undefined) return data.result.results[0].result.code ?? 'SUCCEEDED';
  return data.result.code ?? 'SUCCEEDED';
}

describe(`every field of every input, INPUT_SEED=${seed}`, () => {
  test.each(mutationFields.map((field) => [field.name, field] as const))('%s', async (name, field) => {
    const right = rightInputs()[name];
    if (right === undefined) throw new Error(`There is no right input for ${name}`);
    const person = people[right.by];
    const fields = Object.values(inputOf(field).getFields());
    const given = Object.keys(right.input);
    // All other fields are valid, so the error must be about this field.
    const own = name === 'approveDataAccess' ? ['ticketId'] : name.endsWith('InBulk') ? ['items'] : [];
    const others = [...alternatives, ...own];
    expect(given.toSorted()).toEqual(
      fields
        .map((one) => one.name)
        .filter((one) => !others.includes(one))
        .toSorted(),
    );

    const wrong: string[] = [];
    const attempt = async (what: string, input: unknown) => {
      const code = await codesOf(person, name, input);
      const left = await written();
      const others = left.filter(({ relation }) => relation !== 'audit_entries');
      const isRefusal = !['INVALID_INPUT', 'BAD_USER_INPUT', 'NOT_FOUND'].includes(code);
      // Refused by the command itself, for a reason that concerns more than one field.
      const mayBeRecorded =
        ['EXPIRES_AT_IN_THE_PAST', 'INVALID_INPUT'].includes(code) || what === 'userId: unknown';
      if (isRefusal && code !== 'EXPIRES_AT_IN_THE_PAST') wrong.push(`${what}: ${code}`);
      if (others.length > 0) wrong.push(`${what}: wrote ${others.map(({ relation }) => relation).join()}`);
      if (left.length > 0 && !mayBeRecorded) wrong.push(`${what}: left an entry`);
      if (left.some(({ relation, row }) => relation === 'audit_entries' && row.outcome !== 'REFUSED'))
        wrong.push(`${what}: was recorded as done`);
    };

    for (const one of fields) {
      const { [one.name]: _, idempotencyKey: __, ...rest } = right.input;
      for (const [what, value] of someOf(Object.entries(wrongFor(one)), `${name} ${one.name}`)) {
        await attempt(`${one.name}: ${what}`, { ...rest, [one.name]: value });
      }
      if (isNonNullType(one.type) && one.defaultValue === undefined)
        await attempt(`${one.name} left out`, rest);
      if (getNamedType(one.type).name === 'ID' && name !== 'createTicket') {
        const [type = ''] = typesById[one.name] ?? [];
        const unknown = globalId(type, newId());
        await attempt(`${one.name}: unknown`, {
          ...rest,
          [one.name]: isListType(getNullableType(one.type)) ? [unknown] : unknown,
        });
      }
    }
    await attempt('a field there is not', { ...right.input, nonsense: true });
    await attempt('nothing', null);
    await attempt('a list', [right.input, right.input]);
    await attempt('a text', 'input');
    expect(wrong).toEqual([]);
  });

  test('mutations with valid fields succeed, or are refused because of the state of their objects', async () => {
    const codes: Record<string, string> = {};
    for (const [name, { by, input }] of Object.entries(rightInputs())) {
      codes[name] = await codesOf(people[by], name, { ...input, idempotencyKey: newId() });
    }
    expect(Object.values(codes).filter((code) => code === 'SUCCEEDED').length).toBeGreaterThan(15);
    expect(Object.values(codes)).not.toContain('INVALID_INPUT');
    expect(Object.values(codes)).not.toContain('BAD_USER_INPUT');
    expect(Object.values(codes)).not.toContain('INTERNAL_SERVER_ERROR');
    await written();
  });
});

describe(`every argument of every list, INPUT_SEED=${seed}`, () => {
  const queries = Object.values(schema.getQueryType()?.getFields() ?? {});
  const nested = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && type !== schema.getQueryType() && type !== schema.getSubscriptionType()
      ? Object.values(type.getFields()).flatMap((field) =>
          field.args.some(({ name }) => name === 'after') ? [{ type: type.name, field }] : [],
        )
      : [],
  );

  /** The path to each nested list. */
  const wayTo: Record<string, (list: string) => string> = {
    Organization: (list) => `{ organizations(first: 1) { edges { node { ${list} } } } }`,
    Site: (list) => `{ sites(first: 1) { edges { node { ${list} } } } }`,
    Ticket: (list) => `{ tickets(first: 1) { edges { node { ${list} } } } }`,
    Grant: (list) => `{ grants(first: 1) { edges { node { ${list} } } } }`,
    SupportSession: (list) => `{ supportSessions(first: 1) { edges { node { ${list} } } } }`,
    AccessEligibility: (list) => `{ tickets(first: 1) { edges { node { accessEligibility { ${list} } } } } }`,
  };

  const pages: Record<string, Record<string, unknown>> = {
    'first: less than nothing': { first: -1 },
    'last: less than nothing': { last: -1 },
    'first: a million': { first: 1_000_000 },
    'last: a million': { last: 1_000_000 },
    'first: beyond four bytes': { first: 2_147_483_648 },
    'first and last': { first: 1, last: 1 },
    'after: nothing': { after: '' },
    'after: garbage': { after: 'garbage' },
    'after: far too long': { after: 'x'.repeat(20_000) },
    'after: a NUL': { after: '\u0000' },
    'after: no key': { after: Buffer.from('tickets:').toString('base64url') },
    'after: of the library': { after: Buffer.from('GPC:S:1').toString('base64') },
    'before: garbage': { before: 'garbage' },
  };

  /** No customer reads the events of ticketing systems. */
  const readerOf = (list: string): Person =>
    list === 'inboundTicketEvents' ? people.operator : people.orgAdmin;

  async function asks(where: (list: string) => string, field: GraphQLField<unknown, unknown>) {
    const selection = 'edges { cursor }';
    const wrong: string[] = [];
    const own = await readerOf(field.name).ask(where(`${field.name}(first: 1) { ${selection} }`));
    const cursor = /"cursor":"([^"]+)"/.exec(JSON.stringify(own))?.[1];
    const foreign = field.name === 'sites' ? 'organizations' : 'sites';
    const other = (await readerOf(field.name).ask(`{ ${foreign}(first: 1) { edges { cursor } } }`))[foreign];
    const altered = cursor === undefined ? 'x' : `${cursor.slice(0, -4)}AAAA`;
    const cases = {
      ...pages,
      'after: of another list': { after: other.edges[0].cursor },
      'after: altered': { after: altered },
    };
    for (const [what, given] of someOf(Object.entries(cases), field.name)) {
      const args = Object.entries(given).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
      const { data, errors } = await readerOf(field.name).send(
        where(`${field.name}(${args.join(', ')}) { ${selection} }`),
      );
      const code = String(errors[0]?.extensions['code']);
      const due = ['BAD_USER_INPUT', 'OPERATION_LIMIT_EXCEEDED', 'GRAPHQL_VALIDATION_FAILED'];
      // A page has at most a hundred items; and a cursor with other digits may be valid for the same list.
      const isHarmless = what.endsWith('a million') || what === 'after: altered';
      const size = JSON.stringify(data)?.match(/"cursor"/g)?.length ?? 0;
      if (!due.includes(code) && !(isHarmless && errors.length === 0 && size <= 100))
        wrong.push(`${what}: ${code}`);
    }
    expect(wrong).toEqual([]);
    expect(await written()).toEqual([]);
  }

  test.each(
    queries
      .filter(({ args }) => args.some(({ name }) => name === 'after'))
      .map((field) => [field.name, field] as const),
  )('%s', async (_, field) => {
    await asks((list) => `{ ${list} }`, field);
  });

  test.each(nested.map(({ type, field }) => [type, field.name, field] as const))(
    '%s.%s',
    async (type, _, field) => {
      const where = wayTo[type];
      if (where === undefined) throw new Error(`There is no way to ${type}`);
      await asks(where, field);
    },
  );

  test.each(queries.flatMap(({ name, args }) => args.map((arg) => [name, arg.name, arg] as const)))(
    '%s(%s)',
    async (name, argument, arg) => {
      const type = getNamedType(arg.type);
      const { url } = world.acme.sites.main;
      const tried: readonly (readonly [string, unknown])[] = isInputObjectType(type)
        ? Object.values(type.getFields()).flatMap((field) =>
            Object.entries(wrongFor(field)).map(
              ([what, value]) => [`${field.name}: ${what}`, { [field.name]: value }] as const,
            ),
          )
        : Object.entries(wrongFor(arg)).filter(([what]) => !isRightFor(argument, what));
      const wrong: string[] = [];
      for (const [what, value] of someOf(tried, `${name} ${argument}`)) {
        const others: Record<string, string> = {
          product: argument === 'key' ? `siteUrl: "${url}"` : 'key: "jira"',
          auditSummary: argument === 'groupBy' ? '' : 'groupBy: [DAY]',
        };
        const rest = others[name] ?? '';
        const { data, errors } = await readerOf(name).send(
          `query ($value: ${arg.type}) { ${name}(${argument}: $value ${rest}) { __typename } }`,
          { value },
        );
        const code = errors.length === 0 ? null : String(errors[0]?.extensions['code']);
        // An id or key that finds nothing gives null, an empty list, or a count of nothing.
        const [shown] = [data?.[name]].flat();
        const isNothing = shown === null || /(Connection|Summary)$/.test(shown?.__typename);
        const isFine = code === null ? isNothing : ['BAD_USER_INPUT', 'INVALID_INPUT'].includes(code);
        if (!isFine) wrong.push(`${what}: ${code}`);
      }
      expect(wrong).toEqual([]);
      expect(await written()).toEqual([]);
    },
  );
});

/** Every type may be looked up by its id. */
function isRightFor(argument: string, what: string): boolean {
  return /^ids?$/.test(argument) && what.startsWith('an id of another type');
}
