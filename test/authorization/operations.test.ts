/** The authorization table by relation: the operations that each relation allows. */
import { describe, expect, test } from 'vitest';
import { may, type OperationName, operations, type Relation } from '../../src/authorization/operations.ts';

const provisioning = [
  ...[
    'addComplianceAnalyst',
    'addOperator',
    'addServiceAccount',
    'addSupportEngineer',
    'addUser',
    'createOrganization',
  ],
  ...['createSite', 'deactivateAccount', 'licenseProduct', 'reactivateAccount'],
  ...['setOrganizationGuard', 'unlicenseProduct'],
];
const customerAdministration = [
  'assignRole',
  'deactivateSite',
  'reactivateSite',
  'removeRole',
  'removeUser',
  'withdrawInvitation',
];
const revoking = ['revokeChangeConsent', 'revokeDataAccess', 'revokeDataAccessInBulk'];
const streaming = [
  ...['createAuditStream', 'deleteAuditStream', 'pauseAuditStream', 'replayAuditStream', 'resumeAuditStream'],
  ...['rotateAuditStreamSecret', 'testAuditStream', 'updateAuditStream'],
];
const ticketing = ['closeTicket', 'reopenTicket', 'updateTicket', 'updateTicketStatus'];

const opened: Record<Relation, readonly string[]> = {
  SIGNED_IN: [
    ...['changeRequests', 'grants', 'node', 'nodes', 'organizations', 'site', 'sites', 'supportSessions'],
    ...['product', 'ticket', 'tickets'],
    'viewer',
  ],
  SELF: [],
  OPERATOR: [
    ...[
      'account',
      'accounts',
      'auditEvents',
      'auditLog',
      'auditSummary',
      'streamAuditLog',
      'proveAuditLog',
      'roleAssignments',
      'rovoDataDeletions',
      'assignTicket',
    ],
    ...['triggerScimSync', 'inboundTicketEvents', 'replayInboundTicketEvent'],
    ...provisioning,
    ...customerAdministration,
  ],
  TICKETING: [
    ...['account', 'assignTicket', 'createTicket', 'inboundTicketEvents', 'replayInboundTicketEvent'],
    ...ticketing,
  ],
  GRANT_WATCHING: ['account', 'grantEvents', 'sessionEvents', 'changeRequestEvents'],
  AUDIT_READING: ['account', 'auditEvents', 'auditLog', 'auditSummary', 'streamAuditLog', 'proveAuditLog'],
  COMPLIANCE_ANALYST: [
    ...['account', 'auditEvents', 'auditLog', 'auditSummary', 'streamAuditLog', 'proveAuditLog'],
  ],
  ACCESS_EVALUATION: ['evaluateAccess', 'rovoDataDeletions'],
  SUPPORT_ENGINEER: [
    'auditEvents',
    'auditLog',
    'auditSummary',
    'grantEvents',
    'sessionEvents',
    'changeRequestEvents',
  ],
  ASSIGNED_ENGINEER: [
    ...['releaseDataAccess', 'requestDataAccess', 'startSupportSession', 'withdrawDataAccessRequest'],
    ...['recordChangeResult', 'requestChange', 'withdrawChangeRequest'],
    ...ticketing,
  ],
  SESSION_ENGINEER: ['endSupportSession'],
  MEMBER: [
    ...['account', 'accounts', 'createTicket', 'grantEvents', 'roleAssignments', 'rovoDataDeletions'],
    ...['sessionEvents', 'changeRequestEvents'],
  ],
  ROLE_HOLDER: ['triggerScimSync'],
  AUDITOR: ['auditEvents', 'auditLog', 'auditSummary', 'streamAuditLog', 'proveAuditLog'],
  UNSYNCED_ROLE_HOLDER: ['triggerScimSync'],
  UNSYNCED_GRANTOR: [],
  ORGANIZATION_ADMIN: [
    ...[
      'auditEvents',
      'auditLog',
      'auditSummary',
      'streamAuditLog',
      'proveAuditLog',
      'setAuditRetention',
      'setSupportAccessPolicy',
      'setSupportAccessRestrictions',
      'withdrawProposedChange',
    ],
    ...['requestRovoDataDeletion', 'withdrawRovoDataDeletion', 'inviteUser'],
    ...streaming,
    ...customerAdministration,
  ],
  GUARD_ADMIN: [
    ...['approveGuardRequest', 'approveGuardRequestInBulk', 'denyGuardRequest', 'denyGuardRequestInBulk'],
    ...[
      'auditEvents',
      'auditLog',
      'auditSummary',
      'streamAuditLog',
      'proveAuditLog',
      'setSupportAccessRestrictions',
    ],
    ...streaming,
    ...revoking,
  ],
  REPORTER: ['closeTicket', 'reopenTicket', ...revoking],
  GRANTOR: [
    ...['approveDataAccess', 'approveDataAccessInBulk', 'denyDataAccess', 'denyDataAccessInBulk'],
    ...revoking,
    ...['consentToChange', 'refuseChange'],
  ],
  APPROVER: revoking,
  PROPOSER: ['withdrawProposedChange'],
  CONFIRMER: ['confirmProposedChange', 'declineProposedChange'],
  INVITEE: ['acceptInvitation'],
  DELETION_REQUESTER: ['withdrawRovoDataDeletion'],
  ROVO_BACKEND: ['recordRovoDataDeletion'],
};

const names = Object.keys(operations) as OperationName[];

describe.each(Object.entries(opened) as [Relation, string[]][])('%s', (relation, expected) => {
  test('allows exactly these operations', () => {
    expect(names.filter((name) => may(name, new Set([relation]))).toSorted()).toEqual(expected.toSorted());
  });
});

test('without a relation nothing is allowed, and one sufficient relation is enough', () => {
  expect(names.filter((name) => may(name, new Set()))).toEqual([]);
  expect(may('closeTicket', new Set(['SIGNED_IN', 'REPORTER']))).toBe(true);
});

test('the queries, the subscription and what is outside GraphQL are exactly these', () => {
  const kinds = Object.groupBy(names, (name) => operations[name].kind);
  expect(kinds.subscription).toEqual(['grantEvents', 'sessionEvents', 'changeRequestEvents', 'auditEvents']);
  expect(kinds.http).toEqual(['evaluateAccess', 'streamAuditLog', 'proveAuditLog']);
  expect(kinds.query?.toSorted()).toEqual(
    [
      ...opened.SIGNED_IN,
      ...[
        'account',
        'accounts',
        'auditLog',
        'auditSummary',
        'inboundTicketEvents',
        'roleAssignments',
        'rovoDataDeletions',
      ],
    ].toSorted(),
  );
});
