import { buildSchema, type DocumentNode, type ExecutionResult, type GraphQLSchema, parse } from 'graphql';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type SendText,
  type SerializedResult,
  type SourceEvent,
  subscribe,
} from '../../../src/graphql/subscriptions/subscribe.ts';
import { eventually } from '../../support/eventually.ts';

const resolved: string[] = [];
let parked: { payload: { state: string } };
let shared: DocumentNode;
let own: DocumentNode;
beforeEach(() => {
  resolved.length = 0;
  parked = { payload: { state: 'ACTIVE' } };
  shared = parse('subscription { grantEvents { cursor grant { state } } }');
  own = parse('subscription { grantEvents { cursor grant { ticket { accessEligibility } } } }');
});

type Resolve = (event: SourceEvent<{ state: string }>, viewer: string) => unknown;

/** Types whose fields, except `accessEligibility`, are viewer-independent. Each call of a resolver is recorded. */
function schemaWith(resolve: { state: Resolve; accessEligibility?: Resolve }): GraphQLSchema {
  const schema = buildSchema(`
    type Query { nothing: String }
    type Subscription { grantEvents(after: String): GrantEvent! }
    type GrantEvent { cursor: String! grant: Grant! }
    type Grant { state: String! ticket: Ticket! }
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
    subscribe: (source: AsyncIterable<unknown>) => source,
    resolve: (event: unknown) => event,
  });
  Object.assign(fieldsOf('GrantEvent')['grant'] ?? {}, { resolve: (event: unknown) => event });
  Object.assign(fieldsOf('Grant')['ticket'] ?? {}, { resolve: (event: unknown) => event });
  for (const [type, field, answer] of [
    ['Grant', 'state', resolve.state],
    ['Ticket', 'accessEligibility', resolve.accessEligibility ?? (() => '')],
  ] as const) {
    Object.assign(fieldsOf(type)[field] ?? {}, {
      resolve: (event: SourceEvent<{ state: string }>, _: unknown, viewer: string) => {
        resolved.push(`${field} for ${viewer}`);
        return answer(event, viewer);
      },
    });
  }
  return schema;
}

async function* sourceFor(viewer: string, events: readonly { payload: { state: string } }[]) {
  for (const { payload } of events) yield { payload, cursor: `${viewer}'s` } satisfies SourceEvent;
}

async function begin(
  schema: GraphQLSchema,
  viewer: string,
  options: {
    document?: DocumentNode;
    events?: (typeof parked)[];
    sendText?: SendText;
    variableValues?: Record<string, unknown>;
    mayStillReceive?: (event: SourceEvent) => Promise<boolean>;
  } = {},
) {
  const { document = shared, events = [parked], sendText, variableValues, mayStillReceive } = options;
  const source = Object.assign(sourceFor(viewer, events), mayStillReceive && { mayStillReceive });
  const args = { schema, document, rootValue: source, contextValue: viewer, ...{ variableValues } };
  const results = await subscribe(args, sendText);
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results));
  return results;
}

async function all(results: AsyncIterable<SerializedResult>): Promise<SerializedResult[]> {
  const taken: SerializedResult[] = [];
  for await (const result of results) taken.push(result);
  return taken;
}

const isActive = (cursor: string): ExecutionResult => ({
  data: { grantEvents: { cursor, grant: { state: 'ACTIVE' } } },
});

describe('an event with the same result for every viewer', () => {
  test('is executed for the first subscriber, and each gets the result with their own cursor', async () => {
    const schema = schemaWith({ state: ({ payload }) => payload.state });
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
    const schema = schemaWith({ state: ({ payload }) => payload.state });
    const texts: string[] = [];
    const caughtUp = Promise.withResolvers<undefined>();
    const events = [parked, { payload: { state: 'REVOKED' } }];
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
    const next = results.next();
    await eventually(() => expect(resolved).toContain('state for Ann'));
    const returned = results.return?.();
    gate.resolve('ACTIVE');
    expect(await next).toEqual({ done: true, value: undefined });
    await returned;
    expect(texts).toEqual([]);
  });

  test.each(['as text', 'as a result'])(
    'is not delivered if the viewer lost the right to it during its execution: %s',
    async (how) => {
      const gate = Promise.withResolvers<string>();
      const schema = schemaWith({
        state: ({ payload }) => (payload === parked.payload ? gate.promise : payload.state),
      });
      const texts: string[] = [];
      const stream = await begin(schema, 'Ann', {
        events: [parked, { payload: { state: 'REVOKED' } }],
        mayStillReceive: async ({ payload }) => payload !== parked.payload,
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
    const schema = schemaWith({ state: ({ payload }) => payload.state });
    const document = parse(
      'subscription ($isWanted: Boolean = true) { grantEvents { cursor grant { state @include(if: $isWanted) } } }',
    );
    const [withNull] = await all(
      await begin(schema, 'Ann', { document, variableValues: { isWanted: null } }),
    );
    const [without] = await all(await begin(schema, 'Ben', { document, variableValues: {} }));
    expect(withNull?.errors).toHaveLength(1);
    expect(without).toMatchObject(isActive("Ben's"));
  });

  test('that failed is returned to each as a result, not as text', async () => {
    const schema = schemaWith({
      state() {
        throw new Error('the database is unavailable');
      },
    });
    const texts: string[] = [];
    const sendText = (text: string) => void texts.push(text);
    for (const viewer of ['Ann', 'Ben']) {
      const [result] = await all(await begin(schema, viewer, { sendText }));
      expect(result).toMatchObject({ data: null, errors: [{ message: 'the database is unavailable' }] });
      expect(result?.stringify).toBeUndefined();
    }
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
    state: ({ payload }) => payload.state,
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

test('a field that depends on the viewer is found in fragments, too', async () => {
  const schema = schemaWith({
    state: ({ payload }) => payload.state,
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
