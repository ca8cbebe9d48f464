import { buildSchema, type DocumentNode, type ExecutionResult, type GraphQLSchema, parse } from 'graphql';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type SendText,
  subscribe,
  type Told,
  type WrittenResult,
} from '../../../src/graphql/subscriptions/subscribe.ts';

const resolved: string[] = [];
let parked: { of: { state: string } };
let shared: DocumentNode;
let own: DocumentNode;
beforeEach(() => {
  resolved.length = 0;
  parked = { of: { state: 'ACTIVE' } };
  shared = parse('subscription { grantEvents { cursor grant { state } } }');
  own = parse('subscription { grantEvents { cursor grant { ticket { accessEligibility } } } }');
});

type Resolve = (told: Told<{ state: string }>, viewer: string) => unknown;

/** Types of which every field but `accessEligibility` reads the same for all; what a field answers is noted. */
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
    resolve: (told: unknown) => told,
  });
  Object.assign(fieldsOf('GrantEvent')['grant'] ?? {}, { resolve: (told: unknown) => told });
  Object.assign(fieldsOf('Grant')['ticket'] ?? {}, { resolve: (told: unknown) => told });
  for (const [type, field, answer] of [
    ['Grant', 'state', resolve.state],
    ['Ticket', 'accessEligibility', resolve.accessEligibility ?? (() => '')],
  ] as const) {
    Object.assign(fieldsOf(type)[field] ?? {}, {
      resolve: (told: Told<{ state: string }>, _: unknown, viewer: string) => {
        resolved.push(`${field} for ${viewer}`);
        return answer(told, viewer);
      },
    });
  }
  return schema;
}

async function* toldTo(viewer: string, events: readonly { of: { state: string } }[]) {
  for (const { of } of events) yield { of, cursor: `${viewer}'s` } satisfies Told;
}

async function begin(
  schema: GraphQLSchema,
  viewer: string,
  options: {
    document?: DocumentNode;
    events?: (typeof parked)[];
    sendText?: SendText;
    variableValues?: Record<string, unknown>;
    mayStillTell?: (told: Told) => Promise<boolean>;
  } = {},
) {
  const { document = shared, events = [parked], sendText, variableValues, mayStillTell } = options;
  const told = Object.assign(toldTo(viewer, events), mayStillTell && { mayStillTell });
  const args = { schema, document, rootValue: told, contextValue: viewer, ...{ variableValues } };
  const results = await subscribe(args, sendText);
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results));
  return results;
}

async function all(results: AsyncIterable<WrittenResult>): Promise<WrittenResult[]> {
  const taken: WrittenResult[] = [];
  for await (const result of results) taken.push(result);
  return taken;
}

const isActive = (cursor: string): ExecutionResult => ({
  data: { grantEvents: { cursor, grant: { state: 'ACTIVE' } } },
});

describe('an event that reads the same for all', () => {
  test('is carried out for the first, and each gets it with a cursor of their own', async () => {
    const schema = schemaWith({ state: ({ of }) => of.state });
    const results = await Promise.all(
      ['Ann', 'Ben', 'Cyd'].map(async (viewer) => all(await begin(schema, viewer))),
    );
    expect(results.map(([result]) => JSON.parse(result?.stringify?.() ?? 'null'))).toEqual(
      ["Ann's", "Ben's", "Cyd's"].map(isActive),
    );
    expect(results.map(([result]) => result)).toMatchObject(["Ann's", "Ben's", "Cyd's"].map(isActive));
    expect(resolved).toEqual(['state for Ann']);
  });

  test('is carried out once also while the first is still waiting for it', async () => {
    const gate = Promise.withResolvers<string>();
    const schema = schemaWith({ state: () => gate.promise });
    const pending = Promise.all(['Ann', 'Ben'].map(async (viewer) => all(await begin(schema, viewer))));
    gate.resolve('ACTIVE');
    expect((await pending).map(([result]) => result)).toMatchObject(["Ann's", "Ben's"].map(isActive));
    expect(resolved).not.toContain('state for Ben');
  });

  test('goes as text where text is taken, at the pace of whoever takes it', async () => {
    const schema = schemaWith({ state: ({ of }) => of.state });
    const texts: string[] = [];
    const caughtUp = Promise.withResolvers<undefined>();
    const events = [parked, { of: { state: 'REVOKED' } }];
    const sendText = (text: string) => {
      texts.push(text);
      return caughtUp.promise;
    };
    const results = await begin(schema, 'Ann', { events, sendText });
    const end = all(results);
    await expect.poll(() => texts.length).toBe(1);
    expect(texts.map((text) => JSON.parse(text))).toEqual([isActive("Ann's")]);
    caughtUp.resolve(undefined);
    expect(await end).toEqual([]);
    expect(texts).toHaveLength(2);
  });

  test('is not sent once the subscription was ended', async () => {
    const gate = Promise.withResolvers<string>();
    const schema = schemaWith({ state: () => gate.promise });
    const texts: string[] = [];
    const results = await begin(schema, 'Ann', { sendText: (text) => void texts.push(text) });
    const next = results.next();
    await expect.poll(() => resolved).toContain('state for Ann');
    const returned = results.return?.();
    gate.resolve('ACTIVE');
    expect(await next).toEqual({ done: true, value: undefined });
    await returned;
    expect(texts).toEqual([]);
  });

  test.each(['as text', 'as a result'])(
    'is not told when it may not be heard any more once it has been read: %s',
    async (how) => {
      const gate = Promise.withResolvers<string>();
      const schema = schemaWith({ state: ({ of }) => (of === parked.of ? gate.promise : of.state) });
      const texts: string[] = [];
      const stream = await begin(schema, 'Ann', {
        events: [parked, { of: { state: 'REVOKED' } }],
        mayStillTell: async ({ of }) => of !== parked.of,
        ...(how === 'as text' && { sendText: (text: string) => void texts.push(text) }),
      });
      const end = all(stream);
      gate.resolve('ACTIVE');
      const results = await end;
      const told = [...texts, ...results.map((result) => JSON.stringify(result))];
      expect(told).toEqual([expect.stringContaining('REVOKED')]);
    },
  );

  test('is not shared by who gave no variable and who gave null', async () => {
    const schema = schemaWith({ state: ({ of }) => of.state });
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

  test('comes as a result to each when it failed, and not as text', async () => {
    const schema = schemaWith({
      state() {
        throw new Error('the database is away');
      },
    });
    const texts: string[] = [];
    const sendText = (text: string) => void texts.push(text);
    for (const viewer of ['Ann', 'Ben']) {
      const [result] = await all(await begin(schema, viewer, { sendText }));
      expect(result).toMatchObject({ data: null, errors: [{ message: 'the database is away' }] });
      expect(result?.stringify).toBeUndefined();
    }
    expect(texts).toEqual([]);
  });

  test('holds no cursor of somebody else, whatever people write into it', async () => {
    const schema = schemaWith({ state: () => '"cursor to come", {}' });
    const [result] = await all(await begin(schema, 'Ann'));
    expect(JSON.parse(result?.stringify?.() ?? '')).toEqual({
      data: { grantEvents: { cursor: "Ann's", grant: { state: '"cursor to come", {}' } } },
    });
  });
});

test('an event that may read differently is carried out for each viewer', async () => {
  const schema = schemaWith({
    state: ({ of }) => of.state,
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

test('what differs is found in fragments, and by the operation that is carried out', async () => {
  const schema = schemaWith({ state: ({ of }) => of.state, accessEligibility: (_, viewer) => viewer });
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
