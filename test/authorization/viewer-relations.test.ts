/**
 * The relations of each kind of account to the platform, to an organization, a site, a ticket, a proposed change and an
 * account.
 */
import { describe, expect, test } from 'vitest';
import type { Relation } from '../../src/authorization/operations.ts';
import {
  relationsToAccount,
  relationsToDeletion,
  relationsToInboundTicketEvent,
  relationsToInvitation,
  relationsToLog,
  relationsToOrganization,
  relationsToPlatform,
  relationsToProposedChange,
  relationsToSite,
  relationsToTicket,
  seesAccount,
  seesDeletion,
  seesGrantors,
  seesGrants,
  seesInboundTicketEvent,
  seesOrganization,
  seesProposedChange,
  seesTicket,
} from '../../src/authorization/viewer-relations.ts';
import type { ServiceViewer, Viewer } from '../../src/identity/viewer.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { assignment, engineer, NOW, operator, place, user } from '../support/builders.ts';

const site = place().site;
const otherSite = { ...site, id: 'other-site' };
const service = (organizationId: string | null, ...capabilities: ServiceViewer['capabilities'][number][]) =>
  ({
    ...{ id: 'service', email: 'service@example.com', name: 'Service', kind: 'SERVICE_ACCOUNT' as const },
    ...{ capabilities, evaluatedProducts: [] as readonly string[], organizationId },
  }) satisfies Viewer;

const plain = user('plain');
const organizationAdmin = user('admin', assignment('ORGANIZATION_ADMIN', 'ORGANIZATION'));
const unsynced = assignment('ORGANIZATION_ADMIN', 'ORGANIZATION', { syncState: 'PENDING_SYNC' });
const unsyncedAdmin = user('unsynced', unsynced);
const productAdmin = user('product-admin', assignment('PRODUCT_ADMIN', 'THIS_PRODUCT'));
const guardAdmin = user('guard', assignment('GUARD_ADMIN', 'THIS_SITE'));
const unsyncedGuard = user('unsynced', assignment('GUARD_ADMIN', 'THIS_SITE', { syncState: 'PENDING_SYNC' }));
const former: Viewer = {
  ...user('former', assignment('GUARD_ADMIN', 'ORGANIZATION')),
  ...{ organizationIds: [] },
};
const bystander = service(null);
const analyst: Viewer = {
  ...{ id: 'analyst', email: 'analyst@vendor.example', name: 'Analyst', kind: 'COMPLIANCE_ANALYST' as const },
};

const sorted = (relations: ReadonlySet<Relation>): Relation[] => [...relations].toSorted();
const only = (...relations: Relation[]): Relation[] => ['SIGNED_IN' as const, ...relations].toSorted();

describe('to an event of a ticketing system', () => {
  test.each<[string, Viewer, Relation[]]>([
    ['the service account that sent it', service('organization', 'TICKETING'), only('SELF', 'TICKETING')],
    ['that account without the capability', service(null), only('SELF')],
    ['another ticketing system', { ...service(null, 'TICKETING'), id: 'other' }, only()],
    ['an operator', operator(), only('OPERATOR')],
    ['an engineer', engineer(), only()],
    ['an organization admin', organizationAdmin, only()],
  ])('%s', (_, viewer, expected) => {
    expect(sorted(relationsToInboundTicketEvent(viewer, { integrationId: 'service' }))).toEqual(expected);
  });
});

test('an auditor holds no other role, and none at all before it is synced', () => {
  const auditor = user('auditor', assignment('AUDITOR', 'ORGANIZATION'));
  const pending = user('auditor', assignment('AUDITOR', 'ORGANIZATION', { syncState: 'PENDING_SYNC' }));
  expect(sorted(relationsToSite(auditor, site))).toEqual(only('MEMBER', 'AUDITOR'));
  expect(sorted(relationsToSite(pending, site))).toEqual(only('MEMBER'));
});

test('an analyst has no other relation, and to a whole log only where it is the vendor’s', () => {
  const filed = { reporterId: 'analyst', assigneeId: 'analyst' };
  const change = {
    ...{ organizationId: 'organization', siteId: 'site', proposedById: 'analyst', subjectId: null },
    ...({ needs: 'ORGANIZATION_ADMIN', effectiveAt: NOW } as const),
  };
  expect(sorted(relationsToPlatform(analyst))).toEqual(only('COMPLIANCE_ANALYST'));
  for (const relations of [
    relationsToTicket(analyst, filed, place(), 'analyst'),
    relationsToProposedChange(analyst, change),
    relationsToDeletion(analyst, { organizationId: 'organization', requestedById: 'analyst' }),
    relationsToInvitation(analyst, { organizationId: 'organization', email: analyst.email }),
  ])
    expect(sorted(relations)).toEqual(only('COMPLIANCE_ANALYST'));
  expect(sorted(relationsToInboundTicketEvent(analyst, { integrationId: 'analyst' }))).toEqual(only());
  expect(sorted(relationsToLog(analyst, vendorOrganizationId))).toEqual(only('COMPLIANCE_ANALYST'));
  expect(sorted(relationsToLog(analyst, 'organization'))).toEqual(only());
});

describe('to a proposed change', () => {
  const change = {
    ...{ organizationId: 'organization', siteId: 'site', proposedById: 'proposer' },
    ...{ subjectId: 'guard', effectiveAt: null },
  };
  const ofGuard = { ...change, needs: 'GUARD_ADMIN' } as const;
  const ofAll = { ...ofGuard, siteId: null };
  const ofAdmin = { ...change, needs: 'ORGANIZATION_ADMIN' } as const;
  const settling = (viewer: Viewer, of: typeof ofGuard | typeof ofAll | typeof ofAdmin) =>
    sorted(relationsToProposedChange(viewer, of)).filter((one) =>
      ['PROPOSER', 'CONFIRMER', 'GUARD_ADMIN', 'ORGANIZATION_ADMIN'].includes(one),
    );
  const guardOf = (holding: 'ORGANIZATION' | 'OTHER_SITE') =>
    user('guard', assignment('GUARD_ADMIN', holding));

  test.each<[string, Viewer, Relation[], Relation[], Relation[]]>([
    ['a member', plain, [], [], []],
    ['its proposer', user('proposer'), ['PROPOSER'], ['PROPOSER'], ['PROPOSER']],
    ['a proposer who has left', { ...former, id: 'proposer' }, [], [], []],
    [
      'an operator who proposed it',
      { ...operator(), id: 'proposer' },
      ['PROPOSER'],
      ['PROPOSER'],
      ['PROPOSER'],
    ],
    ['another operator', operator(), [], [], []],
    [
      'an organization admin',
      organizationAdmin,
      ...([['ORGANIZATION_ADMIN'], ['ORGANIZATION_ADMIN']] satisfies [Relation[], Relation[]]),
      ['CONFIRMER', 'ORGANIZATION_ADMIN'],
    ],
    ['an organization admin who is not synced', unsyncedAdmin, [], [], []],
    [
      'a Guard admin of the site',
      guardAdmin,
      ...([
        ['CONFIRMER', 'GUARD_ADMIN'],
        ['CONFIRMER', 'GUARD_ADMIN'],
      ] satisfies [Relation[], Relation[]]),
      ['GUARD_ADMIN'],
    ],
    [
      'a Guard admin of the organization',
      guardOf('ORGANIZATION'),
      ...([
        ['CONFIRMER', 'GUARD_ADMIN'],
        ['CONFIRMER', 'GUARD_ADMIN'],
      ] satisfies [Relation[], Relation[]]),
      ['GUARD_ADMIN'],
    ],
    [
      'a Guard admin of another site',
      guardOf('OTHER_SITE'),
      ...([['GUARD_ADMIN'], ['CONFIRMER', 'GUARD_ADMIN']] satisfies [Relation[], Relation[]]),
      ['GUARD_ADMIN'],
    ],
    ['a Guard admin who is not synced', unsyncedGuard, [], [], []],
    ['a Guard admin who has left', former, [], [], []],
    ['an engineer', engineer('proposer'), [], [], []],
  ])('%s', (_, viewer, onTheSite, onTheOrganization, ofAdmins) => {
    expect(settling(viewer, ofGuard)).toEqual(onTheSite);
    expect(settling(viewer, ofAll)).toEqual(onTheOrganization);
    expect(settling(viewer, ofAdmin)).toEqual(ofAdmins);
    expect(seesProposedChange(relationsToProposedChange(viewer, ofGuard))).toBe(onTheSite.length > 0);
  });

  test('in another organization there are none', () => {
    const elsewhere = { ...ofAll, organizationId: 'other-organization' };
    expect(settling(guardOf('ORGANIZATION'), elsewhere)).toEqual([]);
    expect(settling(organizationAdmin, { ...elsewhere, needs: 'ORGANIZATION_ADMIN' as never })).toEqual([]);
  });
});

describe("to a deletion of Rovo's data", () => {
  const deletion = { organizationId: 'organization', requestedById: 'requester' };
  const backend = (organizationId: string | null, ...evaluatedProducts: string[]) => ({
    ...service(organizationId, 'ACCESS_EVALUATION'),
    evaluatedProducts,
  });
  const relations: Relation[] = ['OPERATOR', 'ORGANIZATION_ADMIN', 'DELETION_REQUESTER', 'ROVO_BACKEND'];

  test.each<[string, Viewer, Relation[]]>([
    ['an operator', operator(), ['OPERATOR']],
    ['an organization admin', organizationAdmin, ['ORGANIZATION_ADMIN']],
    ['an organization admin who is not synced', unsyncedAdmin, []],
    ['who requested it and has no role any more', user('requester'), ['DELETION_REQUESTER']],
    ['who requested it and has left', { ...former, id: 'requester' }, []],
    ['a member', plain, []],
    ['a Guard admin', guardAdmin, []],
    ['an engineer', engineer('requester'), []],
    ['the backend of Rovo', backend(null, 'jira', 'rovo'), ['ROVO_BACKEND']],
    ['the backend of Rovo of the organization', backend('organization', 'rovo'), ['ROVO_BACKEND']],
    ['the backend of Rovo of another organization', backend('other-organization', 'rovo'), []],
    ['the backend of another product', backend(null, 'jira'), []],
    ['a program that evaluates nothing', { ...service(null, 'TICKETING'), evaluatedProducts: ['rovo'] }, []],
  ])('%s', (_, viewer, expected) => {
    const found = relationsToDeletion(viewer, deletion);
    expect(relations.filter((one) => found.has(one))).toEqual(expected);
    expect(seesDeletion(found)).toBe(expected.length > 0);
  });
});

describe('to the platform', () => {
  test.each<[string, Viewer, Relation[]]>([
    ['an operator', operator(), ['OPERATOR']],
    ['an engineer', engineer(), ['SUPPORT_ENGINEER']],
    [
      'a service account',
      service('organization', 'TICKETING', 'AUDIT_READING'),
      ['AUDIT_READING', 'TICKETING'],
    ],
    ['a user without roles', plain, ['MEMBER']],
    ['an organization admin', organizationAdmin, ['MEMBER', 'ROLE_HOLDER', 'ORGANIZATION_ADMIN']],
    ['a product admin', productAdmin, ['MEMBER', 'ROLE_HOLDER']],
    ['a Guard admin of a site', guardAdmin, ['MEMBER', 'ROLE_HOLDER', 'GUARD_ADMIN']],
    ['a Guard admin who is not synced', unsyncedGuard, ['MEMBER', 'UNSYNCED_ROLE_HOLDER']],
  ])('%s', (_, viewer, expected) => {
    expect(sorted(relationsToPlatform(viewer))).toEqual(only(...expected));
  });
});

describe('to an organization', () => {
  test.each<[string, Viewer, Relation[]]>([
    ['an operator', operator(), ['OPERATOR']],
    ['an engineer', engineer(), ['SUPPORT_ENGINEER']],
    ['a service account of the vendor', service(null, 'GRANT_WATCHING'), ['GRANT_WATCHING']],
    ['a service account bound to it', service('organization', 'TICKETING'), ['TICKETING']],
    ['a service account bound to another', service('elsewhere', 'TICKETING'), []],
    ['a member without roles', plain, ['MEMBER']],
    ['its admin', organizationAdmin, ['MEMBER', 'ROLE_HOLDER', 'ORGANIZATION_ADMIN']],
    ['its admin who is not synced', unsyncedAdmin, ['MEMBER', 'UNSYNCED_ROLE_HOLDER']],
    [
      'a member of whose roles one is not synced',
      user('x', assignment('SITE_ADMIN', 'THIS_SITE'), unsynced),
      ['MEMBER', 'ROLE_HOLDER', 'UNSYNCED_ROLE_HOLDER'],
    ],
    [
      'a member whose role is elsewhere',
      user('x', assignment('SITE_ADMIN', 'THIS_SITE', { organizationId: 'elsewhere' })),
      ['MEMBER'],
    ],
    ['a former member whose role is left', former, []],
  ])('%s', (_, viewer, expected) => {
    expect(sorted(relationsToOrganization(viewer, 'organization'))).toEqual(only(...expected));
  });
});

describe('to a site', () => {
  test.each<[string, Viewer, typeof site, Relation[]]>([
    ['its Guard admin', guardAdmin, site, ['MEMBER', 'ROLE_HOLDER', 'GUARD_ADMIN']],
    ['the Guard admin of another site', guardAdmin, otherSite, ['MEMBER', 'ROLE_HOLDER']],
    ['its Guard admin who is not synced', unsyncedGuard, site, ['MEMBER', 'UNSYNCED_ROLE_HOLDER']],
    ['a former member who was Guard admin', former, site, []],
    ['an engineer', engineer(), site, ['SUPPORT_ENGINEER']],
  ])('%s', (_, viewer, where, expected) => {
    expect(sorted(relationsToSite(viewer, where))).toEqual(only(...expected));
  });
});

describe('to an account', () => {
  const account = { id: 'plain', organizationIds: ['elsewhere', 'organization'] };

  test.each<[string, Viewer, Relation[]]>([
    ['an operator', operator(), ['OPERATOR']],
    ['itself', plain, ['MEMBER', 'SELF']],
    ['a member of one of its organizations', user('other'), ['MEMBER']],
    [
      'an admin of one of its organizations',
      organizationAdmin,
      ['MEMBER', 'ROLE_HOLDER', 'ORGANIZATION_ADMIN'],
    ],
    ['somebody with no organization in common', former, []],
  ])('%s', (_, viewer, expected) => {
    expect(sorted(relationsToAccount(viewer, account))).toEqual(only(...expected));
  });

  test('that is in no organization: an operator', () => {
    expect(sorted(relationsToAccount(operator(), { id: 'x', organizationIds: [] }))).toEqual(
      only('OPERATOR'),
    );
    expect(sorted(relationsToAccount(plain, { id: 'x', organizationIds: [] }))).toEqual(only());
  });
});

describe('to a ticket', () => {
  const ticket = { reporterId: 'reporter', assigneeId: 'engineer' };

  test.each<[string, Viewer, Relation[], string?]>([
    ['the assigned engineer', engineer(), ['SUPPORT_ENGINEER', 'ASSIGNED_ENGINEER']],
    ['another engineer', engineer('other'), ['SUPPORT_ENGINEER']],
    ['the reporter', user('reporter'), ['MEMBER', 'REPORTER']],
    ['the reporter who left', { ...former, id: 'reporter' }, []],
    ['a member', plain, ['MEMBER']],
    ['who approved the grant', plain, ['MEMBER', 'APPROVER'], 'plain'],
    ['who approved no grant', plain, ['MEMBER'], 'somebody'],
    ['a product admin', productAdmin, ['MEMBER', 'ROLE_HOLDER', 'GRANTOR']],
    ['a Guard admin', guardAdmin, ['MEMBER', 'ROLE_HOLDER', 'GUARD_ADMIN']],
    [
      'an organization admin who is not synced',
      unsyncedAdmin,
      ['MEMBER', 'UNSYNCED_ROLE_HOLDER', 'UNSYNCED_GRANTOR'],
    ],
    ['a Guard admin who is not synced', unsyncedGuard, ['MEMBER', 'UNSYNCED_ROLE_HOLDER']],
    [
      'an admin of another product who is not synced',
      user('x', assignment('PRODUCT_ADMIN', 'OTHER_PRODUCT', { syncState: 'PENDING_SYNC' })),
      ['MEMBER', 'UNSYNCED_ROLE_HOLDER'],
    ],
    [
      'a product admin of whose roles one is not synced',
      user('x', assignment('PRODUCT_ADMIN', 'THIS_PRODUCT'), unsynced),
      ['MEMBER', 'ROLE_HOLDER', 'UNSYNCED_ROLE_HOLDER', 'GRANTOR'],
    ],
    ['an account with an engineer’s id that is none', service(null), []],
  ])('%s', (_, viewer, expected, approverId) => {
    expect(sorted(relationsToTicket(viewer, ticket, place(), approverId))).toEqual(only(...expected));
  });

  test('only an engineer can be the assigned engineer of a ticket, and only a user its reporter', () => {
    expect(sorted(relationsToTicket(user('engineer'), ticket, place()))).toEqual(only('MEMBER'));
    const filed = { reporterId: 'engineer', assigneeId: null };
    expect(sorted(relationsToTicket(engineer(), filed, place(), 'engineer'))).toEqual(
      only('SUPPORT_ENGINEER'),
    );
  });

  test('a service account without capabilities has none', () => {
    expect(sorted(relationsToTicket(bystander, ticket, place()))).toEqual(only());
  });
});

describe('who sees', () => {
  const every = [
    ...(['SIGNED_IN', 'SELF', 'OPERATOR', 'TICKETING', 'GRANT_WATCHING', 'AUDIT_READING'] as const),
    ...(['COMPLIANCE_ANALYST'] as const),
    ...(['SUPPORT_ENGINEER', 'ASSIGNED_ENGINEER', 'MEMBER', 'ROLE_HOLDER', 'ORGANIZATION_ADMIN'] as const),
    ...(['GUARD_ADMIN', 'REPORTER', 'GRANTOR', 'APPROVER'] as const),
    ...(['UNSYNCED_ROLE_HOLDER', 'UNSYNCED_GRANTOR'] as const),
  ] satisfies Relation[];

  test.each([
    {
      what: 'a ticket',
      sees: seesTicket,
      by: [
        ...['OPERATOR', 'TICKETING', 'GRANT_WATCHING', 'ASSIGNED_ENGINEER'],
        ...['ROLE_HOLDER', 'REPORTER', 'APPROVER', 'UNSYNCED_GRANTOR'],
      ],
    },
    {
      what: 'the grants of a ticket',
      sees: seesGrants,
      by: [
        ...['OPERATOR', 'TICKETING', 'GRANT_WATCHING', 'ASSIGNED_ENGINEER'],
        ...['ROLE_HOLDER', 'REPORTER', 'APPROVER'],
      ],
    },
    { what: 'the grantors of a ticket', sees: seesGrantors, by: ['OPERATOR', 'MEMBER'] },
    {
      what: 'an organization',
      sees: seesOrganization,
      by: ['OPERATOR', 'TICKETING', 'GRANT_WATCHING', 'AUDIT_READING', 'COMPLIANCE_ANALYST', 'MEMBER'],
    },
    { what: 'an event of a ticketing system', sees: seesInboundTicketEvent, by: ['SELF', 'OPERATOR'] },
    { what: 'an account', sees: seesAccount, by: ['SELF', 'OPERATOR', 'ROLE_HOLDER'] },
  ])('$what: any one of these relations, beside others', ({ sees, by }) => {
    expect(every.filter((relation) => sees(new Set(['SIGNED_IN', relation]))).toSorted()).toEqual(
      by.toSorted(),
    );
  });

  test('not the grantors: a member who sees the ticket only because of a role that is not synced', () => {
    const relations: Relation[] = ['MEMBER', 'UNSYNCED_ROLE_HOLDER', 'UNSYNCED_GRANTOR'];
    expect(seesGrantors(new Set(relations))).toBe(false);
    for (const other of ['ROLE_HOLDER', 'REPORTER', 'APPROVER'] as const)
      expect(seesGrantors(new Set([...relations, other])), other).toBe(true);
  });
});
