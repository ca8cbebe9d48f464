/** An audit log page beside a page of one grant that its entries are about, and beside a page of the viewer. */
import { graphql } from 'relay-runtime';

export const grantPage = graphql`
  query AuditPageGrantQuery($id: ID!) {
    node(id: $id) {
      __typename
      ... on Grant @alias(as: "grant") {
        id
        state
        ticket {
          id
          key
        }
      }
    }
  }
`;

export const auditPage = graphql`
  query AuditPageQuery($grantId: ID!) {
    viewer {
      id
      account {
        id
        name
      }
    }
    auditLog(filter: { grantId: $grantId }, first: 20) @catch {
      edges {
        node {
          id
          action
          ticketKey
          resource {
            type
            name
            node {
              __typename
              id
            }
          }
        }
      }
    }
  }
`;
