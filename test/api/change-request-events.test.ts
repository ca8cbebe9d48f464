/** What `changeRequestEvents` tells whom, for each way in which a change request goes on and ends. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expireChangeRequests } from '../../src/commands/expire-change-requests.ts';
import { openDatabase } from '../../src/platform/database.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousMs } from '../support/deadlines.ts';
import type { Json, Person, TestGateway } from '../support/gateway.ts';
import { nextOf } from '../support/grant-events.ts';
import { expectDocumentedRecords } from '../support/recorded-details.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

const backend = 'backend@vendor.example';
const day = 86_400_000;

let gateway: TestGateway;
let world: World;
let admin: Person;
let engineer: Person;
let reporter: Person;

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld({ maintenance: false }));
  admin = await gateway.as(world.acme.emails.organizationAdmin);
  engineer = await gateway.as(world.engineer.email);
  reporter = await gateway.as(world.acme.emails.reporter);
  await done(world.operator, 'addServiceAccount', {
    ...{ email: backend, name: 'Backend of Jira', capabilities: ['ACCESS_EVALUATION'] },
    evaluatedProducts: ['jira'],
  });
});
afterAll(() => gateway.dispose());

const selection = `type cursor changeRequest { id state endReason result version decidedBy { email } endedBy { email }
  ticket { key status assignee { email } site { status } product { isLicensed } } }`;

type Wanted = { filter: Record<string, unknown>; after?: string; withCurrentState?: boolean };

/** Subscribes, and resolves once the subscription has started, with its first cursor. */
async function watch(person: Person, { filter, after, withCurrentState = false }: Wanted) {
  const events = person.socket().iterate<Json>({
    query: `subscription ($filter: ChangeRequestEventFilter, $after: String, $withCurrentState: Boolean!) {
      changeRequestEvents(filter: $filter, after: $after, withCurrentState: $withCurrentState) {
        openChangeRequests ${selection} } }`,
    variables: { filter, after: after ?? null, withCurrentState },
  });
  const started = (await events.next()).value.data.changeRequestEvents;
  expect(started).toMatchObject({ type: 'STARTED', changeRequest: null, openChangeRequests: null });
  return {
    cursor: started.cursor as string,
    next: () => nextOf('changeRequestEvents', events),
    nextOfAnyType: async () => (await events.next()).value.data.changeRequestEvents,
    end: async () => void (await events.return?.()),
  };
}

type Place = Parameters<typeof fileTicket>[2];

/** A change that the engineer asks for on a new ticket. */
async function requested(place: Place = {}, more: object = {}) {
  const filed = await fileTicket(gateway, world, place);
  const { id: changeRequestId } = await done(engineer, 'requestChange', {
    ...{ ticketId: filed.ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
    ...{ description: 'Turn it off', justification: 'It is slow' },
    validUntil: new Date(Date.now() + day).toISOString(),
    ...more,
  });
  return { ...filed, changeRequestId: changeRequestId as string };
}

async function consented(place: Place = {}) {
  const made = await requested(place);
  await done(admin, 'consentToChange', { changeRequestId: made.changeRequestId });
  return made;
}

/** The backend of Jira asks whether it may make the change. */
async function begin(key: string, changeRequestId: string): Promise<boolean> {
  const { token } = await gateway.as(backend);
  const { url: site } = world.acme.sites.main;
  const response = await fetch(`${gateway.url}/access/v1/evaluation`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      subject: { type: 'support_engineer', id: world.engineer.email },
      action: { name: 'change.apply' },
      resource: { type: 'project', id: 'ACME', properties: { site, product: 'jira' } },
      context: { ticket: key, change_request: changeRequestId },
    }),
    signal: AbortSignal.timeout(generousMs),
  });
  return (await response.json()).decision;
}

test('the engineer and the customer are told of each step, the question and the beginning included', async () => {
  const filed = await fileTicket(gateway, world);
  const filter = { ticketId: filed.ticketId };
  const streams = await Promise.all([engineer, reporter, admin].map((person) => watch(person, { filter })));
  const nextOfAll = async () => {
    const [first, ...others] = await Promise.all(streams.map((stream) => stream.next()));
    const { cursor: _, ...told } = first;
    for (const { cursor: _own, ...other } of others) expect(other).toEqual(told);
    return told;
  };
  const ticket = { key: filed.key, status: 'OPEN', assignee: { email: world.engineer.email } };

  const { id: changeRequestId } = await done(engineer, 'requestChange', {
    ...{ ticketId: filed.ticketId, kind: 'SETTINGS', resourceType: 'project', resourceId: 'ACME' },
    ...{ description: 'Turn it off', justification: 'It is slow' },
    validUntil: new Date(Date.now() + day).toISOString(),
  });
  expect(await nextOfAll()).toMatchObject({
    type: 'REQUESTED',
    changeRequest: { id: changeRequestId, state: 'PENDING_CONSENT', decidedBy: null, version: 1, ticket },
  });
  await done(admin, 'consentToChange', { changeRequestId });
  expect(await nextOfAll()).toMatchObject({
    type: 'CONSENTED',
    changeRequest: { state: 'CONSENTED', decidedBy: { email: admin.email }, version: 2 },
  });
  const { id: grantId } = await done(admin, 'approveDataAccess', { ticketId: filed.ticketId });
  const use = { grantId, reason: 'APPLY_CHANGE', note: 'As agreed', country: 'DE' };
  await done(engineer, 'startSupportSession', use);
  expect(await begin(filed.key, changeRequestId)).toBe(true);
  expect(await begin(filed.key, changeRequestId)).toBe(false);
  expect(await nextOfAll()).toMatchObject({
    type: 'BEGUN',
    changeRequest: { state: 'IN_PROGRESS', version: 3, ticket: { ...ticket, site: { status: 'ACTIVE' } } },
  });
  await done(reporter, 'closeTicket', { ticketId: filed.ticketId });
  await done(engineer, 'recordChangeResult', { changeRequestId, result: 'APPLIED' });
  const recorded = { state: 'COMPLETED', result: 'APPLIED', endedBy: { email: engineer.email }, version: 4 };
  expect(await nextOfAll()).toMatchObject({ type: 'COMPLETED', changeRequest: recorded });
  await Promise.all(streams.map((stream) => stream.end()));
});

/** What ends a change request, and by which type and reason that is told. */
const endings: Record<string, (made: Awaited<ReturnType<typeof requested>>) => Promise<unknown>> = {
  'REFUSED REFUSED_BY_CUSTOMER': ({ changeRequestId }) => done(admin, 'refuseChange', { changeRequestId }),
  'REFUSED CONSENT_REVOKED': async ({ changeRequestId }) => {
    await done(admin, 'consentToChange', { changeRequestId });
    await done(reporter, 'revokeChangeConsent', { changeRequestId });
  },
  'WITHDRAWN WITHDRAWN_BY_ENGINEER': ({ changeRequestId }) =>
    done(engineer, 'withdrawChangeRequest', { changeRequestId }),
  'WITHDRAWN TICKET_CLOSED': ({ ticketId }) => done(reporter, 'closeTicket', { ticketId }),
  'WITHDRAWN TICKET_REASSIGNED': ({ ticketId }) =>
    done(world.operator, 'assignTicket', { ticketId, engineerId: null }),
  'EXPIRED TIME_ELAPSED': async () => {
    const logger = createLogger('silent');
    const database = openDatabase({ url: gateway.databaseUrl, logger });
    const clock = () => new Date(Date.now() + 2 * day);
    await expireChangeRequests({ database, clock, logger, announce: () => undefined });
    await database.dispose();
  },
  'WITHDRAWN PRODUCT_UNLICENSED': () =>
    done(world.operator, 'unlicenseProduct', { productId: world.acme.sites.original.products.jira }),
  'WITHDRAWN SITE_DEACTIVATED': () =>
    done(world.operator, 'deactivateSite', { siteId: world.acme.sites.original.id }),
};

test.each(Object.entries(endings))('%s: the engineer and the customer are told', async (told, ends) => {
  const product = told.includes('SITE') ? 'confluence' : 'jira';
  const made = await requested({ site: 'original', product });
  const filter = { ticketId: made.ticketId, types: [told.split(' ')[0]] };
  const streams = await Promise.all([engineer, admin].map((person) => watch(person, { filter })));
  await ends(made);
  for (const stream of streams) {
    const { type, changeRequest } = await stream.next();
    expect(`${type} ${changeRequest.endReason}`).toBe(told);
    expect(changeRequest).toMatchObject({ id: made.changeRequestId, state: type });
    await stream.end();
  }
});

test('an engineer who has lost the ticket sees it as it was when the change request was withdrawn', async () => {
  const { ticketId, changeRequestId, key } = await consented();
  const cursors = new Map<Person, string>();
  for (const person of [engineer, admin]) {
    const { cursor, end } = await watch(person, { filter: { ticketId } });
    cursors.set(person, cursor);
    await end();
  }
  await done(world.operator, 'assignTicket', { ticketId, engineerId: world.otherEngineer.id });
  await done(reporter, 'closeTicket', { ticketId });
  const withdrawn = { id: changeRequestId, state: 'WITHDRAWN', endReason: 'TICKET_REASSIGNED' };
  const assignee = { email: world.otherEngineer.email };
  const ticket = { key, assignee, site: { status: 'ACTIVE' }, product: { isLicensed: true } };
  for (const [person, status] of [
    [engineer, 'OPEN'],
    [admin, 'CLOSED'],
  ] as const) {
    const stream = await watch(person, { filter: { ticketId }, after: cursors.get(person) ?? '' });
    const { type, changeRequest } = await stream.next();
    expect(type).toBe('WITHDRAWN');
    expect(changeRequest).toMatchObject({ ...withdrawn, ticket: { ...ticket, status } });
    await stream.end();
  }
});

test('the current state has the open change requests, and nothing that is over', async () => {
  const over = await requested();
  await done(engineer, 'withdrawChangeRequest', { changeRequestId: over.changeRequestId });
  const open = await consented();
  for (const [{ ticketId }, ids] of [
    [over, []],
    [open, [open.changeRequestId]],
  ] as const) {
    const stream = await watch(admin, { filter: { ticketId }, withCurrentState: true });
    for (const id of ids) {
      const current = { type: 'CURRENT', changeRequest: { id, state: 'CONSENTED', version: 2 } };
      expect(await stream.nextOfAnyType()).toMatchObject(current);
    }
    expect(await stream.nextOfAnyType()).toMatchObject({
      ...{ type: 'CURRENT_COMPLETE', changeRequest: null, openChangeRequests: ids.length },
    });
    await stream.end();
  }
});

test('every entry that these tests have left is as documented', () => expectDocumentedRecords(gateway.sql));
