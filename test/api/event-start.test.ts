/** How a subscription starts, and what a client that loses its connection right then resumes with. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOfGrant } from '../support/grant-events.ts';
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
