/**
 * Who may do what: every operation of the API in one table. What no row allows is denied.
 *
 * A row lists relations; any one of them is enough. For a mutation they are relations to what the mutation
 * names, checked by commands/decide-command.ts. For a query or subscription they allow the operation as such;
 * visibility.ts says which rows it returns. What is asked by `evaluateAccess` is answered by access/.
 */

export type Relation =
  /** Any active account. */
  | 'SIGNED_IN'
  /** The account itself, where the operation names an account, a role that it holds, or an event that it has sent. */
  | 'SELF'
  /** The vendor's platform operator: provisions everything, decides no grant. */
  | 'OPERATOR'
  /** The vendor's person who reads the audit logs of everybody, and does nothing else. */
  | 'COMPLIANCE_ANALYST'
  /** A service account of the ticketing system, for the organizations it serves. */
  | 'TICKETING'
  /** A service account that watches grants: a product backend. */
  | 'GRANT_WATCHING'
  /** A service account that reads the audit log: a SIEM. */
  | 'AUDIT_READING'
  /** A service account that asks about support actions: a product's backend. */
  | 'ACCESS_EVALUATION'
  | 'SUPPORT_ENGINEER'
  /** The engineer the ticket is assigned to. */
  | 'ASSIGNED_ENGINEER'
  /** The engineer whose support session it is, as long as the ticket is assigned to them. */
  | 'SESSION_ENGINEER'
  /** A user who belongs to the organization. */
  | 'MEMBER'
  /** A member who holds a role in the organization that counts, other than auditor. May see tickets and grants, not decide on them. */
  | 'ROLE_HOLDER'
  /** A member who is an auditor of the organization: sees what role holders see and the audit log, and decides nothing. */
  | 'AUDITOR'
  /** A member who holds a role in the organization that is not synced yet, so it does not count; other than auditor. */
  | 'UNSYNCED_ROLE_HOLDER'
  | 'ORGANIZATION_ADMIN'
  /** Guard admin of the site or its organization. */
  | 'GUARD_ADMIN'
  /** Who filed the ticket. */
  | 'REPORTER'
  /** May grant for the ticket's product on its site: roles/eligibility.ts. */
  | 'GRANTOR'
  /** Could grant if their role was synced. May see the ticket, and with it what they lack; nothing else. */
  | 'UNSYNCED_GRANTOR'
  /** Who gave the customer's approval of this grant, or the consent to this change. */
  | 'APPROVER'
  /** Who proposed this change. */
  | 'PROPOSER'
  /** May confirm this proposed change, or decline it. */
  | 'CONFIRMER'
  /** A user whose address this invitation names. */
  | 'INVITEE'
  /** Who requested this deletion of Rovo's data. */
  | 'DELETION_REQUESTER'
  /** The service account of the backend of Rovo, which deletes the data. */
  | 'ROVO_BACKEND';

/** `http`: a request of a protocol of its own, outside GraphQL. */
type Row = { kind: 'query' | 'mutation' | 'subscription' | 'http'; may: readonly Relation[] };

/** Who reads logs. Support engineers read what they did themselves, and no log. */
const readersOfLogs = [
  'OPERATOR',
  'COMPLIANCE_ANALYST',
  'AUDIT_READING',
  'ORGANIZATION_ADMIN',
  'GUARD_ADMIN',
  'AUDITOR',
] as const satisfies Relation[];

export const operations = {
  viewer: { kind: 'query', may: ['SIGNED_IN'] },
  node: { kind: 'query', may: ['SIGNED_IN'] },
  nodes: { kind: 'query', may: ['SIGNED_IN'] },
  organizations: { kind: 'query', may: ['SIGNED_IN'] },
  site: { kind: 'query', may: ['SIGNED_IN'] },
  sites: { kind: 'query', may: ['SIGNED_IN'] },
  ticket: { kind: 'query', may: ['SIGNED_IN'] },
  tickets: { kind: 'query', may: ['SIGNED_IN'] },
  grants: { kind: 'query', may: ['SIGNED_IN'] },
  supportSessions: { kind: 'query', may: ['SIGNED_IN'] },
  changeRequests: { kind: 'query', may: ['SIGNED_IN'] },
  roleAssignments: { kind: 'query', may: ['OPERATOR', 'MEMBER'] },
  product: { kind: 'query', may: ['SIGNED_IN'] },
  account: {
    kind: 'query',
    may: ['OPERATOR', 'MEMBER', 'TICKETING', 'GRANT_WATCHING', 'AUDIT_READING', 'COMPLIANCE_ANALYST'],
  },
  accounts: { kind: 'query', may: ['OPERATOR', 'MEMBER'] },
  inboundTicketEvents: { kind: 'query', may: ['OPERATOR', 'TICKETING'] },
  rovoDataDeletions: { kind: 'query', may: ['OPERATOR', 'MEMBER', 'ACCESS_EVALUATION'] },
  auditLog: { kind: 'query', may: [...readersOfLogs, 'SUPPORT_ENGINEER'] },
  auditSummary: { kind: 'query', may: [...readersOfLogs, 'SUPPORT_ENGINEER'] },

  grantEvents: { kind: 'subscription', may: ['SUPPORT_ENGINEER', 'MEMBER', 'GRANT_WATCHING'] },
  sessionEvents: { kind: 'subscription', may: ['SUPPORT_ENGINEER', 'MEMBER', 'GRANT_WATCHING'] },
  changeRequestEvents: { kind: 'subscription', may: ['SUPPORT_ENGINEER', 'MEMBER', 'GRANT_WATCHING'] },
  auditEvents: { kind: 'subscription', may: [...readersOfLogs, 'SUPPORT_ENGINEER'] },

  evaluateAccess: { kind: 'http', may: ['ACCESS_EVALUATION'] },
  streamAuditLog: { kind: 'http', may: readersOfLogs },
  proveAuditLog: { kind: 'http', may: readersOfLogs },

  createTicket: { kind: 'mutation', may: ['MEMBER', 'TICKETING'] },
  assignTicket: { kind: 'mutation', may: ['TICKETING', 'OPERATOR'] },
  updateTicketStatus: { kind: 'mutation', may: ['TICKETING', 'ASSIGNED_ENGINEER'] },
  updateTicket: { kind: 'mutation', may: ['TICKETING', 'ASSIGNED_ENGINEER'] },
  closeTicket: { kind: 'mutation', may: ['REPORTER', 'TICKETING', 'ASSIGNED_ENGINEER'] },
  reopenTicket: { kind: 'mutation', may: ['REPORTER', 'TICKETING', 'ASSIGNED_ENGINEER'] },
  replayInboundTicketEvent: { kind: 'mutation', may: ['OPERATOR', 'TICKETING'] },

  requestDataAccess: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  withdrawDataAccessRequest: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  releaseDataAccess: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  approveDataAccess: { kind: 'mutation', may: ['GRANTOR'] },
  approveDataAccessInBulk: { kind: 'mutation', may: ['GRANTOR'] },
  denyDataAccess: { kind: 'mutation', may: ['GRANTOR'] },
  denyDataAccessInBulk: { kind: 'mutation', may: ['GRANTOR'] },
  revokeDataAccess: { kind: 'mutation', may: ['GRANTOR', 'APPROVER', 'REPORTER', 'GUARD_ADMIN'] },
  revokeDataAccessInBulk: { kind: 'mutation', may: ['GRANTOR', 'APPROVER', 'REPORTER', 'GUARD_ADMIN'] },
  approveGuardRequest: { kind: 'mutation', may: ['GUARD_ADMIN'] },
  approveGuardRequestInBulk: { kind: 'mutation', may: ['GUARD_ADMIN'] },
  denyGuardRequest: { kind: 'mutation', may: ['GUARD_ADMIN'] },
  denyGuardRequestInBulk: { kind: 'mutation', may: ['GUARD_ADMIN'] },

  startSupportSession: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  endSupportSession: { kind: 'mutation', may: ['SESSION_ENGINEER'] },

  requestChange: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  withdrawChangeRequest: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  recordChangeResult: { kind: 'mutation', may: ['ASSIGNED_ENGINEER'] },
  consentToChange: { kind: 'mutation', may: ['GRANTOR'] },
  refuseChange: { kind: 'mutation', may: ['GRANTOR'] },
  revokeChangeConsent: { kind: 'mutation', may: ['GRANTOR', 'APPROVER', 'REPORTER', 'GUARD_ADMIN'] },

  setSupportAccessRestrictions: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  setSupportAccessPolicy: { kind: 'mutation', may: ['ORGANIZATION_ADMIN'] },
  deactivateSite: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  reactivateSite: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  assignRole: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  removeRole: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  triggerScimSync: { kind: 'mutation', may: ['OPERATOR', 'ROLE_HOLDER', 'UNSYNCED_ROLE_HOLDER'] },
  confirmProposedChange: { kind: 'mutation', may: ['CONFIRMER'] },
  declineProposedChange: { kind: 'mutation', may: ['CONFIRMER'] },
  withdrawProposedChange: { kind: 'mutation', may: ['PROPOSER', 'ORGANIZATION_ADMIN'] },

  requestRovoDataDeletion: { kind: 'mutation', may: ['ORGANIZATION_ADMIN'] },
  withdrawRovoDataDeletion: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'DELETION_REQUESTER'] },
  recordRovoDataDeletion: { kind: 'mutation', may: ['ROVO_BACKEND'] },

  setAuditRetention: { kind: 'mutation', may: ['ORGANIZATION_ADMIN'] },
  createAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  updateAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  rotateAuditStreamSecret: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  pauseAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  resumeAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  replayAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  testAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },
  deleteAuditStream: { kind: 'mutation', may: ['ORGANIZATION_ADMIN', 'GUARD_ADMIN'] },

  createOrganization: { kind: 'mutation', may: ['OPERATOR'] },
  setOrganizationGuard: { kind: 'mutation', may: ['OPERATOR'] },
  createSite: { kind: 'mutation', may: ['OPERATOR'] },
  licenseProduct: { kind: 'mutation', may: ['OPERATOR'] },
  unlicenseProduct: { kind: 'mutation', may: ['OPERATOR'] },
  addUser: { kind: 'mutation', may: ['OPERATOR'] },
  inviteUser: { kind: 'mutation', may: ['ORGANIZATION_ADMIN'] },
  withdrawInvitation: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  acceptInvitation: { kind: 'mutation', may: ['INVITEE'] },
  removeUser: { kind: 'mutation', may: ['OPERATOR', 'ORGANIZATION_ADMIN'] },
  addSupportEngineer: { kind: 'mutation', may: ['OPERATOR'] },
  addOperator: { kind: 'mutation', may: ['OPERATOR'] },
  addComplianceAnalyst: { kind: 'mutation', may: ['OPERATOR'] },
  addServiceAccount: { kind: 'mutation', may: ['OPERATOR'] },
  deactivateAccount: { kind: 'mutation', may: ['OPERATOR'] },
  reactivateAccount: { kind: 'mutation', may: ['OPERATOR'] },
} as const satisfies Record<string, Row>;

export type OperationName = keyof typeof operations;
export type MutationName = {
  [Name in OperationName]: (typeof operations)[Name]['kind'] extends 'mutation' ? Name : never;
}[OperationName];

/** Whether somebody in these relations may run the operation. */
export function may(operation: OperationName, relations: ReadonlySet<Relation>): boolean {
  return operations[operation].may.some((relation) => relations.has(relation));
}
