import { buildSchema, type DocumentNode, type ExecutionResult, type GraphQLSchema, parse } from 'graphql';
import { beforeEach, describe, expect, test } from 'vitest';
import { FeedUnavailableError } from '../../../src/events/errors.ts';
import type { Delivery } from '../../../src/events/subscriber.ts';
import type { SerializedResult } from '../../../src/graphql/subscriptions/shared-results.ts';
import { createSubscribe, type SendText } from '../../../src/graphql/subscriptions/subscribe.ts';
import { eventually } from '../../support/eventually.ts';
import { pushed } from '../../support/push.ts';

const resolved: string[] = [];
type Event = { state: string };
let parked: Event;
let shared: DocumentNode;
let own: DocumentNode;
beforeEach(() => {
  resolved.length = 0;
  parked = { state: 'ACTIVE' };
  shared = parse('subscription { grantEvents { cursor grant { state } } }');
  own = parse('subscription { grantEvents { cursor grant { ticket { accessEligibility } } } }');
});

type Resolve = (delivery: Delivery<Event>, viewer: string) => unknown;

/** Types whose fields, except `accessEligibility`, are viewer-independent. Each call of a resolver is recorded. */
function schemaWith(resolve: { state: Resolve; accessEligibility?: Resolve; note?: Resolve }): GraphQLSchema {
  const schema = buildSchema(`
    type Query { nothing: String }
    type Subscription { grantEvents(after: String): GrantEvent! }
    type GrantEvent { cursor: String! grant: Grant! }
    type Grant { state: String! ticket: Ticket! note: String }
    type Ticket { accessEligibility: String! key: String! }
  `);
  const fieldsOf = (name: string) => {
    const type = schema.getType(name);
    if (type === undefined || !('getFields' in type)) throw new Error(name);
    return type.getFields();
  };
  for (const field of ['GrantEvent', 'Grant', 'Ticket'].flatMap((name) => Object.values(fieldsOf(name)))) {
    field.extensions = { viewerIndependent: field.name !== 'accessEligibility' };
  }
  Object.assign(fieldsOf('Subscription')['grantEvents'] ?? {}, {
    subscribe: (source: unknown) => source,
    resolve: (event: unknown) => event,
  });
  Object.assign(fieldsOf('GrantEvent')['grant'] ?? {}, { resolve: (event: unknown) => event });
  Object.assign(fieldsOf('Grant')['ticket'] ?? {}, { resolve: (event: unknown) => event });
  for (const [type, field, answer] of [
    ['Grant', 'state', resolve.state],
    ['Ticket', 'accessEligibility', resolve.accessEligibility ?? (() => '')],
    ['Grant', 'note', resolve.note ?? (() => null)],
  ] as const) {
    Object.assign(fieldsOf(type)[field] ?? {}, {
      resolve: (delivery: Delivery<Event>, _: unknown, viewer: string) => {
        resolved.push(`${field} for ${viewer}`);
        return answer(delivery, viewer);
      },
    });
  }
  return schema;
}

class UnavailableError extends Error {}

async function* deliveriesTo(viewer: string, events: readonly Event[]): AsyncGenerator<Delivery<Event>> {
  for (const event of events) yield { event, cursor: `${viewer}'s` };
}

async function begin(
  schema: GraphQLSchema,
  viewer: string,
  options: {
    document?: DocumentNode;
    events?: Event[];
    sendText?: SendText;
    variableValues?: Record<string, unknown>;
    mayStillReceive?: (event: Event) => Promise<boolean>;
    rights?: () => unknown;
    outage?: number;
  } = {},
) {
  const { document = shared, events = [parked], sendText, variableValues, outage = 30_000 } = options;
  const source = {
    ...pushed(deliveriesTo(viewer, events)),
    mayStillReceive: async () => true,
    rights: () => viewer,
    [Symbol.asyncIterator]: () => expect.fail('it is not iterated'),
    ...(options.mayStillReceive && { mayStillReceive: options.mayStillReceive }),
    ...(options.rights && { rights: options.rights }),
  };
  const args = { schema, document, rootValue: source, contextValue: viewer, ...{ variableValues } };
  const isUnavailable = (error: unknown) => error instanceof UnavailableError;
  const results = await createSubscribe({ isUnavailable, outage })(args, sendText);
  if (!('start' in results)) throw new Error(JSON.stringify(results));
  return results;
}

type Results = Awaited<ReturnType<typeof begin>>;

/** All results; rejects with the error that ends them. */
async function all(results: Results): Promise<SerializedResult[]> {
  const taken: SerializedResult[] = [];
  const end = Promise.withResolvers<void>();
  results.start({
    onEvent: (result) => void taken.push(result),
    onEnd: (error) => (error === undefined ? end.resolve() : end.reject(error)),
  });
  await end.promise;
  return taken;
}

const isActive = (cursor: string): ExecutionResult => ({
  data: { grantEvents: { cursor, grant: { state: 'ACTIVE' } } },
});

describe('an event with the same result for every viewer', () => {
  test('is executed for the first subscriber, and each gets the result with their own cursor', async () => {
    const schema = schemaWith({ state: ({ event }) => event.state });
    const results = await Promise.all(
      ['Ann', 'Ben', 'Cyd'].map(async (viewer) => all(await begin(schema, viewer))),
    );
    expect(results.map(([result]) => JSON.parse(result?.stringify?.() ?? 'null'))).toEqual(
      ["Ann's", "Ben's", "Cyd's"].map(isActive),
    );
    expect(results.map(([result]) => result)).toMatchObject(["Ann's", "Ben's", "Cyd's"].map(isActive));
    expect(resolved).toEqual(['state for Ann']);
  });

  test('is executed once also while the first subscriber is still waiting for it', async () => {
    const gate = Promise.withResolvers<string>();
    const schema = schemaWith({ state: () => gate.promise });
    const pending = Promise.all(['Ann', 'Ben'].map(async (viewer) => all(await begin(schema, viewer))));
    gate.resolve('ACTIVE');
    expect((await pending).map(([result]) => result)).toMatchObject(["Ann's", "Ben's"].map(isActive));
    expect(resolved).not.toContain('state for Ben');
  });

  test('is sent as text where text is accepted, and waits for the receiver', async () => {
    const schema = schemaWith({ state: ({ event }) => event.state });
    const texts: string[] = [];
    const caughtUp = Promise.withResolvers<undefined>();
    const events = [parked, { state: 'REVOKED' }];
    const sendText = (text: string) => {
      texts.push(text);
      return caughtUp.promise;
    };
    const results = await begin(schema, 'Ann', { events, sendText });
    const end = all(results);
    await eventually(() => expect(texts).toHaveLength(1));
    expect(texts.map((text) => JSON.parse(text))).toEqual([isActive("Ann's")]);
    caughtUp.resolve(undefined);
    expect(await end).toEqual([]);
    expect(texts).toHaveLength(2);
  });

  test('is not sent after the subscription has ended', async () => {
    const gate = Promise.withResolvers<string>();
    const schema = schemaWith({ state: () => gate.promise });
    const texts: string[] = [];
    const results = await begin(schema, 'Ann', { sendText: (text) => void texts.push(text) });
    void all(results);
    await eventually(() => expect(resolved).toContain('state for Ann'));
    results.end();
    gate.resolve('ACTIVE');
    await new Promise(setImmediate);
    expect(texts).toEqual([]);
  });

  test.each(['as text', 'as a result'])(
    'is not delivered if the viewer lost the right to it during its execution: %s',
    async (how) => {
      const gate = Promise.withResolvers<string>();
      const schema = schemaWith({
        state: ({ event }) => (event === parked ? gate.promise : event.state),
      });
      const texts: string[] = [];
      const stream = await begin(schema, 'Ann', {
        events: [parked, { state: 'REVOKED' }],
        mayStillReceive: async (event) => event !== parked,
        ...(how === 'as text' && { sendText: (text: string) => void texts.push(text) }),
      });
      const end = all(stream);
      gate.resolve('ACTIVE');
      const results = await end;
      const delivered = [...texts, ...results.map((result) => JSON.stringify(result))];
      expect(delivered).toEqual([expect.stringContaining('REVOKED')]);
    },
  );

  test('is not shared between a missing variable and null', async () => {
    const schema = schemaWith({ state: ({ event }) => event.state });
    const document = parse(
      'subscription ($isWanted: Boolean = true) { grantEvents { cursor grant { state @include(if: $isWanted) } } }',
    );
    const withNull = begin(schema, 'Ann', { document, variableValues: { isWanted: null } });
    await expect(withNull.then(all)).rejects.toThrow('must not be null');
    const [without] = await all(await begin(schema, 'Ben', { document, variableValues: {} }));
    expect(without).toMatchObject(isActive("Ben's"));
  });

  test('without data ends each subscription with its error: nothing follows an event that was not delivered', async () => {
    const schema = schemaWith({
      state({ event }) {
        if (event === parked) throw new Error('it is broken');
        return event.state;
      },
    });
    const texts: string[] = [];
    const sendText = (text: string) => void texts.push(text);
    for (const viewer of ['Ann', 'Ben']) {
      const events = [{ state: 'REQUESTED' }, parked, { state: 'REVOKED' }];
      await expect(begin(schema, viewer, { events, sendText }).then(all)).rejects.toThrow('it is broken');
    }
    expect(texts).toEqual([expect.stringContaining('REQUESTED'), expect.stringContaining('REQUESTED')]);
  });

  test('of which a nullable field failed is a result with data and errors, not a text', async () => {
    const schema = schemaWith({
      state: ({ event }) => event.state,
      note() {
        throw new Error('it is broken');
      },
    });
    const document = parse('subscription { grantEvents { grant { state note } } }');
    const texts: string[] = [];
    const sendText = (text: string) => void texts.push(text);
    const [result] = await all(await begin(schema, 'Ann', { document, sendText }));
    expect(result).toMatchObject({
      data: { grantEvents: { grant: { state: 'ACTIVE', note: null } } },
      errors: [{ message: 'it is broken' }],
    });
    expect(result?.stringify).toBeUndefined();
    expect(texts).toEqual([]);
  });

  test('contains no other cursor, whatever text its fields contain', async () => {
    const schema = schemaWith({ state: () => '"cursor placeholder", {}' });
    const [result] = await all(await begin(schema, 'Ann'));
    expect(JSON.parse(result?.stringify?.() ?? '')).toEqual({
      data: { grantEvents: { cursor: "Ann's", grant: { state: '"cursor placeholder", {}' } } },
    });
  });
});

test('an event whose result depends on the viewer is executed for each viewer', async () => {
  const schema = schemaWith({
    state: ({ event }) => event.state,
    accessEligibility: (_, viewer) => `for ${viewer}`,
  });
  const results = await Promise.all(
    ['Ann', 'Ben'].map(async (viewer) => all(await begin(schema, viewer, { document: own }))),
  );
  expect(results.map(([result]) => result?.data)).toEqual(
    ['Ann', 'Ben'].map((viewer) => ({
      grantEvents: { cursor: `${viewer}'s`, grant: { ticket: { accessEligibility: `for ${viewer}` } } },
    })),
  );
  expect(resolved).toEqual(['accessEligibility for Ann', 'accessEligibility for Ben']);
});

test('an event whose result depends on the viewer is executed again if their rights change meanwhile', async () => {
  let rights = 'admin';
  const schema = schemaWith({
    state: ({ event }) => event.state,
    accessEligibility() {
      const read = rights;
      rights = 'none';
      return read;
    },
  });
  const results = await all(await begin(schema, 'Ann', { document: own, rights: () => rights }));
  expect(results).toMatchObject([
    { data: { grantEvents: { grant: { ticket: { accessEligibility: 'none' } } } } },
  ]);
  expect(resolved).toHaveLength(2);
});

describe.each([
  ['shared', 'state'],
  ['of each viewer', 'ticket { accessEligibility }'],
])('an event that cannot be read while the database is unavailable, %s', (_, selection) => {
  let document: DocumentNode;
  const events = [{ state: 'ACTIVE' }, { state: 'REVOKED' }];
  beforeEach(() => {
    // Results are shared by document.
    document = parse(`subscription { grantEvents { cursor grant { ${selection} note } } }`);
  });

  /** Fails so often, in a field that may be null and in one that may not. */
  function failing(times: number) {
    let failures = 0;
    const fail = ({ event }: Delivery<Event>) => {
      failures += 1;
      if (failures <= times) throw new UnavailableError('gone');
      return event.state;
    };
    return schemaWith({ state: fail, accessEligibility: fail, note: fail });
  }

  test('is delivered when it can be read, before the next', async () => {
    const results = await all(await begin(failing(5), 'Ann', { document, events }));
    expect(results.map(({ errors }) => errors)).toEqual([undefined, undefined]);
    const texts = results.map((result) => JSON.stringify(result));
    expect(texts).toEqual([expect.stringContaining('ACTIVE'), expect.stringContaining('REVOKED')]);
  });

  test('ends the subscription after the outage, and nothing follows it', async () => {
    const taken: unknown[] = [];
    const results = await begin(failing(Number.POSITIVE_INFINITY), 'Ann', { document, events, outage: 300 });
    const end = Promise.withResolvers<Error | undefined>();
    results.start({ onEvent: (result) => void taken.push(result), onEnd: end.resolve });
    expect(await end.promise).toBeInstanceOf(FeedUnavailableError);
    expect(taken).toEqual([]);
  });
});

test('a field that depends on the viewer is found in fragments, too', async () => {
  const schema = schemaWith({
    state: ({ event }) => event.state,
    accessEligibility: (_, viewer) => viewer,
  });
  const document = parse(`
    subscription { grantEvents { grant { ...State ...Own } } }
    fragment State on Grant { state }
    fragment Own on Grant { ticket { accessEligibility } }
  `);
  for (const viewer of ['Ann', 'Ben']) {
    const [result] = await all(await begin(schema, viewer, { document }));
    expect(result?.data).toEqual({
      grantEvents: { grant: { state: 'ACTIVE', ticket: { accessEligibility: viewer } } },
    });
  }
});
