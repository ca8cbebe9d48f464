/** Event streams whose events have their cursors as ids, and which resume by `Last-Event-ID`. */
import { describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { changeRequestEvents, grantEvent, sessionEvents } from '../events/events.ts';
import { openPool, write } from '../events/gateway.ts';
import { startGateway } from '../support/gateway.ts';
import { done } from '../support/world.ts';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ada = 'ada@customer.example';

type Event = { id: string | undefined; name: string | undefined; data: Record<string, unknown> | null };
type StreamRequest = { query: string; variables?: Record<string, unknown> };

async function* eventsOf(response: Response): AsyncGenerator<Event, undefined> {
  let buffered = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    buffered += chunk;
    const blocks = buffered.split('\n\n');
    buffered = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
      const data = field('data');
      const name = field('event');
      if (name !== undefined) yield { id: field('id'), name, data: data ? JSON.parse(data) : null };
    }
  }
}

/** Reads a whole stream. Returns its events as `[id, data]`. */
async function readAll(server: TestServer, body: StreamRequest, lastEventId?: string): Promise<unknown[]> {
  const headers = {
    accept: 'text/event-stream',
    ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
  };
  const response = await server.post(body, { email: ada, headers });
  const received: unknown[] = [];
  for await (const { id, name, data } of eventsOf(response)) {
    if (name === 'next') received.push([id, data?.['data']]);
  }
  return received;
}

const numbered = (...numbers: number[]) =>
  numbers.map((number) => [`cursor-${number}`, { numbered: { cursor: `cursor-${number}`, number } }]);

describe('an event', () => {
  test('has its cursor as id', async () => {
    await using server = await startTestServer();
    const received = await readAll(server, { query: 'subscription { numbered { cursor number } }' });
    expect(received).toEqual(numbered(1, 2, 3));
  });

  test.each([
    ['does not select the cursor', '{ numbered { number } }', { numbered: { number: 1 } }],
    [
      'gives the name of the cursor to a text with a line break',
      '{ numbered { cursor: text } }',
      { numbered: { cursor: 'two\nlines' } },
    ],
    ['has events without a cursor', '{ count(to: 1) }', { count: 1 }],
  ])('has no id if the request %s', async (_case, selection, data) => {
    await using server = await startTestServer();
    const [first] = await readAll(server, { query: `subscription ${selection}` });
    expect(first).toEqual([undefined, data]);
  });
});

describe('a request with Last-Event-ID resumes after that event', () => {
  test.each<[string, StreamRequest]>([
    ['no `after`', { query: 'subscription { numbered { cursor number } }' }],
    ['null for it', { query: 'subscription { numbered(after: null) { cursor number } }' }],
    [
      'no value for its variable',
      { query: 'subscription ($after: String) { numbered(after: $after) { cursor number } }' },
    ],
    [
      'null for its variable',
      {
        query: 'subscription ($after: String) { numbered(after: $after) { cursor number } }',
        variables: { after: null },
      },
    ],
    [
      'a fragment',
      { query: 'subscription { ...F } fragment F on Subscription { numbered { cursor number } }' },
    ],
  ])('if it has %s', async (_case, body) => {
    await using server = await startTestServer();
    expect(await readAll(server, body, 'cursor-1')).toEqual(numbered(2, 3));
    expect(await readAll(server, body)).toEqual(numbered(1, 2, 3));
  });

  test.each<[string, StreamRequest]>([
    ['itself', { query: 'subscription { numbered(after: "cursor-2") { cursor number } }' }],
    [
      'in a variable',
      {
        query: 'subscription ($after: String) { numbered(after: $after) { cursor number } }',
        variables: { after: 'cursor-2' },
      },
    ],
  ])('unless it gives another cursor %s', async (_case, body) => {
    await using server = await startTestServer();
    expect(await readAll(server, body, 'cursor-1')).toEqual(numbered(3));
  });

  test('unless the subscription cannot resume', async () => {
    await using server = await startTestServer();
    const received = await readAll(server, { query: 'subscription { count(to: 2) }' }, 'cursor-1');
    expect(received).toEqual([
      [undefined, { count: 1 }],
      [undefined, { count: 2 }],
    ]);
  });
});

test('events resume by Last-Event-ID, even if the request asks for the current state', async () => {
  // Without the job that deletes events that are as old as these.
  await using gateway = await startGateway({ maintenance: false });
  await using own = openPoolOf(gateway.databaseUrl);
  const operator = await gateway.as('operator@vendor.example');
  await done(operator, 'addSupportEngineer', { email: 'erin@vendor.example', name: 'Erin' });
  const { rows } = await gateway.sql.query(`SELECT id FROM accounts WHERE email = 'erin@vendor.example'`);
  const { token } = await gateway.as('erin@vendor.example');
  const audience = {
    organizationId: newId(),
    siteId: newId(),
    reporterId: newId(),
    engineerIds: [String(rows[0].id)],
  };
  const open = async (field: string, lastEventId?: string) => {
    const headers = {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const body = JSON.stringify({ query: `subscription { ${field} { id cursor } }` });
    return eventsOf(await fetch(`${gateway.url}/graphql`, { method: 'POST', headers, body }));
  };
  for (const [field, before, missed] of [
    ['grantEvents', grantEvent({ audience }), grantEvent({ audience })],
    ['sessionEvents', ...sessionEvents(audience)],
    ['changeRequestEvents', ...changeRequestEvents(audience)],
  ] as const) {
    const stream = await open(field);
    const { value: started } = await stream.next();
    expect(started).toMatchObject({ data: { data: { [field]: { cursor: started?.id } } } });
    await write(own.pool, before);
    const { value: first } = await stream.next();
    expect(first).toMatchObject({ data: { data: { [field]: { id: before.id, cursor: first?.id } } } });
    await stream.return(undefined);

    await write(own.pool, missed);
    for (const [lastEventId, expected] of [
      [started?.id, [before.id, missed.id]],
      [first?.id, [missed.id]],
    ] as const) {
      const resumed = await open(`${field}(withCurrentState: true)`, lastEventId);
      await resumed.next();
      for (const id of expected) {
        const { value } = await resumed.next();
        expect(value).toMatchObject({ data: { data: { [field]: { id, cursor: value?.id } } } });
      }
      await resumed.return(undefined);
    }
  }
});

function openPoolOf(url: string) {
  const pool = openPool(url, 1);
  return { pool, [Symbol.asyncDispose]: () => pool.end() };
}
