/** What a hostile or a broken client sends to the decision point: it is refused, and the next question is answered. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Decider, EvaluationItem } from '../../../src/access/evaluation.ts';
import { type AccessServer, decideFixture, startAccessServer } from './fixture.ts';

const evaluation = '/access/v1/evaluation';
const evaluations = '/access/v1/evaluations';
const question = {
  subject: { type: 'user', id: 'alice' },
  action: { name: 'read' },
  resource: { type: 'record', id: 'record-1' },
};
const body = JSON.stringify(question);

const asked: EvaluationItem[] = [];
const decide: Decider<string> = (items, ...rest) => {
  asked.push(...items);
  return decideFixture(items, ...rest);
};

let server: AccessServer;
beforeAll(async () => {
  server = await startAccessServer({ decide });
});
afterAll(() => server[Symbol.asyncDispose]());

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const withContext = (context: string) => `${body.slice(0, -1)},"context":${context}}`;
const bytes = (...parts: (string | number)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.of(part))));

describe('refused with 400, before anybody decides', () => {
  test.each<[string, string | Uint8Array, RegExp]>([
    ['an array', `[${body}]`, /^The request must be an object\.$/],
    ['null', 'null', /^The request must be an object\.$/],
    ['two values', `${body}${body}`, /not JSON/],
    ['a comment', `/* */${body}`, /not JSON/],
    ['NaN', withContext('{"at":NaN}'), /not JSON/],
    ['a member twice', `{"subject":{"type":"user","id":"bob"},${body.slice(1)}`, /"subject" occurs twice/],
    ['a member twice, once escaped', body.replace('"id"', '"\\u0069d":"bob","id"'), /"id" occurs twice/],
    ['a member twice in a property', withContext('{"a":[{"b":1,"c":{},"b":2}]}'), /"b" occurs twice/],
    ['21 levels', withContext(`{"a":${nested(19)}}`), /more than 20 levels/],
    ['100,000 levels', withContext(`{"a":${nested(100_000)}}`), /more than 20 levels/],
    ['a NUL', body.replace('alice', 'ali\\u0000ce'), /NUL/],
    ['half of a surrogate pair', body.replace('alice', '\\ud83d'), /surrogate/],
    ['invalid UTF-8', bytes('{"subject":"', 0xff, '"}'), /not UTF-8/],
    ['UTF-16', Buffer.from(body, 'utf16le'), /not (UTF-8|JSON)/],
    ['compressed', gzipSync(body), /not UTF-8/],
    [
      'a very long id',
      JSON.stringify({ ...question, subject: { type: 'user', id: 'x'.repeat(1_001) } }),
      /^subject\.id must have at most 1000/,
    ],
    [
      'entities in arrays',
      '{"subject":["user","alice"],"action":["read"],"resource":[]}',
      /^subject must be an object/,
    ],
    ['80,000 items', `{"evaluations":[${Array(80_000).fill('{}').join()}]}`, /at most 200/],
  ])('%s', async (_case, hostile, message) => {
    asked.length = 0;
    const answer = await server.post(evaluations, hostile);
    expect(answer.text).toMatch(message);
    expect(answer.status).toBe(400);
    expect(asked).toEqual([]);
    expect((await server.post(evaluation, question)).json).toMatchObject({ decision: true });
  });

  test.each([
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'application/jsonp',
    'multipart/form-data',
    '',
  ])('the content type %j', async (type) => {
    const answer = await server.post(evaluation, question, { 'content-type': type });
    expect(answer.status).toBe(400);
  });
});

test('names of prototypes are names like others, and change no object', async () => {
  asked.length = 0;
  const members = '"__proto__":{"type":"user","id":"alice"},"constructor":{"prototype":{"id":"x"}}';
  const polluted = withContext(`{${members}}`).replace(
    '"id":"alice"',
    `"id":"alice","properties":{${members}}`,
  );
  expect((await server.post(evaluation, `{${members},${polluted.slice(1)}`)).json).toMatchObject({
    decision: true,
  });
  const [item] = asked;
  const properties = { constructor: { prototype: { id: 'x' } } };
  expect(item).toEqual({
    evaluation: { ...question, subject: { ...question.subject, properties }, context: properties },
  });
  expect(
    Object.getOwnPropertyNames((item as { evaluation: { context: object } }).evaluation.context),
  ).toEqual(['constructor']);
  expect(({} as { id?: unknown }).id).toBeUndefined();
  const missing = await server.post(evaluation, `{"__proto__":${body}}`);
  expect(missing).toMatchObject({ status: 400, text: 'subject is missing.' });
});

test('20 levels, ids of 1,000 characters and a byte order mark are accepted', async () => {
  const id = 'é'.repeat(1_000);
  const long = JSON.stringify({ ...question, resource: { type: 'record', id } });
  const deep = `${long.slice(0, -1)},"context":{"a":${nested(18)}}}`;
  expect((await server.post(evaluation, `\ufeff${deep}`)).json).toMatchObject({ decision: true });
});

test('any JSON gets an answer with a decision, or 400', async () => {
  const entity = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(question)));
  const request = fc.record(
    {
      ...{ subject: entity, action: entity, resource: entity, context: fc.jsonValue() },
      evaluations: fc.oneof(fc.jsonValue(), fc.array(fc.record({ subject: entity }, { requiredKeys: [] }))),
      options: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(request, fc.jsonValue()), async (value) => {
      const { status, json, text } = await server.post(evaluations, JSON.stringify(value));
      if (status === 400) return text.length > 0;
      const answer = json as { decision?: unknown; evaluations?: { decision: unknown }[] };
      const decisions = answer.evaluations ?? [answer];
      return status === 200 && decisions.every(({ decision }) => typeof decision === 'boolean');
    }),
    { numRuns: 100 },
  );
});

/** Sends the text over one connection, and returns everything that comes back until the server closes it. */
async function exchange(text: string): Promise<string> {
  const { hostname, port } = new URL(server.origin);
  const socket = connect(Number(port), hostname).setEncoding('utf8');
  await once(socket, 'connect');
  socket.write(text);
  let received = '';
  for await (const chunk of socket) received += chunk;
  return received;
}

const head = (method: string, more: string) =>
  `${method} ${evaluation} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/json\r\n${more}\r\n`;

function pipelined(subject: string, id: string, more = ''): string {
  const text = JSON.stringify({
    ...question,
    subject: { type: 'user', id: subject },
    action: { name: 'write' },
  });
  return `${head('POST', `X-Request-ID: ${id}\r\nContent-Length: ${text.length}\r\n${more}`)}${text}`;
}

test('pipelined questions are answered in their order', async () => {
  const subjects = ['alice', 'bob', 'bob', 'alice', 'eve'];
  const received = await exchange(
    subjects
      .map((subject, at) => pipelined(subject, `r-${at}`, at === 4 ? 'Connection: close\r\n' : ''))
      .join(''),
  );
  const answers = [...received.matchAll(/x-request-id: (.*)\r\n[\s\S]*?"decision":(true|false)/gi)];
  expect(answers.map(([, id, decision]) => [id, decision])).toEqual([
    ...[
      ['r-0', 'true'],
      ['r-1', 'false'],
      ['r-2', 'false'],
      ['r-3', 'true'],
      ['r-4', 'false'],
    ],
  ]);
});

test('100 questions at once are each answered for themselves', async () => {
  const subjects = Array.from({ length: 100 }, (_, at) => (at % 3 === 0 ? 'alice' : 'bob'));
  const answers = await Promise.all(
    subjects.map((id) =>
      server.post(evaluation, { ...question, subject: { type: 'user', id }, action: { name: 'write' } }),
    ),
  );
  expect(answers.map(({ json }) => (json as { decision: boolean }).decision)).toEqual(
    subjects.map((id) => id === 'alice'),
  );
});

test('what follows a refused body is not taken for a question', async () => {
  const smuggled = pipelined('alice', 'smuggled');
  asked.length = 0;
  const received = await exchange(`${head('POST', 'Content-Length: 300000\r\n')}${smuggled}`);
  expect(received).toMatch(/^HTTP\/1\.1 413 /);
  expect(received).not.toContain('smuggled');
  expect(asked).toEqual([]);
});

test.each([
  ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n'],
  ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n'],
  ['a wrong length', 'Content-Length: -1\r\n'],
])('a request with %s is refused, and its connection closed', async (_case, lengths) => {
  asked.length = 0;
  expect(await exchange(`${head('POST', lengths)}{}`)).toMatch(/^HTTP\/1\.1 400 /);
  expect(asked).toEqual([]);
});
