/** Every status of the decision point over HTTP, and what comes with it. */
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Decider, EvaluationItem } from '../../../src/access/evaluation.ts';
import { IdentityUnavailableError } from '../../../src/identity/tokens.ts';
import { generousMs } from '../../support/deadlines.ts';
import { DatabaseGoneError } from '../server-fixture.ts';
import { type AccessServer, type Answer, decideFixture, otherBackend, startAccessServer } from './fixture.ts';

const evaluation = '/access/v1/evaluation';
const evaluations = '/access/v1/evaluations';
const metadata = '/.well-known/authzen-configuration';
const question = {
  subject: { type: 'user', id: 'alice' },
  action: { name: 'read' },
  resource: { type: 'record', id: 'record-1' },
};

let server: AccessServer;
beforeAll(async () => {
  server = await startAccessServer();
});
afterAll(() => server[Symbol.asyncDispose]());

function expectPlain({ status, headers, text }: Answer, expected: number, message: unknown): void {
  expect({ status, text }).toEqual({ status: expected, text: message });
  expect(headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
}

const json = { 'content-type': 'application/json' };
const body = JSON.stringify(question);

describe.each([evaluation, evaluations])('%s', (path) => {
  test('200: nobody may store the answer, whatever it is', async () => {
    for (const subject of [question.subject, { type: 'user', id: 'eve' }]) {
      const { status, headers } = await server.post(path, { ...question, subject });
      expect(status).toBe(200);
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });

  test('401 without a token', async () => {
    const answer = await server.send(path, { method: 'POST', headers: json, body });
    expectPlain(answer, 401, expect.stringContaining('token of a service account'));
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each(['Bearer abc', 'Basic amlyYTpqaXJh', 'Bearer', ''])(
    '401 with the header %j',
    async (authorization) => {
      const answer = await server.post(path, question, { authorization });
      expectPlain(answer, 401, expect.any(String));
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    },
  );

  test('403 for an account that may not ask', async () => {
    const authorization = `Bearer ${await server.tokenOf('erin@vendor.example')}`;
    const answer = await server.post(path, question, { authorization });
    expectPlain(answer, 403, expect.stringContaining('ACCESS_EVALUATION'));
  });

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('405 for %s', async (method) => {
    const answer = await server.send(path, { method });
    expectPlain(answer, 405, method === 'HEAD' ? '' : 'Use POST here.');
    expect(answer.headers.get('allow')).toBe('POST');
  });

  test('413 for a body that is too large', async () => {
    const large = { ...question, context: { text: 'x'.repeat(256 * 1024) } };
    expectPlain(await server.post(path, large), 413, expect.stringContaining('larger than 262144 bytes'));
  });

  test('500 tells nothing but the id of the error', async () => {
    await using broken = await startAccessServer({
      decide: () => Promise.reject(new Error('password is hunter2')),
    });
    expectPlain(
      await broken.post(path, question),
      500,
      expect.stringMatching(/^Something went wrong on our side\. Quote [\w-]{36} when you report it\.$/),
    );
    expect(broken.log.entries).toMatchObject([{ level: 'error' }]);
  });

  test('503 while the database is unavailable', async () => {
    await using offline = await startAccessServer({
      decide: () => Promise.reject(new DatabaseGoneError('10.0.0.7')),
    });
    const answer = await offline.post(path, question, { 'x-request-id': 'r-1' });
    expectPlain(answer, 503, expect.stringContaining('cannot reach its database'));
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.headers.get('x-request-id')).toBe('r-1');
  });

  test('503 when there is no answer in time', async () => {
    await using slow = await startAccessServer({
      decide: () => new Promise(() => {}),
      limits: { operationMs: 50 },
    });
    const answer = await slow.post(path, question);
    expectPlain(answer, 503, 'There was no answer in time.');
    expect(answer.headers.get('retry-after')).toBe('5');
  });

  test('503 while tokens cannot be verified', async () => {
    await using blind = await startAccessServer({
      authenticate: () => Promise.reject(new IdentityUnavailableError('The keys cannot be fetched.')),
    });
    const answer = await blind.post(path, question);
    expectPlain(answer, 503, expect.any(String));
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.headers.get('www-authenticate')).toBeNull();
  });
});

test('503 while the gateway drains; a question that was asked before is answered', async () => {
  const asked = Promise.withResolvers<void>();
  const allowed = Promise.withResolvers<void>();
  await using draining = await startAccessServer({
    async decide(...question) {
      asked.resolve();
      await allowed.promise;
      return await decideFixture(...question);
    },
    limits: { socketCloseMs: generousMs, shutdownMs: generousMs },
  });
  const stalled = draining.openSocket();
  await once(stalled, 'open');
  stalled.pause();
  const earlier = draining.post(evaluation, question);
  await asked.promise;
  const disposal = draining.server.dispose();

  for (const path of [evaluation, evaluations]) {
    const later = await draining.post(path, question, { 'x-request-id': 'late' });
    expectPlain(later, 503, expect.stringContaining('shutting down'));
    expect(later.headers.get('retry-after')).toBe('1');
    expect(later.headers.get('x-request-id')).toBe('late');
  }
  allowed.resolve();
  expect(await earlier).toMatchObject({ status: 200, json: { decision: true } });
  stalled.terminate();
  await disposal;
});

test('503 for a backend with too many evaluations that wait; another one is answered', async () => {
  const asked = Promise.withResolvers<void>();
  const allowed = Promise.withResolvers<void>();
  await using flooded = await startAccessServer({
    async decide(items, ...rest) {
      if (items.length > 1) {
        asked.resolve();
        await allowed.promise;
      }
      return await decideFixture(items, ...rest);
    },
    limits: { evaluationsPerBearer: 3 },
  });
  const several = { ...question, evaluations: [{}, {}, {}] };
  const waiting = flooded.post(evaluations, several);
  await asked.promise;
  const refused = await flooded.post(evaluation, question);
  expectPlain(refused, 503, expect.stringContaining('More than 3 of your evaluations wait'));
  expect(refused.headers.get('retry-after')).toBe('5');
  const authorization = `Bearer ${await flooded.tokenOf(otherBackend)}`;
  expect((await flooded.post(evaluation, question, { authorization })).status).toBe(200);
  allowed.resolve();
  expect((await waiting).status).toBe(200);
  expect((await flooded.post(evaluations, several)).status).toBe(200);
  expect((await flooded.post(evaluations, { ...question, evaluations: [{}, {}, {}, {}] })).status).toBe(503);
});

describe('the identification of the request', () => {
  test.each(['', 'a', 'with spaces, and = "marks"', 'x'.repeat(200)])(
    'is returned as it is: %j',
    async (id) => {
      const { status, headers } = await server.post(evaluation, question, { 'x-request-id': id });
      expect(status).toBe(200);
      expect(headers.get('x-request-id')).toBe(id);
    },
  );

  test.each([
    ['too long', 'x'.repeat(201)],
    ['not ASCII', 'é'],
    ['a tab', 'a\tb'],
  ])('is refused if it cannot be returned: %s', async (_case, id) => {
    const answer = await server.post(evaluation, question, { 'x-request-id': id });
    expectPlain(answer, 400, 'X-Request-ID must have at most 200 characters of visible ASCII.');
    expect(answer.headers.get('x-request-id')).toBeNull();
  });

  test('is no idempotency key: the same one is answered for each question', async () => {
    const headers = { 'x-request-id': 'same' };
    const first = await server.post(evaluation, question, headers);
    const second = await server.post(evaluation, { ...question, action: { name: 'erase' } }, headers);
    expect([first.json, second.json]).toMatchObject([{ decision: true }, { decision: false }]);
  });

  test.each([401, 403, 405])('comes with %i as well', async (status) => {
    const headers = { ...json, 'x-request-id': 'r-2' };
    const authorization = `Bearer ${await server.tokenOf('erin@vendor.example')}`;
    const answer = await server.send(
      evaluation,
      {
        401: { method: 'POST', headers, body },
        403: { method: 'POST', headers: { ...headers, authorization }, body },
        405: { method: 'PUT', headers, body },
      }[status as 401],
    );
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-request-id')).toBe('r-2');
  });
});

describe('a batch', () => {
  const read = { resource: question.resource };
  const write = { ...read, action: { name: 'write' } };
  const ask = (subject: string, items: unknown[], evaluations_semantic: string) =>
    server.post(evaluations, {
      ...{ subject: { type: 'user', id: subject }, action: { name: 'read' }, evaluations: items },
      options: { evaluations_semantic, another_option: 'value' },
    });
  const decisionsOf = ({ json }: Answer) =>
    (json as { evaluations: { decision: boolean }[] }).evaluations.map(({ decision }) => decision);

  test.each([
    ['execute_all', [read, write, read], [true, false, true]],
    ['deny_on_first_deny', [read, write, read], [true, false]],
    ['deny_on_first_deny', [read, {}, read], [true, false]],
    ['deny_on_first_deny', [read, read], [true, true]],
    ['permit_on_first_permit', [write, read, read], [false, true]],
    ['permit_on_first_permit', [7, read, read], [false, true]],
    ['permit_on_first_permit', [write, write], [false, false]],
  ])('%s ends where it says: %j', async (semantic, items, expected) => {
    const answer = await ask('bob', items, semantic);
    expect(answer.status).toBe(200);
    expect(decisionsOf(answer)).toEqual(expected);
  });

  test.each<[string, object, string]>([
    [
      'an unknown semantic',
      { options: { evaluations_semantic: 'execute_some' } },
      'options.evaluations_semantic must be one of execute_all, deny_on_first_deny, permit_on_first_permit.',
    ],
    ['options of another type', { options: 'execute_all' }, 'options must be an object.'],
    ['options that are null', { options: null }, 'options must be an object.'],
    ['items of another type', { evaluations: { 0: read } }, 'evaluations must be an array.'],
    ['items that are null', { evaluations: null }, 'evaluations must be an array.'],
    ['201 items', { evaluations: Array(201).fill(read) }, 'evaluations must have at most 200 items.'],
    [
      'a wrong default, also where each item replaces it',
      { subject: 7, evaluations: [question] },
      'subject must be an object.',
    ],
    [
      'an incomplete default',
      { subject: { id: 'bob' }, evaluations: [question] },
      'subject.type is missing.',
    ],
    ['a context that is no object', { context: [], evaluations: [question] }, 'context must be an object.'],
  ])('400 for %s', async (_case, more, message) => {
    expectPlain(await server.post(evaluations, { ...question, evaluations: [read], ...more }), 400, message);
  });

  test('200 items are answered', async () => {
    expect(decisionsOf(await ask('bob', Array(200).fill(read), 'execute_all'))).toEqual(
      Array(200).fill(true),
    );
  });

  test('what is wrong with an item is passed on, to be answered and recorded', async () => {
    const items: EvaluationItem[] = [];
    const decide: Decider<string> = (asked, ...rest) => {
      items.push(...asked);
      return decideFixture(asked, ...rest);
    };
    await using recording = await startAccessServer({ decide });
    await recording.post(evaluations, {
      evaluations: [
        question,
        null,
        [],
        { ...question, subject: null },
        { ...question, action: { name: 1 } },
        {},
      ],
    });
    expect(items).toEqual([
      { evaluation: question },
      { broken: 'The request must be an object.' },
      { broken: 'The request must be an object.' },
      { broken: 'subject must be an object.' },
      { broken: 'action.name must be a string.' },
      { broken: 'subject is missing.' },
    ]);
  });
});

describe('metadata', () => {
  test('do not depend on what the request says about its way', async () => {
    const forwarded = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example;proto=http' };
    const { text, headers } = await server.send(metadata, {
      headers: { ...forwarded, 'x-request-id': 'r-3' },
    });
    expect(text).not.toContain('evil');
    expect(headers.get('cache-control')).toBe('max-age=300');
    expect(headers.get('x-request-id')).toBe('r-3');
  });

  test('name where the server listens unless another address is set', async () => {
    await using local = await startAccessServer({ url: 'where it listens' });
    expect((await local.send(metadata, {})).json).toMatchObject({ policy_decision_point: local.origin });
  });

  test('404 where the public address is not known', async () => {
    await using unknown = await startAccessServer({ url: null });
    expectPlain(await unknown.send(metadata, {}), 404, expect.stringContaining('PUBLIC_URL'));
  });

  test('405 for POST', async () => {
    expectPlain(await server.post(metadata, question), 405, 'Use GET here.');
  });
});
