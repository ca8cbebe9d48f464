/** An audit log page beside a page of one grant that its entries are about. */
import { graphql } from 'relay-runtime';

export const grantPage = graphql`
  query AuditPageGrantQuery($id: ID!) {
    node(id: $id) {
      __typename
      ... on Grant @alias(as: "grant") {
        id
        state
        ticket {
          key
        }
      }
    }
  }
`;

export const auditPage = graphql`
  query AuditPageQuery($grantId: ID!) {
    auditLog(filter: { grantId: $grantId }, first: 20) {
      edges {
        node {
          id
          action
          resource {
            type
            node {
              id
            }
          }
        }
      }
    }
  }
`;
