/** How much one account, or the people of one organization, may write and be sent: so that nobody fills the database or a mailbox. */

/** The name of each quota and its default, which ordinary use does not reach. */
export const defaultQuotas = {
  /** The tickets of one user that are not closed. */
  openTicketsOfUser: 500,
  /** The tickets of one user, whoever files them; then the user waits, and a ticketing system does not. */
  ticketsOfUserPerHour: 100,
  /** The tickets on the sites of one organization, whoever files them; then its users wait. */
  ticketsOfOrganizationPerHour: 5_000,
  /** The requests for access on the tickets of one engineer that await a decision. */
  openRequestsOfEngineer: 1_000,
  /** The requests for access that one engineer makes. */
  requestsOfEngineerPerHour: 200,
  /** The single mails of one kind to one person; then they come in a digest. */
  mailsOfKindToPersonPerHour: 30,
  /** The same to all the people of one organization together. */
  mailsOfKindToOrganizationPerHour: 3_000,
  /** The invitations of one organization that wait to be accepted. */
  waitingInvitationsOfOrganization: 1_000,
  /** The invitations that the admins of one organization send. */
  invitationsOfOrganizationPerHour: 200,
} as const satisfies Record<string, number>;

export type QuotaName = keyof typeof defaultQuotas;
export type Quotas = Readonly<Record<QuotaName, number>>;

export function isQuotaName(name: string): name is QuotaName {
  return Object.hasOwn(defaultQuotas, name);
}
