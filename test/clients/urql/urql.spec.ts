import type { AnyVariables, DocumentInput } from 'urql';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  type MockInstance,
  test,
  vi,
} from 'vitest';
import {
  DenyDataAccessDocument,
  GrantEventsDocument,
  type GrantState,
  GrantsDocument,
  ViewerDocument,
} from '../../../schema/generated/operations.ts';
import { done, fileTicket } from '../../support/world.ts';
import { createSockets } from '../subscriptions/graphql-ws.ts';
import { startPage, viewerKind, viewerName } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { expectNothingLost, type Received, shortWait, typesOf } from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';
import { createUrqlClient } from './client.ts';

let stage: Stage;
let warnings: MockInstance;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

beforeEach(() => {
  warnings = vi.spyOn(console, 'warn');
});
afterEach(() => {
  // The cache says what it cannot normalize.
  expect(warnings.mock.calls).toEqual([]);
  warnings.mockRestore();
});

const pending = { states: ['PENDING_APPROVAL'] satisfies GrantState[] };

/** What a component shows that runs this query: the newest result. */
function show<Data, Variables extends AnyVariables>(
  { client }: ReturnType<typeof createUrqlClient>,
  query: DocumentInput<Data, Variables>,
  variables: Variables,
) {
  let newest: Data | undefined;
  const { unsubscribe } = client.query(query, variables).subscribe(({ data }) => {
    newest = data;
  });
  return { data: () => newest, [Symbol.dispose]: unsubscribe };
}

/** A page of outstanding requests. */
function showRequests(
  urql: ReturnType<typeof createUrqlClient>,
  page: { first: number; after?: string | null },
) {
  const shown = show(urql, GrantsDocument, { filter: pending, ...page });
  const list = () => shown.data()?.grants;
  const ids = () => list()?.edges?.map((edge) => edge?.node?.id);
  return { list, ids, [Symbol.dispose]: shown[Symbol.dispose] };
}

test('a list is read page by page, and grows', async () => {
  const filed = await stage.fileRequests(4);
  await using urql = createUrqlClient(stage.accessOf(await stage.asEngineer()));
  using page = showRequests(urql, { first: 2 });
  await eventually(() => expect(page.ids()).toEqual(filed.slice(0, 2)));
  using next = showRequests(urql, { first: 2, after: page.list()?.pageInfo.endCursor ?? null });
  await eventually(() => expect(next.ids()).toEqual(filed));
});

describe('a mutation', () => {
  async function denyFirst(expectedVersion?: number) {
    const filed = await stage.fileRequests(2);
    const counted = vi.fn(fetch);
    const access = stage.accessOf(await stage.as('organizationAdmin'));
    const urql = createUrqlClient(access, { fetch: counted });
    const page = showRequests(urql, { first: 2 });
    await eventually(() => expect(page.ids()).toEqual(filed));
    counted.mockClear();
    const { data } = await urql.client.mutation(DenyDataAccessDocument, {
      input: { grantId: filed[0] ?? '', expectedVersion: expectedVersion ?? null },
    });
    return { filed, page, answer: data?.denyDataAccess, urql, requests: counted.mock.calls };
  }

  test('that was done has the list read again', async () => {
    const { filed, page, answer, urql } = await denyFirst();
    await using _ = urql;
    expect(answer).toMatchObject({ __typename: 'Grant', state: 'DENIED' });
    await eventually(() => expect(page.ids()?.[0]).toBe(filed[1]));
  });

  test('that was refused answers the refusal, and leaves the list', async () => {
    const { filed, page, answer, urql, requests } = await denyFirst(999);
    await using _ = urql;
    expect(answer).toMatchObject({
      __typename: 'ConflictError',
      code: 'VERSION_CONFLICT',
      message: expect.any(String),
    });
    await urql.client.query(ViewerDocument, {});
    expect(requests).toHaveLength(2);
    expect(page.ids()).toEqual(filed);
  });
});

describe('a subscription', () => {
  function watch({ client }: ReturnType<typeof createUrqlClient>, ticketId?: string): Received {
    const received: Received = [];
    const filter = ticketId === undefined ? null : { ticketId };
    client
      .subscription(GrantEventsDocument, { filter, withCurrentState: true })
      .subscribe(({ data }) => data && received.push(data.grantEvents));
    return received;
  }

  test('changes the grants that are shown', async () => {
    const { ticketId, grantId } = await fileTicket(stage.gateway, stage.world);
    await using urql = createUrqlClient(stage.accessOf(await stage.asEngineer()));
    using page = showRequests(urql, { first: 1 });
    await eventually(() => expect(page.ids()).toEqual([grantId]));
    const received = watch(urql, ticketId);
    await eventually(() => expect(typesOf(received)).toContain('CURRENT'));
    await done(await stage.as('organizationAdmin'), 'approveDataAccess', { grantId });
    await eventually(() => expect(typesOf(received)).toContain('ACTIVATED'));
    const shown = () => page.list()?.edges?.[0]?.node;
    await eventually(() => expect(shown()).toMatchObject({ id: grantId, state: 'ACTIVE' }));
  });

  test('loses no event when connections are cut and the gateway restarts', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const access = unsteady.accessOf(stage.world.services.watching);
    await using urql = createUrqlClient(access, { sockets: createSockets(access, shortWait) });
    await expectNothingLost(stage, unsteady, watch(urql));
  });
});

test('a request without a good token has the error of the API', async () => {
  await using urql = createUrqlClient({ ...stage.accessOf(await stage.asEngineer()), token: 'none' });
  const { error } = await urql.client.query(ViewerDocument, {});
  expect(error?.response.status).toBe(401);
  expect(error?.graphQLErrors[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('what queries select differently of the viewer is merged', async () => {
  await using urql = createUrqlClient(stage.accessOf(await stage.asEngineer()));
  await urql.client.query(viewerKind, {});
  await urql.client.query(viewerName, {});
  const { data } = await urql.client.query(viewerKind, {}, { requestPolicy: 'cache-only' });
  expect(data?.viewer.kind).toBe('SUPPORT_ENGINEER');
});

test('a page shows the rest to somebody who may not read one of its lists', async () => {
  await using urql = createUrqlClient(stage.accessOf(await stage.as('reporter')));
  const { data, error } = await urql.client.query(startPage, {});
  expect(data).toMatchObject({ viewer: { kind: 'USER' }, auditLog: null });
  expect(error?.graphQLErrors).toMatchObject([{ path: ['auditLog'], extensions: { code: 'FORBIDDEN' } }]);
});
