/** The part of Latchkey's schema that the benchmark selects. */
export const peerSchema = `
  type Query {
    ready: Boolean!
  }

  type Subscription {
    grantEvents: GrantEvent!
  }

  type GrantEvent {
    id: ID!
    cursor: String!
    type: GrantEventType!
    occurredAt: String!
    grant: Grant!
  }

  type Grant {
    id: ID!
    state: GrantState!
    version: Int!
    endReason: GrantEndReason
    expiresAt: String
  }

  enum GrantEventType { REQUESTED AWAITING_GUARD WAIT_SHORTENED APPROVAL_LAPSED ACTIVATED DENIED WITHDRAWN EXPIRED REVOKED ENDED REASSIGNED }
  enum GrantState { PENDING_APPROVAL PENDING_GUARD_APPROVAL ACTIVE DENIED WITHDRAWN EXPIRED REVOKED ENDED }
  enum GrantEndReason { REVOKED_BY_CUSTOMER TICKET_CLOSED TIME_ELAPSED RELEASED_BY_ENGINEER }
`;
