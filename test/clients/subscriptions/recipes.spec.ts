/** The recipes for subscriptions, each through the same outages. */
import type { Sink } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deleteAllEvents } from '../../support/delete-events.ts';
import { done } from '../../support/world.ts';
import { grantEvents } from '../support/documents.ts';
import { eventually } from '../support/eventually.ts';
import { openIssuerGateway } from '../support/issuer-gateway.ts';
import { type Access, openStage, type Stage } from '../support/stage.ts';
import {
  approved,
  expectNewTokenUsed,
  expectNothingLost,
  keepEvents,
  shortWait,
  typesOf,
} from '../support/subscriber.ts';
import { openUnsteadyGateway } from '../support/unsteady-gateway.ts';
import { createEventSources } from './eventsource.ts';
import { createEventStreams } from './graphql-sse.ts';
import { createSockets } from './graphql-ws.ts';
import { keepOpenGrants } from './open-grants.ts';
import type { Subscriptions } from './resume.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage[Symbol.asyncDispose]());

describe.each<[string, (access: Access) => Subscriptions]>([
  ['graphql-ws', (access) => createSockets(access, shortWait)],
  ['graphql-sse', (access) => createEventStreams(access, { wait: shortWait, silenceMs: 3_000 })],
  ['eventsource', (access) => createEventSources(access, { wait: shortWait, silenceMs: 3_000 })],
])('%s', (name, createClient) => {
  /** Subscribes to all events, until the test ends. */
  function subscribe(access: Access, variables = {}) {
    const { received, ends, sink } = keepEvents();
    const unsubscribe = createClient(access).subscribe({ query: grantEvents, variables }, sink as Sink);
    return { received, ends, [Symbol.dispose]: unsubscribe };
  }

  test('loses no event when connections are cut and the gateway restarts', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    using subscription = subscribe(unsteady.accessOf(stage.world.services.watching));
    await expectNothingLost(stage, unsteady, subscription.received);
    expect(subscription.ends).toEqual([]);
  });

  test('resumes even if nothing has happened yet', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const access = unsteady.accessOf(stage.world.services.watching);
    using subscription = subscribe(access, { withCurrentState: false });
    const { received } = subscription;
    await eventually(() => expect(typesOf(received)).toEqual(['STARTED']));
    let grantId = '';
    await unsteady.cut(async () => {
      grantId = await approved(stage);
    });
    const ofGrant = () => received.filter(({ grant }) => grant?.id === grantId);
    await eventually(() => expect(typesOf(ofGrant())).toContain('ACTIVATED'));
    expect(typesOf(received)).not.toContain('CURRENT');
  });

  test('notices a connection that delivers nothing', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    using subscription = subscribe(unsteady.accessOf(stage.world.services.watching));
    const { received, ends } = subscription;
    await eventually(() => expect(received.length).toBeGreaterThan(0));
    await unsteady.stall();
    const grantId = await approved(stage);
    await eventually(() => expect(received.map(({ grant }) => grant?.id)).toContain(grantId));
    expect(ends).toEqual([]);
  });

  test('goes on with a new token when its token expires', async () => {
    await using gateway = await openIssuerGateway(stage);
    const access = gateway.accessOf(stage.world.services.acmeWatching, 8);
    using subscription = subscribe(access);
    await expectNewTokenUsed(stage, access, subscription.received);
    expect(subscription.ends).toEqual([]);
  });

  test('ends when its token is refused', async () => {
    const access = { ...stage.accessOf(await stage.asEngineer()), getToken: async () => 'none' };
    using subscription = subscribe(access);
    await eventually(() => expect(subscription.ends.length).toBe(1));
    const [end] = subscription.ends;
    expect(end).toMatchObject(name === 'graphql-ws' ? { code: 4403 } : { response: { status: 401 } });
  });

  test('starts again with the current state when the database was restored', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    using subscription = subscribe(unsteady.accessOf(stage.world.services.watching));
    const { received } = subscription;
    const completed = () => typesOf(received).filter((type) => type === 'CURRENT_COMPLETE');
    await eventually(() => expect(completed()).toHaveLength(1));
    await approved(stage);
    await eventually(() => expect(typesOf(received)).toContain('ACTIVATED'));
    const newest = received.findLast(({ type }) => type === 'ACTIVATED');
    await stage.gateway.sql.query('DELETE FROM events WHERE id = $1', [newest?.id]);
    const grantId = await approved(stage);
    await eventually(() => expect(completed()).toHaveLength(2));
    await eventually(() => expect(received.map(({ grant }) => grant?.id)).toContain(grantId));
    expect(subscription.ends).toEqual([]);
  });

  test('starts again with the current state when the events after its cursor were deleted', async () => {
    await using unsteady = await openUnsteadyGateway(stage);
    const [kept, revoked] = [await approved(stage), await approved(stage)];
    using subscription = subscribe(unsteady.accessOf(stage.world.services.watching));
    const { received } = subscription;
    const completed = () => typesOf(received).filter((type) => type === 'CURRENT_COMPLETE');
    await eventually(() => expect(completed()).toHaveLength(1));
    await unsteady.restart(async () => {
      await done(await stage.as('organizationAdmin'), 'revokeDataAccess', { grantId: revoked });
      await deleteAllEvents(stage.gateway.sql);
    });
    await eventually(() => expect(completed()).toHaveLength(2));
    expect(typesOf(received)).not.toContain('REVOKED');
    const grants = keepOpenGrants();
    for (const event of received) grants.apply(event);
    const open = grants.open().map(({ id }) => id);
    expect(open).toContain(kept);
    expect(open).not.toContain(revoked);
    expect(received.findLast(({ type }) => type === 'CURRENT_COMPLETE')?.openGrants).toBe(open.length);
  });
});
