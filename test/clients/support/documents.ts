/** Documents that the pages of Apollo Client's and urql's tests are made of. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';

type NoVariables = Record<string, never>;

/** Two parts of one page, which select different fields of the viewer. */
export const viewerKind: TypedDocumentNode<{ viewer: { id: string; kind: string } }, NoVariables> = parse(`
  query ViewerKind {
    viewer {
      id
      kind
    }
  }
`);
export const viewerName: TypedDocumentNode<
  { viewer: { id: string; account: { id: string; name: string } } },
  NoVariables
> = parse(`
  query ViewerName {
    viewer {
      id
      account {
        id
        name
      }
    }
  }
`);

/** A page with a list that only some may read. */
export const startPage: TypedDocumentNode<
  { viewer: { id: string; kind: string }; auditLog: { edges: { node: { id: string } }[] } | null },
  NoVariables
> = parse(`
  query StartPage {
    viewer {
      id
      kind
    }
    auditLog(first: 1) {
      edges {
        node {
          id
        }
      }
    }
  }
`);

type Eligibility<Part> = TypedDocumentNode<
  { ticket: { id: string; accessEligibility: Part } | null },
  { key: string }
>;

/** Two parts of one page, which select different fields of a ticket's eligibility. */
export const eligibilityAllowed: Eligibility<{ allowed: boolean }> = parse(`
  query EligibilityAllowed($key: String!) {
    ticket(key: $key) {
      id
      accessEligibility {
        allowed
      }
    }
  }
`);
export const eligibilityObstacles: Eligibility<{ obstacles: { code: string }[] }> = parse(`
  query EligibilityObstacles($key: String!) {
    ticket(key: $key) {
      id
      accessEligibility {
        obstacles {
          code
        }
      }
    }
  }
`);

/** Every event that the viewer may receive, after the current state. */
export const grantEvents = `
  subscription AllGrantEvents($after: String, $withCurrentState: Boolean! = true) {
    grantEvents(after: $after, withCurrentState: $withCurrentState) {
      id
      cursor
      type
      grant {
        id
        state
        version
      }
      openGrants
    }
  }
`;
