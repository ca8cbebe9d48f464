/** A page with the requests that wait for the customer, and what can be done to them. */
import { graphql } from 'relay-runtime';

export const page = graphql`
  query OutstandingRequestsQuery($count: Int!) {
    ...OutstandingRequests_query @arguments(count: $count)
  }
`;

export const list = graphql`
  fragment OutstandingRequests_query on Query
  @refetchable(queryName: "OutstandingRequestsPageQuery")
  @argumentDefinitions(count: { type: "Int!" }, cursor: { type: "String" }) {
    grants(filter: { states: [PENDING_APPROVAL] }, first: $count, after: $cursor)
      @connection(key: "OutstandingRequests_grants")
      @required(action: THROW) {
      __id
      edges {
        node {
          id
          ...GrantRow_grant
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

export const deny = graphql`
  mutation OutstandingRequestsDenyMutation($input: DenyDataAccessInput!, $connections: [ID!]!) {
    denyDataAccess(input: $input) {
      ... on Grant @alias(as: "grant") {
        id @deleteEdge(connections: $connections)
        state
        version
      }
      ... on Error @alias(as: "refusal") {
        code
        message
      }
    }
  }
`;

export const revokeAll = graphql`
  mutation OutstandingRequestsRevokeAllMutation($input: RevokeDataAccessInBulkInput!) {
    revokeDataAccessInBulk(input: $input) {
      ... on BulkPayload @alias(as: "payload") {
        results {
          grantId
          result {
            ... on Grant @alias(as: "grant") {
              id
              state
            }
            ... on Error @alias(as: "refusal") {
              code
              message
            }
          }
        }
      }
      ... on Error @alias(as: "refusal") {
        code
        message
      }
    }
  }
`;

export const request = graphql`
  mutation OutstandingRequestsRequestMutation($input: RequestDataAccessInput!, $connections: [ID!]!) {
    requestDataAccess(input: $input) @prependNode(connections: $connections, edgeTypeName: "GrantEdge") {
      ... on Grant @alias(as: "grant") {
        id
        state
        ...GrantRow_grant
      }
      ... on Error @alias(as: "refusal") {
        code
        message
      }
    }
  }
`;

export const watch = graphql`
  subscription OutstandingRequestsSubscription(
    $filter: GrantEventFilter
    $after: String
    $withCurrentState: Boolean!
  ) {
    grantEvents(filter: $filter, after: $after, withCurrentState: $withCurrentState) {
      id
      cursor
      type
      grant {
        id
        state
        version
      }
    }
  }
`;
