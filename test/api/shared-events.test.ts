/**
 * The result for an event is computed once for all subscribers with the same result; nobody gets the result of
 * another.
 */
import { getNamedType, isEnumType, isInterfaceType, isObjectType, isScalarType } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { isViewerIndependent } from '../../src/graphql/subscriptions/viewer-independent-fields.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOf } from '../support/grant-events.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
});
afterAll(() => gateway.dispose());

/** A selection of every field whose value is the same for every viewer, to this depth of relations. */
function everythingOf(typeName: string, depth: number): string {
  const type = schema.getType(typeName);
  if (!isObjectType(type) && !isInterfaceType(type)) throw new Error(`${typeName} has no fields`);
  const fields = Object.values(type.getFields()).filter(({ name }) =>
    isViewerIndependent(schema, type, name),
  );
  const selections = fields.map(({ name, type: fieldType }) => {
    const named = getNamedType(fieldType);
    if (isScalarType(named) || isEnumType(named)) return name;
    return depth === 0 ? '' : `${name} { ${everythingOf(named.name, depth - 1)} }`;
  });
  return ['__typename', ...selections].join(' ');
}

type Field = 'grantEvents' | 'sessionEvents' | 'changeRequestEvents';
type Received = { event: Json; cursor: string };

/** Subscribes. `next` resolves with the next event after the beginning and its cursor. */
async function subscribe(
  person: Person,
  query: string,
  variables: Record<string, unknown> = {},
  field: Field = 'grantEvents',
) {
  const events = person.socket().iterate({ query, variables });
  return {
    async next(): Promise<Received> {
      const { cursor, ...event } = await nextOf(field, events);
      return { event, cursor };
    },
    end: async () => void (await events.return?.()),
  };
}

/**
 * Subscribes everybody, waits until each has received the current state, acts, and returns the event that each
 * received.
 */
async function receivedByAll(
  people: readonly Person[],
  queries: readonly string[],
  act: () => Promise<unknown>,
  field: Field,
) {
  const listeners = await Promise.all(
    people.flatMap((person) => queries.map((query) => subscribe(person, query, {}, field))),
  );
  await Promise.all(listeners.map((each) => each.next()));
  await act();
  const received = await Promise.all(listeners.map((each) => each.next()));
  await Promise.all(listeners.map((each) => each.end()));
  return received;
}

const subscription = (selection: string, ticketId: string, field: Field = 'grantEvents') =>
  `subscription { ${field}(withCurrentState: true, filter: { ticketId: "${ticketId}" }) { ${selection} } }`;

async function people(): Promise<Person[]> {
  const { reporter, organizationAdmin, userAccessAdmin, jiraAdmin, guardAdmin } = world.acme.emails;
  const emails = [reporter, organizationAdmin, userAccessAdmin, jiraAdmin, guardAdmin];
  return Promise.all(
    [...emails, world.engineer.email, world.services.watching, world.services.acmeWatching].map((email) =>
      gateway.as(email),
    ),
  );
}

/** What happens on a ticket to a grant, its session and a change request; whatever reads the same is selected. */
const kinds = {
  grantEvents: {
    ...{ about: 'grant', everything: everythingOf('GrantEvent', 4), first: 'ACTIVATED', next: 'REVOKED' },
    shown: {
      state: 'ACTIVE',
      decisions: [{ decidedBy: { kind: 'USER' } }],
      ticket: { site: { organization: { name: 'acme' } } },
    },
    prepare: async () => '',
    act: (admin: Person, ticketId: string) => done(admin, 'approveDataAccess', { ticketId }),
    actAgain: (admin: Person, grantId: string | null) => done(admin, 'revokeDataAccess', { grantId }),
  },
  sessionEvents: {
    ...{ about: 'session', everything: everythingOf('SessionEvent', 3) },
    ...{ first: 'SESSION_ENDED', next: 'SESSION_STARTED' },
    shown: {
      ...{ state: 'ENDED', endReason: 'ENDED_BY_ENGINEER' },
      ...{ grant: { state: 'ACTIVE' }, ticket: { site: { name: 'main' } } },
    },
    prepare: async (admin: Person, ticketId: string, grantId: string | null) => {
      await done(admin, 'approveDataAccess', { ticketId });
      return (await startSession(grantId)).id;
    },
    act: async (_: Person, _ticketId: string, supportSessionId: string) =>
      done(await gateway.as(world.engineer.email), 'endSupportSession', { supportSessionId }),
    actAgain: (_: Person, grantId: string | null) => startSession(grantId),
  },
  changeRequestEvents: {
    ...{ about: 'changeRequest', everything: everythingOf('ChangeRequestEvent', 3) },
    ...{ first: 'CONSENTED', next: 'REFUSED' },
    shown: {
      ...{ state: 'CONSENTED', decidedBy: { kind: 'USER' }, endedBy: null },
      ticket: { site: { name: 'main' } },
    },
    prepare: async (_: Person, ticketId: string) => {
      const changeRequest = await done(await gateway.as(world.engineer.email), 'requestChange', {
        ...{ ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
        ...{ description: 'Turn it off', justification: 'It is slow' },
        validUntil: new Date(Date.now() + 86_400_000).toISOString(),
      });
      return changeRequest.id;
    },
    act: (admin: Person, _ticketId: string, changeRequestId: string) =>
      done(admin, 'consentToChange', { changeRequestId }),
    actAgain: (admin: Person, _grantId: string | null, changeRequestId: string) =>
      done(admin, 'revokeChangeConsent', { changeRequestId }),
  },
} as const;

async function startSession(grantId: string | null): Promise<Json> {
  const use = { reason: 'GATHER_LOGS', note: 'The logs of the last hour', country: 'DE' };
  return await done(await gateway.as(world.engineer.email), 'startSupportSession', { grantId, ...use });
}

test.each(['grantEvents', 'sessionEvents', 'changeRequestEvents'] as const)(
  'every kind of subscriber to %s receives the same event, shared or computed for each, with a cursor of their own',
  async (field) => {
    const { about, everything, first: type, next, shown, prepare, act, actAgain } = kinds[field];
    const { ticketId, grantId } = await fileTicket(gateway, world);
    const subscribers = await people();
    const each = `${everything} ${about} { ticket { accessEligibility { allowed } } }`;
    const admin = await gateway.as(world.acme.emails.jiraAdmin);
    const prepared = await prepare(admin, ticketId, grantId);
    const received = await receivedByAll(
      subscribers,
      [subscription(everything, ticketId, field), subscription(each, ticketId, field)],
      () => act(admin, ticketId, prepared),
      field,
    );
    const [first] = received;
    expect(first?.event).toMatchObject({ type, [about]: shown });
    const allowed = new Set<boolean>();
    for (const [index, { event }] of received.entries()) {
      const { accessEligibility, ...ticket } = event[about].ticket;
      if (index % 2 === 1) allowed.add(accessEligibility.allowed);
      expect({ ...event, [about]: { ...event[about], ticket } }).toEqual(first?.event);
    }
    // Fields that differ from viewer to viewer were not shared.
    expect([...allowed].sort()).toEqual([false, true]);
    expect(new Set(received.map(({ cursor }) => cursor)).size).toBe(subscribers.length);

    const resumable = (person: Person, cursor: string | undefined) =>
      person.socket().iterate({
        query: `subscription ($after: String) { ${field}(after: $after, filter: { ticketId: "${ticketId}" }) { type } }`,
        variables: { after: cursor },
      });
    const [reporter, other] = subscribers;
    if (reporter === undefined || other === undefined) throw new Error('too few');
    expect((await resumable(other, received[0]?.cursor).next()).value?.errors).toMatchObject([
      { extensions: { code: 'CURSOR_OF_ANOTHER_VIEWER' } },
    ]);
    const resumed = resumable(reporter, received[0]?.cursor);
    await actAgain(admin, grantId, prepared);
    expect(await nextOf(field, resumed)).toEqual({ type: next });
    await resumed.return?.();
  },
);

test('subscribers with different variables receive what each of them selected', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const admin = await gateway.as(world.acme.emails.jiraAdmin);
  const query = `subscription ($ticketId: ID!, $whole: Boolean!, $types: [GrantEventType!]) {
    grantEvents(filter: { ticketId: $ticketId, types: $types }, withCurrentState: true) {
      cursor type grant @include(if: $whole) { state } } }`;
  const types = ['CURRENT', 'ACTIVATED'];
  const listeners = await Promise.all(
    [{ whole: true }, { whole: false }, { whole: true, types }].map((variables) =>
      subscribe(admin, query, { ticketId, ...variables }),
    ),
  );
  await Promise.all(listeners.map((each) => each.next()));
  await done(admin, 'approveDataAccess', { ticketId });
  const received = await Promise.all(listeners.map((each) => each.next()));
  const whole = { type: 'ACTIVATED', grant: { state: 'ACTIVE' } };
  expect(received.map(({ event }) => event)).toEqual([whole, { type: 'ACTIVATED' }, whole]);
  await Promise.all(listeners.map((each) => each.end()));
});

test('a shared result has the cursor under every alias, on an event stream too', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const admin = await gateway.as(world.acme.emails.jiraAdmin);
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${admin.token}`,
    },
    body: JSON.stringify({
      query: subscription('type cursor goOnFrom: cursor grant { state }', ticketId),
    }),
    signal: AbortSignal.timeout(generousMs),
  });
  let text = '';
  let acted = false;
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (!acted && text.includes('CURRENT')) {
      acted = true;
      await done(admin, 'approveDataAccess', { ticketId });
    }
    if (/"ACTIVATED".*\nid: /.test(text)) break;
  }
  const [, data, id] = /data: (.*"ACTIVATED".*)\nid: (.*)\n/.exec(text) ?? [];
  const { grantEvents: event } = JSON.parse(data ?? '').data;
  expect(event).toEqual({ type: 'ACTIVATED', cursor: id, goOnFrom: id, grant: { state: 'ACTIVE' } });
});
