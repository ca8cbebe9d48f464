/** How a subscription starts, and what a client that loses its connection right then resumes with. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOf, nextOfGrant } from '../support/grant-events.ts';
import { rawId } from '../support/rows.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
let admin: Person;
let engineer: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  engineer = await gateway.as(world.engineer.email);
});
afterAll(() => gateway.dispose());

type Arguments = { filter?: Record<string, unknown>; after?: string; withCurrentState?: boolean };

function subscribe(person: Person, { filter = {}, after, withCurrentState = false }: Arguments) {
  return person.socket().iterate<Json>({
    query: `subscription ($filter: GrantEventFilter, $after: String, $withCurrentState: Boolean!) {
      grantEvents(filter: $filter, after: $after, withCurrentState: $withCurrentState) {
        id cursor type openGrants grant { id } } }`,
    variables: { filter, after: after ?? null, withCurrentState },
  });
}

/** The next events, as they are. */
async function take(events: AsyncIterator<Json>, count: number): Promise<Json[]> {
  const taken: Json[] = [];
  while (taken.length < count) taken.push((await events.next()).value.data.grantEvents);
  return taken;
}

/** Subscribes, loses the connection after that many events, and returns the last cursor. */
async function cursorAfter(count: number, person: Person, wanted: Arguments): Promise<string> {
  const events = subscribe(person, wanted);
  const cursor = (await take(events, count)).at(-1).cursor;
  await events.return?.();
  return cursor;
}

const typesOf = (events: readonly Json[]) => events.map(({ type }) => type);

test.each<[string, Arguments]>([
  ['without arguments', {}],
  ['with types of which it is none', { filter: { types: ['REVOKED'] } }],
  ['with the current state', { withCurrentState: true }],
])('the first event is STARTED, %s', async (_, wanted) => {
  const { ticketId } = await fileTicket(gateway, world);
  const filter = { ticketId, ...wanted.filter };
  const [first] = await take(subscribe(admin, { ...wanted, filter }), 1);
  expect(first).toMatchObject({ type: 'STARTED', grant: null, openGrants: null });
  const [resumed] = await take(subscribe(admin, { ...wanted, filter, after: first.cursor }), 1);
  expect(resumed).toMatchObject({ type: 'STARTED', grant: null, openGrants: null });
  expect(resumed.id).not.toBe(first.id);
});

test('the current state ends with CURRENT_COMPLETE, and each cursor before leads to the whole state again', async () => {
  const [{ grantId }] = [await fileTicket(gateway, world), await fileTicket(gateway, world)];
  const siteId = world.acme.sites.main.id;
  const wanted = { filter: { siteId }, withCurrentState: true };
  const started = await cursorAfter(1, admin, wanted);
  const { rows } = await gateway.sql.query(
    `SELECT id FROM grants WHERE site_id = $1 AND state IN ('PENDING_APPROVAL', 'ACTIVE')`,
    [rawId(siteId)],
  );
  const open = rows.length;
  const state = ['STARTED', ...Array.from({ length: open }, () => 'CURRENT'), 'CURRENT_COMPLETE'];
  for (const after of [undefined, started, await cursorAfter(2, admin, wanted)]) {
    const events = await take(subscribe(admin, { ...wanted, ...(after && { after }) }), open + 2);
    expect(typesOf(events)).toEqual(state);
    expect(events.at(-1)).toMatchObject({ openGrants: open, grant: null });
  }

  const after = await cursorAfter(open + 2, admin, wanted);
  await done(admin, 'approveDataAccess', { grantId });
  const events = await take(subscribe(admin, { ...wanted, after }), 2);
  expect(typesOf(events)).toEqual(['STARTED', 'ACTIVATED']);
});

test('types without CURRENT leave out the current state, and the subscription still misses nothing', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const wanted = { filter: { ticketId, types: ['ACTIVATED', 'CURRENT_COMPLETE'] }, withCurrentState: true };
  const after = await cursorAfter(1, admin, wanted);
  await done(admin, 'approveDataAccess', { ticketId });
  const events = await take(subscribe(admin, { ...wanted, after }), 2);
  expect(typesOf(events)).toEqual(['STARTED', 'ACTIVATED']);
});

test('types with CURRENT have CURRENT_COMPLETE, too', async () => {
  const { ticketId } = await fileTicket(gateway, world);
  const events = subscribe(admin, { filter: { ticketId, types: ['CURRENT'] }, withCurrentState: true });
  expect(typesOf(await take(events, 3))).toEqual(['STARTED', 'CURRENT', 'CURRENT_COMPLETE']);
});

test('a client that loses its connection right after STARTED misses nothing of what was decided meanwhile', async () => {
  const { ticketId, grantId } = await fileTicket(gateway, world);
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
  const decisions = [
    ['REASSIGNED', () => done(world.operator, 'assignTicket', { ticketId, engineerId: world.engineer.id })],
    ['ACTIVATED', () => done(admin, 'approveDataAccess', { ticketId })],
    ['REVOKED', () => done(admin, 'revokeDataAccess', { grantId })],
  ] as const;
  for (const [type, decide] of decisions) {
    const after = await cursorAfter(1, engineer, { filter: { ticketId } });
    await decide();
    const resumed = subscribe(engineer, { filter: { ticketId }, after });
    expect(await nextOfGrant(resumed)).toMatchObject({ type, grant: { id: grantId } });
    await resumed.return?.();
  }
});

test('the cursor of STARTED includes everything committed before', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await done(admin, 'approveDataAccess', { ticketId });
    const after = await cursorAfter(1, admin, { filter: { ticketId } });
    await done(admin, 'revokeDataAccess', { grantId });
    const events = await take(subscribe(admin, { filter: { ticketId }, after }), 2);
    expect(typesOf(events)).toEqual(['STARTED', 'REVOKED']);
  }
});

describe('sessionEvents', () => {
  const use = { reason: 'GATHER_LOGS', note: 'The logs of the last hour', country: 'DE' };

  /** A ticket whose engineer uses its grant. */
  async function useGrant() {
    const { ticketId, grantId } = await fileTicket(gateway, world);
    await done(admin, 'approveDataAccess', { ticketId });
    const { id: sessionId } = await done(engineer, 'startSupportSession', { grantId, ...use });
    return { ticketId, grantId, sessionId };
  }

  function watch(person: Person, { filter = {}, after, withCurrentState = false }: Arguments) {
    const events = person.socket().iterate<Json>({
      query: `subscription ($filter: SessionEventFilter, $after: String, $withCurrentState: Boolean!) {
        sessionEvents(filter: $filter, after: $after, withCurrentState: $withCurrentState) {
          id cursor type openSessions session { id state endReason grant { state } } } }`,
      variables: { filter, after: after ?? null, withCurrentState },
    });
    return {
      async take(count: number): Promise<Json[]> {
        const taken: Json[] = [];
        while (taken.length < count) taken.push((await events.next()).value.data.sessionEvents);
        return taken;
      },
      end: async () => void (await events.return?.()),
    };
  }

  test.each(['ticketId', 'grantId', 'siteId'] as const)(
    'begin with the open sessions, and tell what happens to them: by %s',
    async (by) => {
      const { sessionId, ...of } = await useGrant();
      const ids = { ...of, siteId: world.acme.sites.main.id };
      const wanted = { filter: { [by]: ids[by] }, withCurrentState: true };
      const { rows } = await gateway.sql.query<{ open: number }>(
        `SELECT count(*)::int AS open FROM support_sessions WHERE ended_at IS NULL AND ${by === 'siteId' ? 'true' : 'id = $1'}`,
        by === 'siteId' ? [] : [rawId(sessionId)],
      );
      const open = rows[0]?.open ?? 0;
      const watching = watch(admin, wanted);
      const [started, ...state] = await watching.take(open + 2);
      expect(started).toMatchObject({ type: 'STARTED', session: null, openSessions: null });
      const complete = state.pop();
      expect(complete).toMatchObject({ type: 'CURRENT_COMPLETE', session: null, openSessions: open });
      const current = state.find(({ session }) => session.id === sessionId);
      expect(current).toMatchObject({
        type: 'CURRENT',
        session: { state: 'OPEN', endReason: null, grant: { state: 'ACTIVE' } },
      });
      await watching.end();

      await done(admin, 'revokeDataAccess', { grantId: of.grantId });
      const ended = {
        type: 'SESSION_ENDED',
        session: {
          ...{ id: sessionId, state: 'ENDED', endReason: 'GRANT_REVOKED' },
          grant: { state: 'REVOKED' },
        },
      };
      // Up to the end of the state, a cursor leads to the whole state again: now without the session.
      const again = await watch(admin, { ...wanted, after: current?.cursor }).take(open + 1);
      expect(typesOf(again)).toEqual([
        'STARTED',
        ...Array.from({ length: open - 1 }, () => 'CURRENT'),
        'CURRENT_COMPLETE',
      ]);
      const [, after] = await watch(admin, { ...wanted, after: complete?.cursor }).take(2);
      expect(after).toMatchObject(ended);
    },
  );

  const all = 'id state ticket { key }';
  test.each([
    [
      'sessionEvents',
      'session { id state grant { state } }',
      { state: 'ENDED', grant: { state: 'REVOKED' } },
    ],
    ['sessionEvents', 'session { id grant { decisions { stage } } }', null],
    ['sessionEvents', `session { ${all} }`, null],
    ['grantEvents', 'grant { id state }', { state: 'REVOKED' }],
    ['grantEvents', `grant { ${all} }`, null],
    ['changeRequestEvents', 'changeRequest { id state }', { state: 'CONSENTED' }],
    ['changeRequestEvents', `changeRequest { ${all} }`, null],
  ] as const)(
    'about what was deleted say what they hold, and hold nothing up: %s with %s',
    async (field, selection, shown) => {
      const { ticketId } = await useGrant();
      const filter = { ticketId };
      const type = `${field.charAt(0).toUpperCase()}${field.slice(1, -1)}Filter`;
      const query = `subscription ($filter: ${type}, $after: String) {
        ${field}(filter: $filter, after: $after) { type cursor ${selection} } }`;
      const read = (after: string | null) =>
        admin.socket().iterate<Json>({ query, variables: { filter, after } });
      const beginning = read(null);
      const after = (await beginning.next()).value.data[field].cursor;
      await beginning.return?.();
      const { id: changeRequestId } = await done(engineer, 'requestChange', {
        ...{ ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
        ...{ description: 'Switch it on', justification: 'It is off' },
        validUntil: new Date(Date.now() + 86_400_000).toISOString(),
      });
      await done(admin, 'consentToChange', { changeRequestId });
      await done(admin, 'revokeDataAccess', { ticketKey: await keyOf(ticketId) });
      await deleteOnTicket(rawId(ticketId));
      // What follows is about rows that are there.
      await done(admin, 'approveDataAccess', { ticketId });
      await done(engineer, 'startSupportSession', { ticketKey: await keyOf(ticketId), ...use });
      await done(engineer, 'requestChange', {
        ...{ ticketId, kind: 'CONTENT', resourceType: 'project', resourceId: 'ACME' },
        ...{ description: 'Switch it off', justification: 'It is on' },
        validUntil: new Date(Date.now() + 86_400_000).toISOString(),
      });
      const { about, happens, follows } = streams[field];
      const events = read(after);
      const before: Json[] = [];
      for (;;) {
        const { value } = await events.next();
        before.push(value);
        // Requests precede what is looked for.
        if (value.data[field].type === follows && before.some((one) => one.data[field].type === happens))
          break;
      }
      await events.return?.();
      const [gone] = before.filter(({ data }) => data[field].type === happens);
      if (shown === null) {
        expect(gone.data[field][about]).toBeNull();
        expect(gone.errors).toMatchObject([{ extensions: { code: 'DELETED' } }]);
      } else {
        expect(gone.errors).toBeUndefined();
        expect(gone.data[field][about]).toMatchObject(shown);
      }
      expect(before.at(-1)).toMatchObject({ data: { [field]: { [about]: { id: expect.any(String) } } } });
    },
  );

  const streams = {
    sessionEvents: { about: 'session', happens: 'SESSION_ENDED', follows: 'SESSION_STARTED' },
    grantEvents: { about: 'grant', happens: 'REVOKED', follows: 'ACTIVATED' },
    changeRequestEvents: { about: 'changeRequest', happens: 'CONSENTED', follows: 'REQUESTED' },
  } as const;

  const keyOf = async (ticketId: string): Promise<string> =>
    (await admin.ask(`{ node(id: "${ticketId}") { ... on Ticket { key } } }`)).node.key;

  /** As somebody does who works in the database itself, without its rules. */
  async function deleteOnTicket(ticketId: string): Promise<void> {
    const operator = await gateway.sql.connect();
    try {
      await operator.query(`BEGIN; SET LOCAL session_replication_role = 'replica'`);
      for (const statement of [
        'DELETE FROM change_requests WHERE ticket_id = $1',
        'DELETE FROM support_sessions WHERE ticket_id = $1',
        'DELETE FROM decisions WHERE grant_id IN (SELECT id FROM grants WHERE ticket_id = $1)',
        'DELETE FROM grants WHERE ticket_id = $1',
      ])
        await operator.query(statement, [ticketId]);
      await operator.query('COMMIT');
    } finally {
      operator.release();
    }
  }

  test('are selected by their types, and come to the engineer whose session it is', async () => {
    const { ticketId, grantId, sessionId } = await useGrant();
    const types = ['SESSION_STARTED'];
    const watching = watch(engineer, { filter: { ticketId, types } });
    await watching.take(1);
    await done(engineer, 'endSupportSession', { supportSessionId: sessionId });
    const next = await done(engineer, 'startSupportSession', { grantId, ...use });
    expect(await watching.take(1)).toMatchObject([
      { type: 'SESSION_STARTED', session: { id: next.id, state: 'OPEN', endReason: null } },
    ]);
    await watching.end();
  });

  test('do not continue from a cursor of grant events, nor the other way round', async () => {
    const { ticketId } = await useGrant();
    const filter = { ticketId };
    const [{ cursor: ofSessions }] = (await watch(admin, { filter }).take(1)) as [Json];
    const ofGrants = await cursorAfter(1, admin, { filter });
    const refused = async (query: string, after: string) =>
      (await admin.socket().iterate({ query, variables: { filter, after } }).next()).value.errors;
    const otherFilter = [{ extensions: { code: 'CURSOR_OF_ANOTHER_FILTER' } }];
    const onSessions = `subscription ($filter: SessionEventFilter, $after: String) {
      sessionEvents(filter: $filter, after: $after) { id } }`;
    const onGrants = `subscription ($filter: GrantEventFilter, $after: String) {
      grantEvents(filter: $filter, after: $after) { id } }`;
    expect(await refused(onSessions, ofGrants)).toMatchObject(otherFilter);
    expect(await refused(onGrants, ofSessions)).toMatchObject(otherFilter);
  });

  test('of a ticket that has passed to somebody else show its former engineer what was known then', async () => {
    const { ticketId, grantId } = await useGrant();
    const wanted = { filter: { ticketId } };
    const watching = watch(engineer, wanted);
    const [{ cursor: after }] = (await watching.take(1)) as [Json];
    await watching.end();
    await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
    await done(admin, 'revokeDataAccess', { grantId });
    await done(await gateway.as(world.acme.emails.reporter), 'closeTicket', { ticketId });
    const around = `session { endReason grant { state endedAt engineer { email } ticket { status assignee { email } } }
      ticket { status closedAt assignee { email } } site { status } }`;
    const received = async (person: Person) =>
      await nextOf(
        'sessionEvents',
        person.socket().iterate<Json>({
          query: `subscription ($filter: SessionEventFilter, $after: String) {
            sessionEvents(filter: $filter, after: $after) { type ${around} } }`,
          variables: { ...wanted, after },
        }),
      );
    const { email } = world.otherEngineer;
    const ticketThen = { status: 'OPEN', assignee: { email } };
    expect(await received(engineer)).toMatchObject({
      type: 'SESSION_ENDED',
      session: {
        endReason: 'TICKET_REASSIGNED',
        grant: { state: 'ACTIVE', endedAt: null, engineer: { email }, ticket: ticketThen },
        ticket: { ...ticketThen, closedAt: null },
        site: { status: 'ACTIVE' },
      },
    });
  });
});
