/** One grant in a list, which can be read again on its own. */
import { graphql } from 'relay-runtime';

export const row = graphql`
  fragment GrantRow_grant on Grant @refetchable(queryName: "GrantRowRefetchQuery") {
    id
    state
    version
    ticket {
      key
    }
  }
`;
