/** Why an evaluation was answered with no: a stable code and a sentence. docs/access.md explains each. */

/** In the order in which they are looked for. */
const sentences = {
  INVALID_QUESTION: 'The question is not valid.',
  UNKNOWN_ACTION: 'There is no such support action.',
  WRONG_RESOURCE_TYPE: 'This action is not about resources of this type.',
  ASKER_OF_OTHER_PRODUCT: 'The asking service account may not ask about this product.',
  ENGINEER_NOT_FOUND: 'There is no such support engineer.',
  ENGINEER_DEACTIVATED: 'The engineer is deactivated.',
  SITE_NOT_FOUND: 'There is no such site.',
  SITE_DEACTIVATED: 'The site is deactivated.',
  TICKET_NOT_FOUND: 'There is no such ticket.',
  SESSION_NOT_FOUND: 'There is no such support session.',
  OTHER_SITE: 'The ticket is about another site.',
  OTHER_PRODUCT: 'The ticket is about another product.',
  PRODUCT_NOT_LICENSED: 'The product is not licensed on this site.',
  TICKET_CLOSED: 'The ticket is closed.',
  NOT_ASSIGNED: 'The ticket is not assigned to the engineer.',
  NO_OPEN_SESSION: 'The engineer has no open support session on the ticket.',
  SESSION_OF_OTHER_ENGINEER: 'The support session is not that of the engineer.',
  GRANT_NOT_ACTIVE: 'The grant of the support session is not active.',
  GRANT_EXPIRED: 'The grant of the support session has run out of time.',
  SESSION_ENDED: 'The support session has ended.',
  SESSION_TIMED_OUT: 'The support session has run out of time.',
  PRODUCT_DATA_GRANT_NEEDED: 'This action needs a support session under a grant of the data of the product.',
  ROVO_GRANT_NEEDED: 'Rovo conversations need a support session under a grant of their own.',
  CONVERSATION_NOT_NAMED: 'The grant does not name this Rovo conversation.',
  COUNTRY_NOT_ALLOWED: 'The engineer may not act on the site from this country.',
  REGION_NOT_ALLOWED: 'The data of the site may not be processed in this region.',
  EXPORT_OUTSIDE_BOUNDARY: 'The data of the site may not be exported to this region.',
  CHANGE_NOT_FOUND: 'The ticket has no such change request.',
  CHANGE_OF_OTHER_RESOURCE: 'The change request is about another resource.',
  CHANGE_ALREADY_ALLOWED: 'The change was allowed already. It is allowed once.',
  CHANGE_NOT_CONSENTED: 'The customer has not consented to the change.',
  CHANGE_EXPIRED: 'The time of the change request is over.',
} as const;

export type ReasonCode = keyof typeof sentences;

export const reasonCodes = Object.keys(sentences) as ReasonCode[];

export function sentenceOf(code: ReasonCode): string {
  return sentences[code];
}
