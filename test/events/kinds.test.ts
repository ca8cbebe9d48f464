/** A new kind of event is one file and one row of a table: here both are the test's own. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventEnvelope, EventKind } from '../../src/events/envelope.ts';
import { eventKinds } from '../../src/events/kinds.ts';
import { oneOf, uuid } from '../../src/events/payload-reader.ts';
import { origin } from '../../src/events/position.ts';
import { newId } from '../../src/platform/ids.ts';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { grantEvent } from './events.ts';
import { openGateway, write } from './gateway.ts';

type CallEvent = {
  id: string;
  kind: EventKind<CallEvent>;
  type: 'OPENED' | 'CUT';
  occurredAt: Date;
  callId: string;
  engineerId: string;
};

const callKind: EventKind<CallEvent> = {
  name: 'call',
  read: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: callKind,
    type: oneOf({ OPENED: 'OPENED', CUT: 'CUT' } as const, row, 'type'),
    callId: uuid(payload, 'callId'),
    engineerId: uuid(payload, 'engineerId'),
  }),
  organizationOf: () => vendorOrganizationId,
  topicsOf: ({ engineerId }) => [`engineer:${engineerId}`],
  subjectOf: ({ callId }) => callId,
  isUrgent: ({ type }) => type === 'CUT',
  changesRightsOf: () => null,
};

const isCall = (event: EventEnvelope): event is CallEvent => event.kind === callKind;

const callEvent = (facts: Pick<CallEvent, 'type' | 'callId' | 'engineerId'>): CallEvent => ({
  ...{ id: newId(), kind: callKind, occurredAt: new Date() },
  ...facts,
});

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.dispose());

test('is delivered to its topics, in the order of its subjects, urgent events first', async () => {
  const at = await openGateway(database.url, { kinds: [...eventKinds, callKind] });
  const [engineerId, one, other] = [newId(), newId(), newId()];
  const received: CallEvent[] = [];
  const subscription = at.subscribe(
    at.relay.position() ?? origin,
    {
      viewerId: engineerId,
      recheck: async () => null,
      topics: () => [`engineer:${engineerId}`],
      matches: isCall,
      mayReceive: () => true,
      cursorAt: String,
    },
    {
      onEvent: ({ event }) => void received.push(event),
      onEnd: (error) => expect(error).toBeUndefined(),
    },
  );
  subscription.start();
  const events = [
    callEvent({ type: 'OPENED', callId: other, engineerId }),
    callEvent({ type: 'OPENED', callId: one, engineerId: newId() }),
    callEvent({ type: 'OPENED', callId: newId(), engineerId }),
    callEvent({ type: 'OPENED', callId: one, engineerId }),
    callEvent({ type: 'CUT', callId: one, engineerId }),
  ];
  await write(
    at.pool,
    grantEvent({ audience: { ...grantEvent().audience, engineerIds: [engineerId] } }),
    ...events,
  );
  at.relay.wake();
  await eventually(() => expect(received).toHaveLength(4));
  expect(received).toStrictEqual([events[3], events[4], events[0], events[2]]);
  expect(at.relay.stats().unreadable).toBe(0);
  subscription.end();
  await at.dispose();
});

test('is skipped by a gateway that does not know it', async () => {
  const at = await openGateway(database.url);
  await write(at.pool, callEvent({ type: 'OPENED', callId: newId(), engineerId: newId() }));
  at.relay.wake();
  await eventually(() => expect(at.relay.stats()).toMatchObject({ unreadable: 1, events: 0 }));
  await at.dispose();
});
