import { CombinedGraphQLErrors, InMemoryCache } from '@apollo/client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import {
  DenyDataAccessDocument,
  GrantEventsDocument,
  type GrantState,
  GrantsDocument,
  ViewerDocument,
} from '../../../schema/generated/operations.ts';
import { done, fileTicket } from '../../support/world.ts';
import { createSockets } from '../subscriptions/graphql-ws.ts';
import {
  eligibilityAllowed,
  eligibilityObstacles,
  startPage,
  viewerKind,
  viewerName,
} from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { expectNothingLost, type Received, shortWait, typesOf } from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';
import { createApolloClient } from './client.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

const pending = { states: ['PENDING_APPROVAL'] satisfies GrantState[] };

describe('a refused mutation', () => {
  const refusedDenial = async (cache?: InMemoryCache) => {
    const [grantId = ''] = await stage.fileRequests(1);
    await using apollo = createApolloClient(
      stage.accessOf(await stage.as('organizationAdmin')),
      cache === undefined ? {} : { cache },
    );
    const { data } = await apollo.client.mutate({
      mutation: DenyDataAccessDocument,
      variables: { input: { grantId, expectedVersion: 999 } },
      update: () => undefined,
    });
    return data?.denyDataAccess;
  };

  test('is read with its code and message', async () => {
    expect(await refusedDenial()).toMatchObject({
      __typename: 'ConflictError',
      code: 'VERSION_CONFLICT',
      message: expect.any(String),
    });
  });

  test('is read without them by a cache without the possible types', async () => {
    const said = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    expect(await refusedDenial(new InMemoryCache())).toEqual({ __typename: 'ConflictError' });
    expect(said).toHaveBeenCalled();
    said.mockRestore();
  });
});

test('a list is read page by page, and grows', async () => {
  const filed = await stage.fileRequests(5);
  await using apollo = createApolloClient(stage.accessOf(await stage.asEngineer()));
  const query = apollo.client.watchQuery({ query: GrantsDocument, variables: { filter: pending, first: 2 } });
  const subscription = query.subscribe({});
  const ids = () => query.getCurrentResult().data?.grants?.edges?.map((edge) => edge?.node?.id);
  await eventually(() => expect(ids()).toEqual(filed.slice(0, 2)));
  const { endCursor } = query.getCurrentResult().data?.grants?.pageInfo ?? {};
  await query.fetchMore({ variables: { first: 3, after: endCursor } });
  await eventually(() => expect(ids()).toEqual(filed));
  subscription.unsubscribe();
});

describe('a list after a mutation', () => {
  async function denyFirst(expectedVersion?: number) {
    const filed = await stage.fileRequests(2);
    await using apollo = createApolloClient(stage.accessOf(await stage.as('organizationAdmin')));
    const list = { query: GrantsDocument, variables: { filter: pending, first: 2 } };
    await apollo.client.query(list);
    await apollo.client.mutate({
      mutation: DenyDataAccessDocument,
      variables: { input: { grantId: filed[0] ?? '', expectedVersion } },
      update(cache, { data }) {
        const answer = data?.denyDataAccess;
        if (answer?.__typename !== 'Grant') return;
        cache.modify({
          fields: {
            grants: (grants, { readField }) => ({
              ...grants,
              edges: grants.edges.filter(
                (edge: { node: { __ref: string } }) => readField('id', edge.node) !== answer.id,
              ),
            }),
          },
        });
      },
    });
    const left = apollo.client.readQuery(list)?.grants?.edges?.map((edge) => edge?.node?.id);
    return { filed, left };
  }

  test('lost the row, where the mutation was done', async () => {
    const { filed, left } = await denyFirst();
    expect(left).toEqual(filed.slice(1));
  });

  test('is as it was, where the mutation was refused', async () => {
    const { filed, left } = await denyFirst(999);
    expect(left).toEqual(filed);
  });
});

describe('a subscription', () => {
  function watch({ client }: ReturnType<typeof createApolloClient>, ticketId?: string): Received {
    const received: Received = [];
    const filter = ticketId === undefined ? null : { ticketId };
    client
      .subscribe({ query: GrantEventsDocument, variables: { filter, withCurrentState: true } })
      .subscribe(({ data }) => data && received.push(data.grantEvents));
    return received;
  }

  test('changes the grants that are shown', async () => {
    const { ticketId, grantId } = await fileTicket(stage.gateway, stage.world);
    await using apollo = createApolloClient(stage.accessOf(await stage.asEngineer()));
    const list = { query: GrantsDocument, variables: { filter: pending, first: 1 } };
    await apollo.client.query(list);
    const received = watch(apollo, ticketId);
    await eventually(() => expect(typesOf(received)).toContain('CURRENT'));
    await done(await stage.as('organizationAdmin'), 'approveDataAccess', { grantId });
    await eventually(() => expect(typesOf(received)).toContain('ACTIVATED'));
    const shown = apollo.client.readQuery(list)?.grants?.edges?.[0]?.node;
    expect(shown).toMatchObject({ id: grantId, state: 'ACTIVE' });
  });

  test('loses no event when connections are cut and the gateway restarts', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const access = unsteady.accessOf(stage.world.services.watching);
    await using apollo = createApolloClient(access, { sockets: createSockets(access, shortWait) });
    await expectNothingLost(stage, unsteady, watch(apollo));
  });
});

test('a client of persisted queries sends whole documents once it has heard that there are none', async () => {
  const access = stage.accessOf(await stage.asEngineer());
  const sent: string[] = [];
  const countingFetch: typeof fetch = (input, init) => {
    sent.push(z.string().parse(init?.body));
    return fetch(input, init);
  };
  await using apollo = createApolloClient(access, { persistedQueries: true, fetch: countingFetch });
  const ask = () => apollo.client.query({ query: ViewerDocument, fetchPolicy: 'network-only' });
  expect((await ask()).data?.viewer.kind).toBe('SUPPORT_ENGINEER');
  expect((await ask()).data?.viewer.kind).toBe('SUPPORT_ENGINEER');
  expect(sent.map((body) => ['persistedQuery', '"query":'].map((part) => body.includes(part)))).toEqual([
    [true, false],
    [false, true],
    [false, true],
  ]);
});

describe('what queries select differently', () => {
  test('of a ticket is merged', async () => {
    const { key } = await fileTicket(stage.gateway, stage.world);
    await using apollo = createApolloClient(stage.accessOf(await stage.as('confluenceAdmin')));
    const variables = { key };
    await apollo.client.query({ query: eligibilityAllowed, variables });
    await apollo.client.query({ query: eligibilityObstacles, variables });
    expect(apollo.client.readQuery({ query: eligibilityAllowed, variables })).toMatchObject({
      ticket: { accessEligibility: { allowed: false } },
    });
  });

  test('of the viewer is merged', async () => {
    await using apollo = createApolloClient(stage.accessOf(await stage.asEngineer()));
    await apollo.client.query({ query: viewerKind });
    await apollo.client.query({ query: viewerName });
    expect(apollo.client.readQuery({ query: viewerKind })?.viewer.kind).toBe('SUPPORT_ENGINEER');
  });
});

test('a page shows the rest to somebody who may not read one of its lists', async () => {
  await using apollo = createApolloClient(stage.accessOf(await stage.as('reporter')));
  const { data, error } = await apollo.client.query({ query: startPage, errorPolicy: 'all' });
  // relayStylePagination makes an empty list of null: only the error tells.
  expect(data).toMatchObject({ viewer: { kind: 'USER' }, auditLog: { edges: [] } });
  expect(CombinedGraphQLErrors.is(error) && error.errors).toMatchObject([
    { path: ['auditLog'], extensions: { code: 'FORBIDDEN' } },
  ]);
});

test('a request without a good token rejects with the error of the API', async () => {
  await using apollo = createApolloClient({ ...stage.accessOf(await stage.asEngineer()), token: 'none' });
  const error = await apollo.client.query({ query: ViewerDocument }).catch((thrown: unknown) => thrown);
  expect(CombinedGraphQLErrors.is(error) && error.errors[0]?.extensions).toMatchObject({
    code: 'UNAUTHENTICATED',
  });
});
