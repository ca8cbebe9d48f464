/** The authorization table, seen from the other side: what each relation opens. */
import { describe, expect, test } from 'vitest';
import { may, type OperationName, operations, type Relation } from '../../src/authorization/operations.ts';

const provisioning = [
  ...['addOperator', 'addServiceAccount', 'addSupportEngineer', 'addUser', 'createOrganization'],
  ...['createSite', 'deactivateAccount', 'licenseProduct', 'reactivateAccount', 'removeUser'],
  'unlicenseProduct',
];
const customerAdministration = ['assignRole', 'deactivateSite', 'reactivateSite', 'removeRole'];
const revoking = ['revokeDataAccess', 'revokeDataAccessInBulk'];
const ticketing = ['closeTicket', 'reopenTicket', 'updateTicketStatus'];

const opened: Record<Relation, readonly string[]> = {
  SIGNED_IN: [
    ...['grants', 'node', 'nodes', 'organizations', 'site', 'sites', 'ticket', 'tickets', 'viewer'],
  ],
  SELF: [],
  OPERATOR: [
    ...['accounts', 'auditLog', 'roleAssignments', 'assignTicket', 'triggerScimSync'],
    ...provisioning,
    ...customerAdministration,
  ],
  TICKETING: ['assignTicket', 'createTicket', ...ticketing],
  GRANT_WATCHING: ['grantEvents'],
  AUDIT_READING: ['auditLog'],
  SUPPORT_ENGINEER: ['grantEvents'],
  ASSIGNED_ENGINEER: [
    ...['releaseDataAccess', 'requestDataAccess', 'withdrawDataAccessRequest'],
    ...ticketing,
  ],
  MEMBER: ['accounts', 'createTicket', 'grantEvents', 'roleAssignments'],
  ROLE_HOLDER: ['triggerScimSync'],
  ORGANIZATION_ADMIN: [
    ...['auditLog', 'setSupportAccessPolicy', 'setSupportAccessRestrictions'],
    ...customerAdministration,
  ],
  GUARD_ADMIN: [
    ...['approveGuardRequest', 'auditLog', 'denyGuardRequest', 'setSupportAccessRestrictions'],
    ...revoking,
  ],
  REPORTER: ['closeTicket', 'reopenTicket', ...revoking],
  GRANTOR: ['approveDataAccess', 'approveDataAccessInBulk', 'denyDataAccess', ...revoking],
  APPROVER: revoking,
};

const names = Object.keys(operations) as OperationName[];

describe.each(Object.entries(opened) as [Relation, string[]][])('%s', (relation, expected) => {
  test('opens exactly these operations', () => {
    expect(names.filter((name) => may(name, new Set([relation]))).toSorted()).toEqual(expected.toSorted());
  });
});

test('nobody without a relation may do anything, and one relation that suffices is enough', () => {
  expect(names.filter((name) => may(name, new Set()))).toEqual([]);
  expect(may('closeTicket', new Set(['SIGNED_IN', 'REPORTER']))).toBe(true);
});

test('an operation that changes nothing is a query or a subscription', () => {
  const kinds = Object.groupBy(names, (name) => operations[name].kind);
  expect(kinds.subscription).toEqual(['grantEvents']);
  expect(kinds.query?.toSorted()).toEqual(
    [...opened.SIGNED_IN, 'accounts', 'auditLog', 'roleAssignments'].toSorted(),
  );
});
