/**
 * Who may do what, as a table: a row for every query, mutation and subscription, a column for every person.
 * The tests next to it compare every cell with a running gateway.
 *
 *   yes   succeeds; for reads: the object is returned; for subscriptions: the event is delivered, and for `auditEvents`,
 *         which shows what `auditLog` does: it starts
 *   -     NOT_FOUND; for reads: null, or a list without the object; for subscriptions: no event
 *   no    FORBIDDEN
 *   why   NOT_ELIGIBLE, with the obstacles in `whoMayGrant`
 *   401   UNAUTHENTICATED
 *
 * All rows are about Acme: unless a row says otherwise, about its main site (Centralized) and a ticket about Jira
 * there, with `reporter` as its reporter and `engineer` as its engineer.
 */

/** People outside Acme and outside the vendor. */
export const outsiders = {
  anonymous: 'sends no token',
  stranger: 'has a valid token, and no account',
  deactivated: "was Acme's organization admin until the account was deactivated",
  former: "was Acme's organization admin until they left Acme",
  globexAdmin: "the other customer's organization admin and Guard admin, each",
  globexOther: "everybody else of the other customer's, whatever their role, each",
  globexProg: 'a program bound to the other customer, with every capability there is',
};

/** Acme's people, by the role they hold and over what. */
export const people = {
  member: 'belongs to Acme, holds no role, has filed nothing',
  reporter: 'has filed the ticket, holds no role',
  approver:
    'has given the approval and requested the deletion that are in question, and holds no role any more',
  orgAdmin: 'organization admin',
  userAdmin: 'user access admin of the main site',
  siteAdmin: 'site admin of another site, which is Original',
  jiraAdmin: 'product admin of Jira on the main site',
  confAdmin: 'product admin of Confluence on the main site: the wrong product',
  jiraElse: 'product admin of Jira on another site, which is restricted: the wrong site',
  trusted: 'trusted user of Jira on another site, which is Original',
  billing: 'billing admin, listed for Jira on the main site',
  contact: 'technical contact, listed for Confluence on the main site',
  auditor: 'auditor of Acme',
};

/** Acme's Guard admins, and its people whose role does not count yet. */
export const guardsAndUnsynced = {
  guard: 'Guard admin of all of Acme',
  siteGuard: 'Guard admin of the main site',
  guardElse: 'Guard admin of another site, which is restricted',
  unsynced: 'product admin of Jira on the main site, through SCIM, not synced',
  unsyncOrg: 'organization admin, through SCIM, not synced',
  unsyncGrd: 'Guard admin, through SCIM, not synced',
};

/** The vendor's people and service accounts, and Acme's service accounts. */
export const vendor = {
  engineer: 'the engineer who works on the ticket',
  otherEng: 'another engineer, who has no ticket of Acme',
  operator: 'operator of the platform',
  ticketing: "the vendor's ticketing system",
  watching: 'a product backend of the vendor, which watches grants',
  auditing: 'a SIEM of the vendor, which reads the audit log',
  analyst: 'a compliance analyst of the vendor',
  acmeTickt: 'a ticketing system bound to Acme',
  acmeWatch: 'a product backend bound to Acme',
  acmeAudit: 'a SIEM bound to Acme',
};

export const tables = {
  outsiders: `
                             | anonymous stranger deactivated former globexAdmin globexOther globexProg
viewer                       | 401       no       no          yes    yes         yes         yes
node: Ticket                 | 401       no       no          -      -           -           -
node: Grant                  | 401       no       no          -      -           -           -
node: SupportSession         | 401       no       no          -      -           -           -
node: ChangeRequest          | 401       no       no          -      -           -           -
node: Organization           | 401       no       no          -      -           -           -
node: Site                   | 401       no       no          -      -           -           -
node: Product                | 401       no       no          -      -           -           -
node: User                   | 401       no       no          -      -           -           -
node: RoleAssignment         | 401       no       no          -      -           -           -
node: AuditEntry             | 401       no       no          -      -           -           -
node: ProposedChange         | 401       no       no          -      -           -           -
node: InboundTicketEvent     | 401       no       no          -      -           -           -
node: TimelineItem           | 401       no       no          -      -           -           -
node: RovoDataDeletion       | 401       no       no          -      -           -           -
node: Invitation             | 401       no       no          -      -           -           -
node: AuditStream            | 401       no       no          -      -           -           -
node: SupportEngineer        | 401       no       no          -      -           -           yes
node: Operator               | 401       no       no          -      -           -           -
node: ServiceAccount         | 401       no       no          -      -           -           -
nodes                        | 401       no       no          -      -           -           -
organizations                | 401       no       no          -      -           -           -
site                         | 401       no       no          -      -           -           -
sites                        | 401       no       no          -      -           -           -
product                      | 401       no       no          -      -           -           -
ticket                       | 401       no       no          -      -           -           -
tickets                      | 401       no       no          -      -           -           -
grants                       | 401       no       no          -      -           -           -
supportSessions              | 401       no       no          -      -           -           -
changeRequests               | 401       no       no          -      -           -           -
roleAssignments              | 401       no       no          no     -           -           no
account                      | 401       no       no          no     -           -           -
account: of an engineer      | 401       no       no          no     -           -           yes
accounts                     | 401       no       no          no     -           -           no
inboundTicketEvents          | 401       no       no          no     no          no          -
rovoDataDeletions            | 401       no       no          no     -           -           no
auditLog                     | 401       no       no          no     -           no          -
auditLog: of the vendor      | 401       no       no          no     -           no          -
auditLog: of the engineer    | 401       no       no          no     -           no          -
auditSummary                 | 401       no       no          no     -           no          -
auditSummary: of the vendor  | 401       no       no          no     -           no          -
auditSummary: of the engineer | 401       no       no          no     -           no          -

grantEvents                  | 401       no       no          no     -           -           -
sessionEvents                | 401       no       no          no     -           -           -
changeRequestEvents          | 401       no       no          no     -           -           -
auditEvents                  | 401       no       no          no     yes         no          yes

createTicket                 | 401       no       no          -      -           -           -
assignTicket                 | 401       no       no          -      -           -           -
updateTicketStatus           | 401       no       no          -      -           -           -
updateTicket                 | 401       no       no          -      -           -           -
closeTicket                  | 401       no       no          -      -           -           -
reopenTicket                 | 401       no       no          -      -           -           -
replayInboundTicketEvent     | 401       no       no          -      -           -           -

requestDataAccess            | 401       no       no          -      -           -           -
withdrawDataAccessRequest    | 401       no       no          -      -           -           -
releaseDataAccess            | 401       no       no          -      -           -           -
startSupportSession          | 401       no       no          -      -           -           -
endSupportSession            | 401       no       no          -      -           -           -
approveDataAccess            | 401       no       no          -      -           -           -
approveDataAccess: by grant  | 401       no       no          -      -           -           -
approveDataAccessInBulk      | 401       no       no          -      -           -           -
denyDataAccess               | 401       no       no          -      -           -           -
denyDataAccessInBulk         | 401       no       no          -      -           -           -
revokeDataAccess             | 401       no       no          -      -           -           -
revokeDataAccess: takes back | 401       no       no          -      -           -           -
revokeDataAccessInBulk       | 401       no       no          -      -           -           -
approveGuardRequest          | 401       no       no          -      -           -           -
approveGuardRequestInBulk    | 401       no       no          -      -           -           -
denyGuardRequest             | 401       no       no          -      -           -           -
denyGuardRequestInBulk       | 401       no       no          -      -           -           -

requestChange                | 401       no       no          -      -           -           -
withdrawChangeRequest        | 401       no       no          -      -           -           -
recordChangeResult           | 401       no       no          -      -           -           -
consentToChange              | 401       no       no          -      -           -           -
refuseChange                 | 401       no       no          -      -           -           -
revokeChangeConsent          | 401       no       no          -      -           -           -

setSupportAccessRestrictions | 401       no       no          -      -           -           -
setSupportAccessPolicy       | 401       no       no          -      -           -           -
deactivateSite               | 401       no       no          -      -           -           -
reactivateSite               | 401       no       no          -      -           -           -
assignRole                   | 401       no       no          -      -           -           -
removeRole                   | 401       no       no          -      -           -           -
triggerScimSync              | 401       no       no          -      -           -           -
confirmProposedChange        | 401       no       no          -      -           -           -
declineProposedChange        | 401       no       no          -      -           -           -
withdrawProposedChange       | 401       no       no          -      -           -           -
requestRovoDataDeletion      | 401       no       no          -      -           -           -
withdrawRovoDataDeletion     | 401       no       no          -      -           -           -
recordRovoDataDeletion       | 401       no       no          -      -           -           -

setAuditRetention            | 401       no       no          -      -           -           -
createAuditStream            | 401       no       no          -      -           -           -
updateAuditStream            | 401       no       no          -      -           -           -
rotateAuditStreamSecret      | 401       no       no          -      -           -           -
pauseAuditStream             | 401       no       no          -      -           -           -
resumeAuditStream            | 401       no       no          -      -           -           -
replayAuditStream            | 401       no       no          -      -           -           -
testAuditStream              | 401       no       no          -      -           -           -
deleteAuditStream            | 401       no       no          -      -           -           -

createOrganization           | 401       no       no          no     no          no          no
setOrganizationGuard         | 401       no       no          -      -           -           -
createSite                   | 401       no       no          -      -           -           -
licenseProduct               | 401       no       no          -      -           -           -
unlicenseProduct             | 401       no       no          -      -           -           -
addUser                      | 401       no       no          -      -           -           -
inviteUser                   | 401       no       no          -      -           -           -
withdrawInvitation           | 401       no       no          -      -           -           -
acceptInvitation             | 401       no       no          yes    -           -           -
removeUser                   | 401       no       no          -      -           -           -
addSupportEngineer           | 401       no       no          no     no          no          no
addOperator                  | 401       no       no          no     no          no          no
addComplianceAnalyst         | 401       no       no          no     no          no          no
addServiceAccount            | 401       no       no          no     no          no          no
deactivateAccount            | 401       no       no          -      -           -           -
reactivateAccount            | 401       no       no          -      -           -           -
`,

  people: `
                             | member reporter approver orgAdmin userAdmin siteAdmin jiraAdmin confAdmin jiraElse trusted billing contact auditor
viewer                       | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: Ticket                 | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: Grant                  | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: SupportSession         | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: ChangeRequest          | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: Organization           | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: Site                   | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: Product                | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: User                   | -      -        -        yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: RoleAssignment         | -      -        -        yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: AuditEntry             | -      -        -        yes      -         -         -         -         -        -       -       -       yes
node: ProposedChange         | -      -        -        yes      -         -         -         -         -        -       -       -       -
node: InboundTicketEvent     | -      -        -        -        -         -         -         -         -        -       -       -       -
node: TimelineItem           | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
node: RovoDataDeletion       | -      -        yes      yes      -         -         -         -         -        -       -       -       -
node: Invitation             | -      -        -        yes      -         -         -         -         -        -       -       -       -
node: AuditStream            | -      -        -        yes      -         -         -         -         -        -       -       -       yes
node: SupportEngineer        | -      -        -        -        -         -         -         -         -        -       -       -       -
node: Operator               | -      -        -        -        -         -         -         -         -        -       -       -       -
node: ServiceAccount         | -      -        -        -        -         -         -         -         -        -       -       -       -
nodes                        | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
organizations                | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
site                         | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
sites                        | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
product                      | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
ticket                       | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
tickets                      | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
grants                       | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
supportSessions              | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
changeRequests               | -      yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
roleAssignments              | -      -        -        yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
account                      | -      -        -        yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
account: of an engineer      | -      -        -        -        -         -         -         -         -        -       -       -       -
accounts                     | -      -        -        yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
inboundTicketEvents          | no     no       no       no       no        no        no        no        no       no      no      no      no
rovoDataDeletions            | -      -        yes      yes      -         -         -         -         -        -       -       -       -
auditLog                     | no     no       no       yes      no        no        no        no        no       no      no      no      yes
auditLog: of the vendor      | no     no       no       -        no        no        no        no        no       no      no      no      -
auditLog: of the engineer    | no     no       no       yes      no        no        no        no        no       no      no      no      yes
auditSummary                 | no     no       no       yes      no        no        no        no        no       no      no      no      yes
auditSummary: of the vendor  | no     no       no       -        no        no        no        no        no       no      no      no      -
auditSummary: of the engineer | no     no       no       yes      no        no        no        no        no       no      no      no      yes

grantEvents                  | -      yes      -        yes      yes       -         yes       yes       -        -       yes     yes     yes
sessionEvents                | -      yes      -        yes      yes       -         yes       yes       -        -       yes     yes     yes
changeRequestEvents          | -      yes      -        yes      yes       -         yes       yes       -        -       yes     yes     yes
auditEvents                  | no     no       no       yes      no        no        no        no        no       no      no      no      yes

createTicket                 | yes    yes      yes      yes      yes       yes       yes       yes       yes      yes     yes     yes     yes
assignTicket                 | -      no       -        no       no        no        no        no        no       no      no      no      no
updateTicketStatus           | -      no       -        no       no        no        no        no        no       no      no      no      no
updateTicket                 | -      no       -        no       no        no        no        no        no       no      no      no      no
closeTicket                  | -      yes      -        no       no        no        no        no        no       no      no      no      no
reopenTicket                 | -      yes      -        no       no        no        no        no        no       no      no      no      no
replayInboundTicketEvent     | -      -        -        -        -         -         -         -         -        -       -       -       -

requestDataAccess            | -      no       -        no       no        no        no        no        no       no      no      no      no
withdrawDataAccessRequest    | -      no       -        no       no        no        no        no        no       no      no      no      no
releaseDataAccess            | -      no       no       no       no        no        no        no        no       no      no      no      no
startSupportSession          | -      no       no       no       no        no        no        no        no       no      no      no      no
endSupportSession            | -      no       no       no       no        no        no        no        no       no      no      no      no
approveDataAccess            | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
approveDataAccess: by grant  | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
approveDataAccessInBulk      | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
denyDataAccess               | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
denyDataAccessInBulk         | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
revokeDataAccess             | -      yes      yes      yes      yes       why       yes       why       why      why     yes     why     why
revokeDataAccess: takes back | -      yes      yes      yes      yes       why       yes       why       why      why     yes     why     why
revokeDataAccessInBulk       | -      yes      yes      yes      yes       why       yes       why       why      why     yes     why     why
approveGuardRequest          | -      no       no       no       no        no        no        no        no       no      no      no      no
approveGuardRequestInBulk    | -      no       no       no       no        no        no        no        no       no      no      no      no
denyGuardRequest             | -      no       no       no       no        no        no        no        no       no      no      no      no
denyGuardRequestInBulk       | -      no       no       no       no        no        no        no        no       no      no      no      no

requestChange                | -      no       -        no       no        no        no        no        no       no      no      no      no
withdrawChangeRequest        | -      no       -        no       no        no        no        no        no       no      no      no      no
recordChangeResult           | -      no       no       no       no        no        no        no        no       no      no      no      no
consentToChange              | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
refuseChange                 | -      why      -        yes      yes       why       yes       why       why      why     yes     why     why
revokeChangeConsent          | -      yes      yes      yes      yes       why       yes       why       why      why     yes     why     why

setSupportAccessRestrictions | no     no       no       yes      no        no        no        no        no       no      no      no      no
setSupportAccessPolicy       | no     no       no       yes      no        no        no        no        no       no      no      no      no
deactivateSite               | no     no       no       yes      no        no        no        no        no       no      no      no      no
reactivateSite               | no     no       no       yes      no        no        no        no        no       no      no      no      no
assignRole                   | no     no       no       yes      no        no        no        no        no       no      no      no      no
removeRole                   | -      -        -        yes      no        no        no        no        no       no      no      no      no
triggerScimSync              | no     no       no       yes      yes       yes       yes       yes       yes      yes     yes     yes     no
confirmProposedChange        | -      -        -        no       -         -         -         -         -        -       -       -       -
declineProposedChange        | -      -        -        no       -         -         -         -         -        -       -       -       -
withdrawProposedChange       | -      -        -        yes      -         -         -         -         -        -       -       -       -
requestRovoDataDeletion      | no     no       no       yes      no        no        no        no        no       no      no      no      no
withdrawRovoDataDeletion     | -      -        yes      yes      -         -         -         -         -        -       -       -       -
recordRovoDataDeletion       | -      -        no       no       -         -         -         -         -        -       -       -       -

setAuditRetention            | no     no       no       yes      no        no        no        no        no       no      no      no      no
createAuditStream            | no     no       no       yes      no        no        no        no        no       no      no      no      no
updateAuditStream            | -      -        -        yes      -         -         -         -         -        -       -       -       no
rotateAuditStreamSecret      | -      -        -        yes      -         -         -         -         -        -       -       -       no
pauseAuditStream             | -      -        -        yes      -         -         -         -         -        -       -       -       no
resumeAuditStream            | -      -        -        yes      -         -         -         -         -        -       -       -       no
replayAuditStream            | -      -        -        yes      -         -         -         -         -        -       -       -       no
testAuditStream              | -      -        -        yes      -         -         -         -         -        -       -       -       no
deleteAuditStream            | -      -        -        yes      -         -         -         -         -        -       -       -       no

createOrganization           | no     no       no       no       no        no        no        no        no       no      no      no      no
setOrganizationGuard         | no     no       no       no       no        no        no        no        no       no      no      no      no
createSite                   | no     no       no       no       no        no        no        no        no       no      no      no      no
licenseProduct               | no     no       no       no       no        no        no        no        no       no      no      no      no
unlicenseProduct             | no     no       no       no       no        no        no        no        no       no      no      no      no
addUser                      | no     no       no       no       no        no        no        no        no       no      no      no      no
inviteUser                   | no     no       no       yes      no        no        no        no        no       no      no      no      no
withdrawInvitation           | -      -        -        yes      -         -         -         -         -        -       -       -       -
acceptInvitation             | -      -        -        no       -         -         -         -         -        -       -       -       -
removeUser                   | no     no       no       yes      no        no        no        no        no       no      no      no      no
addSupportEngineer           | no     no       no       no       no        no        no        no        no       no      no      no      no
addOperator                  | no     no       no       no       no        no        no        no        no       no      no      no      no
addComplianceAnalyst         | no     no       no       no       no        no        no        no        no       no      no      no      no
addServiceAccount            | no     no       no       no       no        no        no        no        no       no      no      no      no
deactivateAccount            | -      -        -        no       no        no        no        no        no       no      no      no      no
reactivateAccount            | -      -        -        no       no        no        no        no        no       no      no      no      no
`,

  guardsAndUnsynced: `
                             | guard siteGuard guardElse unsynced unsyncOrg unsyncGrd
viewer                       | yes   yes       yes       yes      yes       yes
node: Ticket                 | yes   yes       yes       yes      yes       -
node: Grant                  | yes   yes       yes       -        -         -
node: SupportSession         | yes   yes       yes       -        -         -
node: ChangeRequest          | yes   yes       yes       -        -         -
node: Organization           | yes   yes       yes       yes      yes       yes
node: Site                   | yes   yes       yes       yes      yes       yes
node: Product                | yes   yes       yes       yes      yes       yes
node: User                   | yes   yes       yes       -        -         -
node: RoleAssignment         | yes   yes       yes       -        -         -
node: AuditEntry             | yes   yes       -         -        -         -
node: ProposedChange         | yes   yes       yes       -        -         -
node: InboundTicketEvent     | -     -         -         -        -         -
node: TimelineItem           | yes   yes       yes       -        -         -
node: RovoDataDeletion       | -     -         -         -        -         -
node: Invitation             | -     -         -         -        -         -
node: AuditStream            | yes   -         -         -        -         -
node: SupportEngineer        | -     -         -         -        -         -
node: Operator               | -     -         -         -        -         -
node: ServiceAccount         | -     -         -         -        -         -
nodes                        | yes   yes       yes       -        -         -
organizations                | yes   yes       yes       yes      yes       yes
site                         | yes   yes       yes       yes      yes       yes
sites                        | yes   yes       yes       yes      yes       yes
product                      | yes   yes       yes       yes      yes       yes
ticket                       | yes   yes       yes       yes      yes       -
tickets                      | yes   yes       yes       yes      yes       -
grants                       | yes   yes       yes       -        -         -
supportSessions              | yes   yes       yes       -        -         -
changeRequests               | yes   yes       yes       -        -         -
roleAssignments              | yes   yes       yes       -        -         -
account                      | yes   yes       yes       -        -         -
account: of an engineer      | -     -         -         -        -         -
accounts                     | yes   yes       yes       -        -         -
inboundTicketEvents          | no    no        no        no       no        no
rovoDataDeletions            | -     -         -         -        -         -
auditLog                     | yes   yes       -         no       no        no
auditLog: of the vendor      | -     -         -         no       no        no
auditLog: of the engineer    | yes   yes       -         no       no        no
auditSummary                 | yes   yes       -         no       no        no
auditSummary: of the vendor  | -     -         -         no       no        no
auditSummary: of the engineer | yes   yes       -         no       no        no

grantEvents                  | yes   yes       -         -        -         -
sessionEvents                | yes   yes       -         -        -         -
changeRequestEvents          | yes   yes       -         -        -         -
auditEvents                  | yes   yes       yes       no       no        no

createTicket                 | yes   yes       yes       yes      yes       yes
assignTicket                 | no    no        no        no       no        -
updateTicketStatus           | no    no        no        no       no        -
updateTicket                 | no    no        no        no       no        -
closeTicket                  | no    no        no        no       no        -
reopenTicket                 | no    no        no        no       no        -
replayInboundTicketEvent     | -     -         -         -        -         -

requestDataAccess            | no    no        no        no       no        -
withdrawDataAccessRequest    | no    no        no        no       no        -
releaseDataAccess            | no    no        no        no       no        -
startSupportSession          | no    no        no        no       no        -
endSupportSession            | no    no        no        -        -         -
approveDataAccess            | why   why       why       why      why       -
approveDataAccess: by grant  | why   why       why       why      why       -
approveDataAccessInBulk      | why   why       why       why      why       -
denyDataAccess               | why   why       why       why      why       -
denyDataAccessInBulk         | why   why       why       why      why       -
revokeDataAccess             | yes   yes       why       why      why       -
revokeDataAccess: takes back | yes   yes       why       why      why       -
revokeDataAccessInBulk       | yes   yes       why       why      why       -
approveGuardRequest          | yes   yes       no        no       no        -
approveGuardRequestInBulk    | yes   yes       no        no       no        -
denyGuardRequest             | yes   yes       no        no       no        -
denyGuardRequestInBulk       | yes   yes       no        no       no        -

requestChange                | no    no        no        no       no        -
withdrawChangeRequest        | no    no        no        no       no        -
recordChangeResult           | no    no        no        no       no        -
consentToChange              | why   why       why       why      why       -
refuseChange                 | why   why       why       why      why       -
revokeChangeConsent          | yes   yes       why       why      why       -

setSupportAccessRestrictions | yes   yes       no        no       no        no
setSupportAccessPolicy       | no    no        no        no       no        no
deactivateSite               | no    no        no        no       no        no
reactivateSite               | no    no        no        no       no        no
assignRole                   | no    no        no        no       no        no
removeRole                   | no    no        no        -        -         -
triggerScimSync              | yes   yes       yes       yes      yes       yes
confirmProposedChange        | yes   yes       no        -        -         -
declineProposedChange        | yes   yes       no        -        -         -
withdrawProposedChange       | no    no        no        -        -         -
requestRovoDataDeletion      | no    no        no        no       no        no
withdrawRovoDataDeletion     | -     -         -         -        -         -
recordRovoDataDeletion       | -     -         -         -        -         -

setAuditRetention            | no    no        no        no       no        no
createAuditStream            | yes   no        no        no       no        no
updateAuditStream            | yes   -         -         -        -         -
rotateAuditStreamSecret      | yes   -         -         -        -         -
pauseAuditStream             | yes   -         -         -        -         -
resumeAuditStream            | yes   -         -         -        -         -
replayAuditStream            | yes   -         -         -        -         -
testAuditStream              | yes   -         -         -        -         -
deleteAuditStream            | yes   -         -         -        -         -

createOrganization           | no    no        no        no       no        no
setOrganizationGuard         | no    no        no        no       no        no
createSite                   | no    no        no        no       no        no
licenseProduct               | no    no        no        no       no        no
unlicenseProduct             | no    no        no        no       no        no
addUser                      | no    no        no        no       no        no
inviteUser                   | no    no        no        no       no        no
withdrawInvitation           | -     -         -         -        -         -
acceptInvitation             | -     -         -         -        -         -
removeUser                   | no    no        no        no       no        no
addSupportEngineer           | no    no        no        no       no        no
addOperator                  | no    no        no        no       no        no
addComplianceAnalyst         | no    no        no        no       no        no
addServiceAccount            | no    no        no        no       no        no
deactivateAccount            | no    no        no        -        -         -
reactivateAccount            | no    no        no        -        -         -
`,

  vendor: `
                             | engineer otherEng operator ticketing watching auditing analyst  acmeTickt acmeWatch acmeAudit
viewer                       | yes      yes      yes      yes       yes      yes      yes      yes       yes       yes
node: Ticket                 | yes      -        yes      yes       yes      -        -        yes       yes       -
node: Grant                  | yes      -        yes      yes       yes      -        -        yes       yes       -
node: SupportSession         | yes      -        yes      -         yes      -        -        -         yes       -
node: ChangeRequest          | yes      -        yes      yes       yes      -        -        yes       yes       -
node: Organization           | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
node: Site                   | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
node: Product                | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
node: User                   | -        -        yes      yes       -        yes      yes      yes       -         yes
node: RoleAssignment         | -        -        yes      -         -        -        -        -         -         -
node: AuditEntry             | -        -        yes      -         -        yes      yes      -         -         yes
node: ProposedChange         | -        -        -        -         -        -        -        -         -         -
node: InboundTicketEvent     | -        -        yes      -         -        -        -        yes       -         -
node: TimelineItem           | yes      -        yes      yes       yes      -        -        yes       yes       -
node: RovoDataDeletion       | -        -        yes      -         -        -        -        -         -         -
node: Invitation             | -        -        yes      -         -        -        -        -         -         -
node: AuditStream            | -        -        -        -         -        -        -        -         -         -
node: SupportEngineer        | -        -        yes      yes       -        -        -        yes       -         -
node: Operator               | -        -        yes      -         -        -        -        -         -         -
node: ServiceAccount         | -        -        yes      -         -        -        -        -         -         -
nodes                        | yes      -        yes      yes       yes      -        -        yes       yes       -
organizations                | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
site                         | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
sites                        | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
product                      | yes      -        yes      yes       yes      yes      yes      yes       yes       yes
ticket                       | yes      -        yes      yes       yes      -        -        yes       yes       -
tickets                      | yes      -        yes      yes       yes      -        -        yes       yes       -
grants                       | yes      -        yes      yes       yes      -        -        yes       yes       -
supportSessions              | yes      -        yes      -         yes      -        -        -         yes       -
changeRequests               | yes      -        yes      yes       yes      -        -        yes       yes       -
roleAssignments              | no       no       yes      no        no       no       no       no        no        no
account                      | no       no       yes      yes       -        yes      yes      yes       -         yes
account: of an engineer      | no       no       yes      yes       yes      yes      yes      yes       yes       yes
accounts                     | no       no       yes      no        no       no       no       no        no        no
inboundTicketEvents          | no       no       yes      -         no       no       no       yes       no        no
rovoDataDeletions            | no       no       yes      no        no       no       no       no        no        no
auditLog                     | -        -        yes      no        no       yes      yes      no        no        yes
auditLog: of the vendor      | -        -        yes      no        no       yes      yes      no        no        -
auditLog: of the engineer    | yes      -        yes      no        no       yes      yes      no        no        yes
auditSummary                 | -        -        yes      no        no       yes      yes      no        no        yes
auditSummary: of the vendor  | -        -        yes      no        no       yes      yes      no        no        -
auditSummary: of the engineer | yes      -        yes      no        no       yes      yes      no        no        yes

grantEvents                  | yes      -        no       no        yes      no       no       no        yes       no
sessionEvents                | yes      -        no       no        yes      no       no       no        yes       no
changeRequestEvents          | yes      -        no       no        yes      no       no       no        yes       no
auditEvents                  | yes      yes      yes      no        no       yes      yes      no        no        yes

createTicket                 | -        -        no       yes       no       no       no       yes       no        no
assignTicket                 | no       -        yes      yes       no       -        -        yes       no        -
updateTicketStatus           | yes      -        no       yes       no       -        -        yes       no        -
updateTicket                 | yes      -        no       yes       no       -        -        yes       no        -
closeTicket                  | yes      -        no       yes       no       -        -        yes       no        -
reopenTicket                 | yes      -        no       yes       no       -        -        yes       no        -
replayInboundTicketEvent     | -        -        yes      -         -        -        -        yes       -         -

requestDataAccess            | yes      -        no       no        no       -        -        no        no        -
withdrawDataAccessRequest    | yes      -        no       no        no       -        -        no        no        -
releaseDataAccess            | yes      -        no       no        no       -        -        no        no        -
startSupportSession          | yes      -        no       no        no       -        -        no        no        -
endSupportSession            | yes      -        no       -         no       -        -        -         no        -
approveDataAccess            | no       -        no       no        no       -        -        no        no        -
approveDataAccess: by grant  | no       -        no       no        no       -        -        no        no        -
approveDataAccessInBulk      | no       -        no       no        no       -        -        no        no        -
denyDataAccess               | no       -        no       no        no       -        -        no        no        -
denyDataAccessInBulk         | no       -        no       no        no       -        -        no        no        -
revokeDataAccess             | no       -        no       no        no       -        -        no        no        -
revokeDataAccess: takes back | no       -        no       no        no       -        -        no        no        -
revokeDataAccessInBulk       | no       -        no       no        no       -        -        no        no        -
approveGuardRequest          | no       -        no       no        no       -        -        no        no        -
approveGuardRequestInBulk    | no       -        no       no        no       -        -        no        no        -
denyGuardRequest             | no       -        no       no        no       -        -        no        no        -
denyGuardRequestInBulk       | no       -        no       no        no       -        -        no        no        -

requestChange                | yes      -        no       no        no       -        -        no        no        -
withdrawChangeRequest        | yes      -        no       no        no       -        -        no        no        -
recordChangeResult           | yes      -        no       no        no       -        -        no        no        -
consentToChange              | no       -        no       no        no       -        -        no        no        -
refuseChange                 | no       -        no       no        no       -        -        no        no        -
revokeChangeConsent          | no       -        no       no        no       -        -        no        no        -

setSupportAccessRestrictions | -        -        no       no        no       no       no       no        no        no
setSupportAccessPolicy       | -        -        no       no        no       no       no       no        no        no
deactivateSite               | -        -        yes      no        no       no       no       no        no        no
reactivateSite               | -        -        yes      no        no       no       no       no        no        no
assignRole                   | -        -        yes      no        no       no       no       no        no        no
removeRole                   | -        -        yes      -         -        -        -        -         -         -
triggerScimSync              | -        -        yes      no        no       no       no       no        no        no
confirmProposedChange        | -        -        -        -         -        -        -        -         -         -
declineProposedChange        | -        -        -        -         -        -        -        -         -         -
withdrawProposedChange       | -        -        -        -         -        -        -        -         -         -
requestRovoDataDeletion      | -        -        no       no        no       no       no       no        no        no
withdrawRovoDataDeletion     | -        -        no       -         -        -        -        -         -         -
recordRovoDataDeletion       | -        -        no       -         -        -        -        -         -         -

setAuditRetention            | -        -        no       no        no       no       no       no        no        no
createAuditStream            | -        -        no       no        no       no       no       no        no        no
updateAuditStream            | -        -        -        -         -        -        -        -         -         -
rotateAuditStreamSecret      | -        -        -        -         -        -        -        -         -         -
pauseAuditStream             | -        -        -        -         -        -        -        -         -         -
resumeAuditStream            | -        -        -        -         -        -        -        -         -         -
replayAuditStream            | -        -        -        -         -        -        -        -         -         -
testAuditStream              | -        -        -        -         -        -        -        -         -         -
deleteAuditStream            | -        -        -        -         -        -        -        -         -         -

createOrganization           | no       no       yes      no        no       no       no       no        no        no
setOrganizationGuard         | -        -        yes      no        no       no       no       no        no        no
createSite                   | -        -        yes      no        no       no       no       no        no        no
licenseProduct               | -        -        yes      no        no       no       no       no        no        no
unlicenseProduct             | -        -        yes      no        no       no       no       no        no        no
addUser                      | -        -        yes      no        no       no       no       no        no        no
inviteUser                   | -        -        no       no        no       no       no       no        no        no
withdrawInvitation           | -        -        yes      -         -        -        -        -         -         -
acceptInvitation             | -        -        no       -         -        -        -        -         -         -
removeUser                   | -        -        yes      no        no       no       no       no        no        no
addSupportEngineer           | no       no       yes      no        no       no       no       no        no        no
addOperator                  | no       no       yes      no        no       no       no       no        no        no
addComplianceAnalyst         | no       no       yes      no        no       no       no       no        no        no
addServiceAccount            | no       no       yes      no        no       no       no       no        no        no
deactivateAccount            | -        -        yes      -         -        -        -        -         -         -
reactivateAccount            | -        -        yes      -         -        -        -        -         -         -
`,
};

/**
 * Who may approve or deny the request of a ticket about a product on a site, and the obstacles of the others in the
 * order in which they are reported. The sites main, restricted and deactivated are Centralized.
 *
 *   PRODUCT      WRONG_PRODUCT                    SYNC    ROLE_NOT_SYNCED
 *   SITE         WRONG_SITE                       EXP     ROLE_NOT_IN_THIS_EXPERIENCE
 *   LISTING      NOT_LISTED_AS_CONTACT            NONE    NO_MATCHING_ROLE
 *   DEAD         SITE_DEACTIVATED
 */
export const whoMayGrant = `
          | main:jira main:confluence original:jira original:confluence restricted:jira deactivated:jira globex:jira
member    | -         -               -             -                   -               -                -
reporter  | NONE      NONE            NONE          NONE                NONE            DEAD+NONE        -
orgAdmin  | yes       yes             yes           yes                 yes             DEAD             -
userAdmin | yes       yes             EXP           EXP                 SITE            SITE+DEAD        -
siteAdmin | EXP       EXP             yes           yes                 EXP             DEAD+EXP         -
jiraAdmin | yes       PRODUCT         SITE          PRODUCT+SITE        SITE            SITE+DEAD        -
confAdmin | PRODUCT   yes             PRODUCT+SITE  SITE                PRODUCT+SITE    PRODUCT+SITE+DEAD -
jiraElse  | SITE      PRODUCT+SITE    SITE          PRODUCT+SITE        yes             SITE+DEAD        -
trusted   | EXP       EXP             yes           PRODUCT             EXP             DEAD+EXP         -
billing   | yes       LISTING         LISTING       LISTING             LISTING         LISTING+DEAD     -
contact   | LISTING   yes             LISTING       LISTING             LISTING         LISTING+DEAD     -
auditor   | NONE      NONE            NONE          NONE                NONE            DEAD+NONE        -
guard     | NONE      NONE            NONE          NONE                NONE            DEAD+NONE        -
siteGuard | NONE      NONE            NONE          NONE                NONE            DEAD+NONE        -
guardElse | NONE      NONE            NONE          NONE                NONE            DEAD+NONE        -
unsynced  | SYNC      -               -             -                   -               -                -
unsyncOrg | SYNC      SYNC            SYNC          SYNC                SYNC            DEAD+SYNC        -
unsyncGrd | -         -               -             -                   -               -                -
`;

export const obstacles = {
  PRODUCT: 'WRONG_PRODUCT',
  SITE: 'WRONG_SITE',
  LISTING: 'NOT_LISTED_AS_CONTACT',
  DEAD: 'SITE_DEACTIVATED',
  SYNC: 'ROLE_NOT_SYNCED',
  EXP: 'ROLE_NOT_IN_THIS_EXPERIENCE',
  NONE: 'NO_MATCHING_ROLE',
} as const;

/** Who may revoke an active grant on a site: everybody who may grant there, and some others. */
export const whoMayRevoke = `
          | main:jira main:confluence original:jira original:confluence restricted:jira globex:jira
member    | -         -               -             -                   -               -
reporter  | yes       yes             yes           yes                 yes             -
approver  | yes       yes             yes           yes                 yes             -
orgAdmin  | yes       yes             yes           yes                 yes             -
userAdmin | yes       yes             why           why                 why             -
siteAdmin | why       why             yes           yes                 why             -
jiraAdmin | yes       why             why           why                 why             -
confAdmin | why       yes             why           why                 why             -
jiraElse  | why       why             why           why                 yes             -
trusted   | why       why             yes           why                 why             -
billing   | yes       why             why           why                 why             -
contact   | why       yes             why           why                 why             -
auditor   | why       why             why           why                 why             -
guard     | yes       yes             yes           yes                 yes             -
siteGuard | yes       yes             why           why                 why             -
guardElse | why       why             why           why                 yes             -
unsynced  | why       -               -             -                   -               -
unsyncOrg | why       why             why           why                 why             -
unsyncGrd | -         -               -             -                   -               -
`;

/** Who may decide as the Guard on a site. */
export const whoMayDecideForGuard = `
          | main:jira main:confluence original:jira restricted:jira globex:jira
member    | -         -               -             -               -
reporter  | no        no              no            no              -
orgAdmin  | no        no              no            no              -
jiraAdmin | no        no              no            no              -
auditor   | no        no              no            no              -
guard     | yes       yes             yes           yes             -
siteGuard | yes       yes             no            no              -
guardElse | no        no              no            yes             -
unsyncOrg | no        no              no            no              -
unsyncGrd | -         -               -             -               -
`;
