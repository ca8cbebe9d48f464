/** What react-relay's hooks do, without React: the tests read and write as components would. */
import {
  commitMutation,
  createOperationDescriptor,
  type Environment,
  fetchQuery,
  type GraphQLTaggedNode,
  getFragment,
  getPaginationMetadata,
  getPaginationVariables,
  getRefetchMetadata,
  getRequest,
  getSingularSelector,
  type MutationParameters,
  type OperationType,
} from 'relay-runtime';

/** `useLazyLoadQuery`: fetches the query and keeps its data in the store. */
export async function load<Q extends OperationType>(
  environment: Environment,
  query: GraphQLTaggedNode,
  variables: Q['variables'],
): Promise<Q['response']> {
  environment.retain(createOperationDescriptor(getRequest(query), variables));
  const data = await fetchQuery<Q>(environment, query, variables).toPromise();
  if (data === undefined) throw new Error('The query ended without data');
  return data;
}

/** `useFragment`: what the store has for the fragment now. */
export function read<Key extends { readonly ' $data'?: unknown }>(
  environment: Environment,
  fragment: GraphQLTaggedNode,
  key: Key,
): NonNullable<Key[' $data']> {
  const selector = getSingularSelector(getFragment(fragment), key);
  if (selector === null || selector === undefined) throw new Error('The key does not hold this fragment');
  return environment.lookup(selector).data as NonNullable<Key[' $data']>;
}

/** `usePaginationFragment`'s `loadNext`. */
export async function loadNext(
  environment: Environment,
  fragment: GraphQLTaggedNode,
  count: number,
  cursor: string | null | undefined,
  variables: Record<string, unknown>,
): Promise<void> {
  const { paginationRequest, paginationMetadata } = getPaginationMetadata(getFragment(fragment), 'loadNext');
  await load(
    environment,
    paginationRequest,
    getPaginationVariables('forward', count, cursor, variables, {}, paginationMetadata),
  );
}

/** `useRefetchableFragment`'s `refetch`, for a fragment on something with an id. */
export async function refetch(
  environment: Environment,
  fragment: GraphQLTaggedNode,
  id: string,
): Promise<void> {
  const { refetchableRequest, identifierInfo } = getRefetchMetadata(getFragment(fragment), 'refetch');
  await load(environment, refetchableRequest, { [identifierInfo?.identifierQueryVariableName ?? 'id']: id });
}

/** `useMutation`. */
export function mutate<M extends MutationParameters>(
  environment: Environment,
  mutation: GraphQLTaggedNode,
  variables: M['variables'],
): Promise<M['response']> {
  return new Promise((resolve, reject) => {
    commitMutation<M>(environment, { mutation, variables, onCompleted: resolve, onError: reject });
  });
}
