import { buildSchema, getIntrospectionQuery } from 'graphql';
import { describe, expect, test } from 'vitest';
import { multiplied, shapes } from './multiplying-documents.ts';
import { startTestServer, type TestServer, WrongCursorError } from './server-fixture.ts';

type Payload = { query: string; variables?: Record<string, unknown>; operationName?: string };
type Result = {
  data?: unknown;
  errors?: { message: string; path?: unknown; extensions?: Record<string, unknown> }[];
};

/** Runs an operation over each transport, and resolves to its first result. */
const transports: Record<string, (server: TestServer, payload: Payload) => Promise<Result>> = {
  async HTTP(server, payload) {
    const response = await server.post(payload, { email: 'ada@customer.example' });
    return (await response.json()) as Result;
  },
  async 'server-sent events'(server, payload) {
    const response = await server.post(payload, {
      email: 'ada@customer.example',
      headers: { accept: 'text/event-stream' },
    });
    const text = await response.text();
    return JSON.parse(/^event: next\ndata: (.*)$/m.exec(text)?.[1] ?? text) as Result;
  },
  async WebSocket(server, payload) {
    const client = await server.connect('ada@customer.example');
    try {
      for await (const result of client.iterate(payload)) return result as Result;
      throw new Error('No result.');
    } catch (error) {
      if (Array.isArray(error)) return { errors: error };
      throw error;
    }
  },
};

const sums = (count: number, name: string) =>
  Array.from({ length: count }, (_, index) => `${name}${index}: add(to: 0)`).join(' ');
const additions = (count: number) => `mutation { ${sums(count, 'a')} }`;
const bulkOf = (selection: string) =>
  `mutation ($input: AddInBulkInput!) { addInBulk(input: $input) { ${selection} } }`;
const items = (count: number) => Array.from({ length: count }, () => 1);

const times = (count: number, text: (at: number) => string) =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');
/** Fragments that double at each level, and stay below the number of selections that is allowed. */
const doubling = times(
  10,
  (at) => `fragment D${at} on Query { ${at === 9 ? 'serial' : `...D${at + 1} ...D${at + 1}`} }`,
);
const tooMany = 'items(first: 100) { nodes { items(first: 100) { nodes { id } } } }';

describe.each(Object.entries(transports))('over %s', (_name, run) => {
  const deep = (levels: number) =>
    `{ items { nodes { ${'parent { '.repeat(levels - 3)} id ${'} '.repeat(levels - 3)} } } }`;

  test.each<[string, Payload, unknown]>([
    ['a query', { query: '{ hello }' }, { hello: 'hello world' }],
    [
      'variables',
      { query: 'query ($name: String) { hello(name: $name) }', variables: { name: 'Ada' } },
      { hello: 'hello Ada' },
    ],
    [
      'the operation named',
      { query: 'query A { hello } query B { whoAmI }', operationName: 'B' },
      { whoAmI: 'ada@customer.example' },
    ],
    ['a mutation', { query: 'mutation { add(to: 1) }' }, { add: 2 }],
    [
      'ten mutations',
      { query: additions(10) },
      { a0: 1, a1: 1, a2: 1, a3: 1, a4: 1, a5: 1, a6: 1, a7: 1, a8: 1, a9: 1 },
    ],
    [
      'one mutation by two fragments',
      {
        query: `mutation { ...A ...B }
          fragment A on Mutation { addInBulk(input: {}) { results { id } } }
          fragment B on Mutation { addInBulk(input: {}) { results { id } } }`,
      },
      { addInBulk: { results: [] } },
    ],
    [
      'as many items of a bulk mutation as allowed',
      { query: bulkOf('results { id }'), variables: { input: { items: items(5_000 - 1) } } },
      { addInBulk: { results: [] } },
    ],
    ['the bearer, for the resolvers', { query: '{ whoAmI }' }, { whoAmI: 'ada@customer.example' }],
    ['as deep as allowed', { query: deep(15) }, { items: { nodes: [] } }],
    [
      'as deep as allowed, through fragments, which do not count as levels',
      {
        query: `{ items { ...A } }
          fragment A on ItemConnection { nodes { ... on Item { ...B } } }
          fragment B on Item { parent { parent { parent { parent { parent { parent { ...C } } } } } } }
          fragment C on Item { parent { parent { parent { parent { parent { parent { id } } } } } } }`,
      },
      { items: { nodes: [] } },
    ],
    [
      'as many aliases as allowed',
      { query: `{ ${Array.from({ length: 50 }, (_, n) => `a${n}: serial`).join(' ')} }` },
      expect.anything(),
    ],
    [
      'as many equal fields as allowed',
      { query: `{ ${times(100, () => 'serial')} }` },
      { serial: expect.any(Number) },
    ],
    [
      'as many objects as allowed',
      { query: '{ items(first: 100) { nodes { items(first: 99) { nodes { id } } } } }' },
      { items: { nodes: [] } },
    ],
  ])('executes: %s', async (_case, payload, data) => {
    await using server = await startTestServer();
    expect(await run(server, payload)).toEqual({ data });
  });

  test('executes introspection, although it is deep', async () => {
    await using server = await startTestServer();
    const query = getIntrospectionQuery({
      inputValueDeprecation: true,
      schemaDescription: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      oneOf: true,
    });
    expect(await run(server, { query })).toMatchObject({ data: { __schema: {} } });
  });

  test('answers an introspection that was asked before as it was prepared', async () => {
    const schema = buildSchema('type Query { hello: String }');
    await using server = await startTestServer({ schema });
    const [query, other] = ['{ __schema { description } }', '{ __schema { description __typename } }'];
    expect(await run(server, { query })).toEqual({ data: { __schema: { description: null } } });
    schema.description = 'Executed anew';
    expect(await run(server, { query })).toEqual({ data: { __schema: { description: null } } });
    expect(await run(server, { query: other })).toMatchObject({
      data: { __schema: { description: 'Executed anew' } },
    });
  });

  test.each<[string, Payload, string, RegExp]>([
    ['a malformed document', { query: '{ hello' }, 'GRAPHQL_PARSE_FAILED', /Syntax Error/],
    [
      'an unknown field',
      { query: '{ unknown }' },
      'GRAPHQL_VALIDATION_FAILED',
      /Cannot query field "unknown"/,
    ],
    [
      'several operations, none of them named',
      { query: 'query A { hello } query B { hello }' },
      'OPERATION_RESOLUTION_FAILURE',
      /operation/,
    ],
    [
      'an unknown operation name',
      { query: 'query A { hello }', operationName: 'B' },
      'OPERATION_RESOLUTION_FAILURE',
      /operation/,
    ],
    [
      'a variable of another type',
      { query: 'query ($times: Int) { hello(times: $times) }', variables: { times: 'many' } },
      'BAD_USER_INPUT',
      /Variable "\$times" got invalid value "many"/,
    ],
    [
      'too long a document',
      { query: `{ hello } ${'#'.repeat(32 * 1024)}` },
      'DOCUMENT_LIMIT_EXCEEDED',
      /characters/,
    ],
    ['too many tokens', { query: `{ ${'hello '.repeat(2_001)} }` }, 'GRAPHQL_PARSE_FAILED', /2000 tokens/],
    [
      'too many mutations',
      { query: additions(11) },
      'OPERATION_LIMIT_EXCEEDED',
      /has 11 mutations; the limit is 10\. Nothing was run/,
    ],
    [
      'too many mutations, through fragments',
      {
        query: `mutation { ...A ... on Mutation { ${sums(5, 'b')} } } fragment A on Mutation { ${sums(6, 'a')} }`,
      },
      'OPERATION_LIMIT_EXCEEDED',
      /has 11 mutations/,
    ],
    [
      'two bulk mutations',
      { query: 'mutation { a: addInBulk(input: {}) { __typename } b: addInBulk(input: {}) { __typename } }' },
      'OPERATION_LIMIT_EXCEEDED',
      /has 2 bulk mutations; the limit is 1\. Nothing was run/,
    ],
    [
      'a bulk mutation of too many items',
      { query: bulkOf('__typename'), variables: { input: { items: items(10_000) } } },
      'OPERATION_LIMIT_EXCEEDED',
      /10001 objects/,
    ],
    [
      'a bulk mutation of too many results',
      { query: bulkOf('results { id }'), variables: { input: { items: items(5_000) } } },
      'OPERATION_LIMIT_EXCEEDED',
      /10001 objects/,
    ],
    ['too deep', { query: deep(16) }, 'DOCUMENT_LIMIT_EXCEEDED', /deeper than 15 levels/],
    [
      'too deep, through fragments',
      {
        query: `{ items { nodes { ...A } } }
          fragment A on Item { parent { parent { parent { parent { ...B } } } } }
          fragment B on Item { parent { parent { parent { parent { ...C } } } } }
          fragment C on Item { parent { parent { parent { parent { parent { id } } } } } }`,
      },
      'DOCUMENT_LIMIT_EXCEEDED',
      /deeper than 15 levels/,
    ],
    [
      'introspection in circles',
      {
        query:
          '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }',
      },
      'GRAPHQL_VALIDATION_FAILED',
      /introspection depth/,
    ],
    [
      'too many aliases',
      { query: `{ ${Array.from({ length: 51 }, (_, n) => `a${n}: serial`).join(' ')} }` },
      'DOCUMENT_LIMIT_EXCEEDED',
      /more than 50 aliases/,
    ],
    ...Object.entries(shapes).map(([name, shape]): [string, Payload, string, RegExp] => [
      `too many selections: 28 times ${name}`,
      { query: multiplied(shape, 28) },
      'DOCUMENT_LIMIT_EXCEEDED',
      /more than 5000 fields and fragments/,
    ]),
    [
      'too many objects',
      { query: `{ ${tooMany} }` },
      'OPERATION_LIMIT_EXCEEDED',
      /up to 10100 objects; the limit is 10000/,
    ],
    [
      'too many objects, by variables',
      {
        query:
          'query ($n: Int) { items(first: $n) { nodes { items(first: $n) { edges { node { id } } } } } }',
        variables: { n: 100 },
      },
      'OPERATION_LIMIT_EXCEEDED',
      /10100 objects/,
    ],
    [
      'too many objects, by default page sizes',
      { query: '{ items { nodes { items { nodes { items { nodes { items { nodes { id } } } } } } } } }' },
      'OPERATION_LIMIT_EXCEEDED',
      /168420 objects/,
    ],
    [
      'too many objects, by ids',
      {
        query: 'query ($ids: [ID!]!) { nodes(ids: $ids) { items(first: 100) { nodes { id } } } }',
        variables: { ids: Array.from({ length: 100 }, String) },
      },
      'OPERATION_LIMIT_EXCEEDED',
      /10100 objects/,
    ],
    [
      'two introspections, one of them in a fragment',
      {
        query: '{ __schema { types { name } } ...A } fragment A on Query { a: __schema { types { name } } }',
      },
      'OPERATION_LIMIT_EXCEEDED',
      /__schema once, in an operation of its own/,
    ],
    [
      'an introspection beside data',
      { query: '{ __schema { types { name } } hello }' },
      'OPERATION_LIMIT_EXCEEDED',
      /__schema once, in an operation of its own/,
    ],
    [
      'too large an introspection',
      {
        query: `{ __schema { ${times(5, (at) => `t${at}: types { fields { args { type { name } } } }`)} } }`,
      },
      'OPERATION_LIMIT_EXCEEDED',
      /10500 objects/,
    ],
    [
      'too many aliases of __typename',
      { query: `{ ${times(51, (at) => `a${at}: __typename`)} }` },
      'DOCUMENT_LIMIT_EXCEEDED',
      /more than 50 aliases/,
    ],
    [
      'too many aliases named __typename in fragments',
      {
        query: `{ ${times(51, (at) => `...F${at}`)} } ${times(51, (at) => `fragment F${at} on Query { __typename: hello }`)}`,
      },
      'DOCUMENT_LIMIT_EXCEEDED',
      /more than 50 aliases/,
    ],
    ...(
      [
        ['fields', times(490, () => 'serial')],
        ['fields that select others', `list { ${times(101, () => 'parent { id }')} }`],
        ['fields in equal fields', `${times(50, () => 'list { id id id }')}`],
        ['fields in fragments', times(120, () => '... { serial }')],
      ] as const
    ).map(([name, selected]): [string, Payload, string, RegExp] => [
      `too many equal ${name}`,
      { query: `{ ${selected} }` },
      'DOCUMENT_LIMIT_EXCEEDED',
      /of one name too often at one place/,
    ]),
    [
      'too many equal fields in a fragment that nothing spreads',
      { query: `{ hello } fragment F on Query { ${times(490, () => 'serial')} }` },
      'DOCUMENT_LIMIT_EXCEEDED',
      /of one name too often at one place/,
    ],
    ...[
      '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
      '{ hello } fragment A on Query { ...A }',
    ].map((query): [string, Payload, string, RegExp] => [
      `a fragment that spreads itself: ${query}`,
      { query },
      'GRAPHQL_VALIDATION_FAILED',
      /spreads itself/,
    ]),
    ...Object.entries({
      'a field': '{ hallo }',
      'an argument': '{ hello(nane: "Ada") }',
      'a type': '{ ... on Querry { hello } }',
      'a literal of an enum': '{ __type(name: "X") { name } hello(shade: DRAK) }',
      'a field of an input': 'mutation { addInBulk(input: { itemz: [1] }) { __typename } }',
    }).map(([name, query]): [string, Payload, string, RegExp] => [
      `${name} that is nearly right, without a suggestion`,
      { query },
      'GRAPHQL_VALIDATION_FAILED',
      /^(?!.*did you mean)/i,
    ]),
    ...(
      [
        ['an enum', 'query ($value: Shade) { hello(shade: $value) }', 'DRAK'],
        [
          'a field of an input',
          'mutation ($value: AddInBulkInput!) { addInBulk(input: $value) { __typename } }',
          { itemz: [1] },
        ],
      ] as const
    ).map(([name, query, value]): [string, Payload, string, RegExp] => [
      `${name} in a variable that is nearly right, without a suggestion`,
      { query, variables: { value } },
      'BAD_USER_INPUT',
      /^(?!.*did you mean)/i,
    ]),
    [
      'too many objects beside fragments that double',
      { query: `{ ...D0 ${tooMany} } ${doubling}` },
      'OPERATION_LIMIT_EXCEEDED',
      /10100 objects/,
    ],
    [
      'too many objects beside a directive with null for a variable that has a default',
      {
        query: `query ($with: Boolean = true) { hello @include(if: $with) ${tooMany} }`,
        variables: { with: null },
      },
      'OPERATION_LIMIT_EXCEEDED',
      /cannot count what the operation may return/,
    ],
    [
      'objects that cannot be counted, of a mutation',
      {
        query: 'mutation ($to: Int = 1) { add(to: $to) }',
        variables: { to: null },
      },
      'OPERATION_LIMIT_EXCEEDED',
      /cannot count/,
    ],
    [
      'objects that cannot be counted, because an argument is null',
      {
        query: `query ($ids: [ID!] = ["a"]) { nodes(ids: $ids) { id } ${tooMany} }`,
        variables: { ids: null },
      },
      'OPERATION_LIMIT_EXCEEDED',
      /cannot count .* Argument "ids" of non-null type/,
    ],
    [
      'wrong variables, and too many objects',
      { query: `query ($times: Int) { hello(times: $times) ${tooMany} }`, variables: { times: 'many' } },
      'BAD_USER_INPUT',
      /Variable "\$times" got invalid value "many"/,
    ],
    ['a field the schema refuses', { query: '{ refused }' }, 'FORBIDDEN', /^You may not\.$/],
    [
      'a subscription the schema refuses',
      { query: 'subscription { refusedValues }' },
      'FORBIDDEN',
      /^You may not\.$/,
    ],
  ])('refuses %s', async (_case, payload, code, message) => {
    await using server = await startTestServer();
    const { errors } = await run(server, payload);
    expect(errors).toHaveLength(1);
    expect(errors?.[0]?.message).toMatch(message);
    expect(errors?.[0]?.extensions).toEqual({ code });
    expect(server.log.entries).toEqual([]);
  });

  test('counts the objects of a document anew when its variables have other sizes', async () => {
    await using server = await startTestServer();
    const query = `query ($n: Int, $ids: [ID!]!, $more: Boolean!) {
      items(first: $n) { nodes { id items(first: 99) @include(if: $more) { nodes { id } } } }
      nodes(ids: $ids) { items(first: 99) { nodes { id } } }
    }`;
    const ask = async (n: number, ids: number, more: boolean) => {
      const variables = { n, ids: Array.from({ length: ids }, String), more };
      const { errors } = await run(server, { query, variables });
      return errors?.map(({ message }) => message) ?? 'executed';
    };
    const tooMany = [expect.stringContaining('objects; the limit is 10000')];
    for (const _ of ['first', 'again']) {
      expect(await ask(50, 1, true)).toBe('executed');
      expect(await ask(100, 1, true)).toEqual(tooMany);
      expect(await ask(100, 1, false)).toBe('executed');
      expect(await ask(50, 100, true)).toEqual(tooMany);
    }
  });

  test.each([
    ['an unexpected error', '{ broken }', /hunter2/],
    ['null for a non-null field', '{ brokenNonNull }', /Cannot return null/],
    ['a value of another type', '{ badValue }', /secret row/],
  ])('reveals only the id of %s, which is logged', async (_case, query, secret) => {
    await using server = await startTestServer();
    const result = await run(server, { query });

    const { message, extensions } = result.errors?.[0] ?? {};
    expect(extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', errorId: expect.any(String) });
    expect(message).toContain(String(extensions?.['errorId']));
    expect(JSON.stringify(result)).not.toMatch(secret);
    expect(server.log.entries).toHaveLength(1);
    const [entry] = server.log.entries;
    expect(entry).toMatchObject({ level: 'error', fields: { errorId: extensions?.['errorId'] } });
    expect(String(entry?.fields['err'])).toMatch(secret);
  });

  test('shows the errors of libraries for which the policy has a code', async () => {
    await using server = await startTestServer({
      errors: { codeFor: (error) => (error instanceof WrongCursorError ? 'BAD_USER_INPUT' : undefined) },
    });
    expect(await run(server, { query: '{ wrongCursor }' })).toMatchObject({
      errors: [{ message: 'Not a cursor.', path: ['wrongCursor'], extensions: { code: 'BAD_USER_INPUT' } }],
    });
    expect(server.log.entries).toEqual([]);

    await using strict = await startTestServer();
    expect(await run(strict, { query: '{ wrongCursor }' })).toMatchObject({
      errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
  });

  test('says that the database is unavailable, and reveals no address', async () => {
    await using server = await startTestServer();
    const result = await run(server, { query: '{ offline hello }' });
    expect(result).toMatchObject({
      data: { offline: null, hello: 'hello world' },
      errors: [{ path: ['offline'], extensions: { code: 'SERVICE_UNAVAILABLE' } }],
    });
    expect(JSON.stringify(result)).not.toContain('10.0.0.7');
  });

  test.each(['{ hangs }', 'subscription { hangingValues }'])(
    'ends an operation that takes too long: %s',
    async (query) => {
      await using server = await startTestServer({ limits: { operationMs: 50 } });
      const { errors } = await run(server, { query });
      expect(errors).toMatchObject([{ extensions: { code: 'TOOK_TOO_LONG' } }]);
    },
  );

  test.each([
    ['slow', () => new Promise<never>(() => {}), 'TOOK_TOO_LONG'],
    ['broken', () => Promise.reject(new Error('password is hunter2')), 'INTERNAL_SERVER_ERROR'],
  ])('answers with an error if creating the context is %s', async (_case, createContext, code) => {
    await using server = await startTestServer({ limits: { operationMs: 50 }, createContext });
    const result = await run(server, { query: '{ hello }' });
    expect(result.errors).toMatchObject([{ extensions: { code } }]);
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  test('creates a new context for each operation', async () => {
    await using server = await startTestServer();
    const serials = [];
    for (let n = 0; n < 3; n++) serials.push(await run(server, { query: '{ serial again: serial }' }));
    expect(serials).toEqual([1, 2, 3].map((serial) => ({ data: { serial, again: serial } })));
  });
});
