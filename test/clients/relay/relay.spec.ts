import {
  createOperationDescriptor,
  DefaultHandlerProvider,
  type Environment,
  getRequest,
  requestSubscription,
} from 'relay-runtime';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { done, fileTicket } from '../../support/world.ts';
import { createSockets } from '../subscriptions/graphql-ws.ts';
import { eventually } from '../support/eventually.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { expectNothingLost, type Received, shortWait, typesOf } from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';
import type { AuditPageGrantQuery } from './__generated__/AuditPageGrantQuery.graphql';
import type { AuditPageQuery } from './__generated__/AuditPageQuery.graphql';
import type { GrantRow_grant$key } from './__generated__/GrantRow_grant.graphql';
import type { OutstandingRequests_query$key } from './__generated__/OutstandingRequests_query.graphql';
import type { OutstandingRequestsDenyMutation } from './__generated__/OutstandingRequestsDenyMutation.graphql';
import type { OutstandingRequestsQuery } from './__generated__/OutstandingRequestsQuery.graphql';
import type { OutstandingRequestsRequestMutation } from './__generated__/OutstandingRequestsRequestMutation.graphql';
import type { OutstandingRequestsRevokeAllMutation } from './__generated__/OutstandingRequestsRevokeAllMutation.graphql';
import type { OutstandingRequestsSubscription } from './__generated__/OutstandingRequestsSubscription.graphql';
import { auditPage, grantPage } from './AuditPage.ts';
import { load, loadNext, mutate, read, refetch } from './client.ts';
import { createEnvironment } from './environment.ts';
import { row } from './GrantRow.ts';
import * as requests from './OutstandingRequests.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

/** The engineer's page with `count` requests, and how to read it again. */
async function openPage(environment: Environment, count: number) {
  const key = await load<OutstandingRequestsQuery>(environment, requests.page, { count });
  const list = () => read<OutstandingRequests_query$key>(environment, requests.list, key).grants;
  return {
    list,
    ids: () => list().edges.map(({ node }) => node.id),
    rows: () => list().edges.map(({ node }) => read<GrantRow_grant$key>(environment, row, node)),
    connections: [list().__id],
  };
}

/** A ticket whose request was denied, so that its engineer may ask again. */
async function ticketToAskOn(): Promise<string> {
  const { ticketId, grantId } = await fileTicket(stage.gateway, stage.world);
  await done(await stage.as('organizationAdmin'), 'denyDataAccess', { grantId });
  return ticketId;
}

test('a list is read page by page, and grows', async () => {
  const filed = await stage.fileRequests(5);
  await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()));
  const { list, ids } = await openPage(environment, 2);
  expect(ids()).toEqual(filed.slice(0, 2));
  expect(list().pageInfo.hasNextPage).toBe(true);

  await loadNext(environment, requests.list, 3, list().pageInfo.endCursor, {});
  expect(ids()).toEqual(filed);
});

test('a row is read again by its id', async () => {
  const [grantId = ''] = await stage.fileRequests(1);
  await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()));
  const { rows } = await openPage(environment, 1);
  await done(await stage.as('organizationAdmin'), 'approveDataAccess', { grantId });
  expect(rows()).toMatchObject([{ id: grantId, state: 'PENDING_APPROVAL' }]);
  await refetch(environment, row, grantId);
  expect(rows()).toMatchObject([{ id: grantId, state: 'ACTIVE' }]);
});

describe('a list after a mutation that removes a row', () => {
  test('lost it, where the mutation was done', async () => {
    const [last = '', first = ''] = await stage.fileRequests(2);
    await using environment = createEnvironment(stage.accessOf(await stage.as('organizationAdmin')));
    const { ids, connections } = await openPage(environment, 2);
    const { denyDataAccess } = await mutate<OutstandingRequestsDenyMutation>(environment, requests.deny, {
      input: { grantId: last },
      connections,
    });
    expect(denyDataAccess.grant).toMatchObject({ id: last, state: 'DENIED' });
    expect(denyDataAccess.refusal).toBeNull();
    expect(ids()).toEqual([first]);
  });

  test('has it still, where the mutation was refused', async () => {
    const filed = await stage.fileRequests(2);
    await using environment = createEnvironment(stage.accessOf(await stage.as('organizationAdmin')));
    const { ids, connections } = await openPage(environment, 2);
    const { denyDataAccess } = await mutate<OutstandingRequestsDenyMutation>(environment, requests.deny, {
      input: { grantId: filed[0] ?? '', expectedVersion: 999 },
      connections,
    });
    expect(denyDataAccess.grant).toBeNull();
    expect(denyDataAccess.refusal).toMatchObject({ code: 'VERSION_CONFLICT' });
    expect(ids()).toEqual(filed);
  });
});

test('a mutation in bulk says of each grant what became of it', async () => {
  const [pending = '', approved = ''] = await stage.fileRequests(2);
  const admin = await stage.as('organizationAdmin');
  await done(admin, 'approveDataAccess', { grantId: approved });
  await using environment = createEnvironment(stage.accessOf(admin));
  const { revokeDataAccessInBulk } = await mutate<OutstandingRequestsRevokeAllMutation>(
    environment,
    requests.revokeAll,
    { input: { grantIds: [pending, approved] } },
  );
  expect(revokeDataAccessInBulk.payload?.results).toMatchObject([
    { grantId: pending, result: { grant: null, refusal: { code: 'NOT_APPROVED_YET' } } },
    { grantId: approved, result: { grant: { id: approved, state: 'REVOKED' }, refusal: null } },
  ]);
});

describe('a list after a mutation that adds a row', () => {
  test('has it, where the mutation was done', async () => {
    const ticketId = await ticketToAskOn();
    await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()));
    const { ids, connections } = await openPage(environment, 2);
    const before = ids();
    const { requestDataAccess } = await mutate<OutstandingRequestsRequestMutation>(
      environment,
      requests.request,
      { input: { ticketId }, connections },
    );
    expect(requestDataAccess.grant?.state).toBe('PENDING_APPROVAL');
    expect(ids()).toEqual([requestDataAccess.grant?.id, ...before]);
  });

  /** Asks for access on a ticket that has a request already. */
  async function refusedRequest(environment: Environment) {
    const { ticketId } = await fileTicket(stage.gateway, stage.world);
    const page = await openPage(environment, 2);
    const before = page.ids();
    const { requestDataAccess } = await mutate<OutstandingRequestsRequestMutation>(
      environment,
      requests.request,
      { input: { ticketId }, connections: page.connections },
    );
    expect(requestDataAccess.refusal?.code).toBe('ALREADY_REQUESTED');
    return { before, after: page.ids() };
  }

  test('is as it was, where the mutation was refused', async () => {
    await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()));
    const { before, after } = await refusedRequest(environment);
    expect(after).toEqual(before);
  });

  test('has a row without an id, where it was refused and Relay has its default handlers', async () => {
    await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()), {
      handlerProvider: DefaultHandlerProvider,
    });
    const { before, after } = await refusedRequest(environment);
    expect(after).toEqual([undefined, ...before]);
  });
});

describe('a subscription', () => {
  function watch(environment: Environment, ticketId?: string): Received {
    const received: Received = [];
    requestSubscription<OutstandingRequestsSubscription>(environment, {
      subscription: requests.watch,
      variables: { filter: ticketId === undefined ? null : { ticketId }, withCurrentState: true },
      onNext: (data) => data && received.push(data.grantEvents),
    });
    return received;
  }

  test('changes the rows that are shown', async () => {
    const { ticketId, grantId } = await fileTicket(stage.gateway, stage.world);
    await using environment = createEnvironment(stage.accessOf(await stage.asEngineer()));
    const { rows } = await openPage(environment, 1);
    const received = watch(environment, ticketId);
    // The current state is delivered first: the subscription is live from then on.
    await eventually(() => expect(typesOf(received)).toContain('CURRENT'));
    await done(await stage.as('organizationAdmin'), 'approveDataAccess', { grantId });
    await eventually(() => expect(typesOf(received)).toContain('ACTIVATED'));
    expect(rows()).toMatchObject([{ id: grantId, state: 'ACTIVE' }]);
  });

  test('loses no event when connections are cut and the gateway restarts', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const access = unsteady.accessOf(stage.world.services.watching);
    await using environment = createEnvironment(access, { sockets: createSockets(access, shortWait) });
    await expectNothingLost(stage, unsteady, watch(environment));
  });
});

describe('an audit page', () => {
  test('leaves the grant page beside it as it is', async () => {
    const { grantId: id, key } = await fileTicket(stage.gateway, stage.world);
    if (id === null) throw new Error('A ticket without an outstanding request');
    const admin = await stage.as('organizationAdmin');
    await done(admin, 'denyDataAccess', { grantId: id });
    await using environment = createEnvironment(stage.accessOf(admin));
    // Relay warns of ids that two objects share.
    const warnings = vi.spyOn(console, 'error');
    const before = await load<AuditPageGrantQuery>(environment, grantPage, { id });
    expect(before.node).toMatchObject({ __typename: 'Grant', grant: { state: 'DENIED' } });

    const { auditLog } = await load<AuditPageQuery>(environment, auditPage, { grantId: id });
    const entries = auditLog.ok ? auditLog.value?.edges.map(({ node }) => node) : [];
    expect(entries?.[0]).toMatchObject({
      action: 'GRANT_DENY',
      ticketKey: key,
      resource: { type: 'Grant', node: { __typename: 'Grant', id } },
    });
    const { fragment } = createOperationDescriptor(getRequest(grantPage), { id });
    expect(environment.lookup(fragment).data).toEqual(before);
    expect(warnings.mock.calls).toEqual([]);
    warnings.mockRestore();
  });

  test('shows the rest to somebody who may not read the log', async () => {
    const [grantId = ''] = await stage.fileRequests(1);
    await using environment = createEnvironment(stage.accessOf(await stage.as('reporter')));
    const { viewer, auditLog } = await load<AuditPageQuery>(environment, auditPage, { grantId });
    expect(viewer.account.name).toBe('reporter');
    expect(auditLog).toMatchObject({ ok: false, errors: [{ extensions: { code: 'FORBIDDEN' } }] });
  });
});
