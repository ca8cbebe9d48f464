/**
 * The certification scenario of the OpenID AuthZEN Authorization API 1.0, levels Basic, Batch and Discovery. Each test
 * has the title of its section there.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccessServer, publicUrl, startAccessServer } from './fixture.ts';

let server: AccessServer;
beforeAll(async () => {
  server = await startAccessServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const evaluation = '/access/v1/evaluation';
const evaluations = '/access/v1/evaluations';

const alice = { type: 'user', id: 'alice' };
const bob = { type: 'user', id: 'bob' };
const admin = { ...bob, properties: { role: 'admin' } };
const record1 = { type: 'record', id: 'record-1' };
const record2 = { type: 'record', id: 'record-2' };
const active = { ...record1, properties: { status: 'active' } };
const archived = { ...record2, properties: { status: 'archived' } };
const read = { name: 'read' };
const write = { name: 'write' };
const question = { subject: alice, action: read, resource: record1 };

async function decision(body: unknown): Promise<unknown> {
  const { status, json } = await server.post(evaluation, body);
  expect(status).toBe(200);
  return (json as { decision: unknown }).decision;
}

async function decisions(body: unknown): Promise<unknown[]> {
  const { status, json } = await server.post(evaluations, body);
  expect(status).toBe(200);
  expect(json).not.toHaveProperty('decision');
  return (json as { evaluations: { decision: unknown }[] }).evaluations.map((answer) => answer.decision);
}

describe('required policy behaviour', () => {
  test.each([
    ['1: alice may read record-1', question, true],
    ['2: alice may write record-1', { ...question, action: write }, true],
    ['3: bob may read record-1', { ...question, subject: bob }, true],
    ['4: bob may not write record-1', { ...question, subject: bob, action: write }, false],
    ['5: alice may not write what is archived', { subject: alice, action: write, resource: archived }, false],
    ['6: an admin may write what is archived', { subject: admin, action: write, resource: archived }, true],
    [
      '7: alice may delete softly',
      { ...question, action: { name: 'delete', properties: { soft: true } } },
      true,
    ],
    [
      '8: alice may not delete',
      { ...question, action: { name: 'delete', properties: { soft: false } } },
      false,
    ],
  ])('%s', async (_rule, body, expected) => {
    expect(await decision(body)).toBe(expected);
  });
});

describe('Basic: request acceptance', () => {
  test('request with optional context', async () => {
    expect(
      await decision({ ...question, context: { time: '2025-06-27T18:03-07:00', ip: '192.168.1.1' } }),
    ).toBe(true);
  });

  test('request with additional properties', async () => {
    expect(
      await decision({
        subject: { ...alice, properties: { department: 'Sales', role: 'manager' } },
        action: { ...read, properties: { method: 'GET' } },
        resource: { ...record1, properties: { status: 'active', owner: 'bob' } },
      }),
    ).toBe(true);
  });

  test('request with unknown fields', async () => {
    expect(await decision({ ...question, foo: 'bar', futureField: { nested: true } })).toBe(true);
  });
});

test('Basic: response format', async () => {
  const { status, headers, json } = await server.post(evaluation, question);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^application\/json\b/);
  expect(json).toEqual({ decision: true, context: expect.any(Object) });
});

describe('Basic: error handling', () => {
  const { subject: _s, ...withoutSubject } = question;
  const { action: _a, ...withoutAction } = question;
  const { resource: _r, ...withoutResource } = question;
  test.each<[string, unknown, string]>([
    ['missing required fields: subject', withoutSubject, 'subject is missing.'],
    ['missing required fields: action', withoutAction, 'action is missing.'],
    ['missing required fields: resource', withoutResource, 'resource is missing.'],
    [
      'missing sub-fields: subject.type',
      { ...question, subject: { id: 'alice' } },
      'subject.type is missing.',
    ],
    ['missing sub-fields: subject.id', { ...question, subject: { type: 'user' } }, 'subject.id is missing.'],
    ['missing sub-fields: action.name', { ...question, action: {} }, 'action.name is missing.'],
    [
      'missing sub-fields: resource.type',
      { ...question, resource: { id: 'record-1' } },
      'resource.type is missing.',
    ],
    [
      'missing sub-fields: resource.id',
      { ...question, resource: { type: 'record' } },
      'resource.id is missing.',
    ],
    ['malformed JSON', '{"subject": ', 'The body is not JSON. Check its quotes and commas.'],
    ['empty request body', '', 'The body is not JSON. Check its quotes and commas.'],
    ['invalid field types: subject', { ...question, subject: 'alice' }, 'subject must be an object.'],
    [
      'invalid field types: action.name',
      { ...question, action: { name: 123 } },
      'action.name must be a string.',
    ],
  ])('%s', async (_section, body, message) => {
    for (const path of [evaluation, evaluations]) {
      const { status, text } = await server.post(path, body);
      expect({ status, text }).toEqual({ status: 400, text: message });
    }
  });

  test.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded'])(
    'invalid content type: %s',
    async (type) => {
      const { status, text } = await server.post(evaluation, question, { 'content-type': type });
      expect(status).toBe(400);
      expect(text).toContain('content-type: application/json');
    },
  );
});

test('Basic: X-Request-ID is returned if it is sent, and not needed', async () => {
  const id = 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716';
  expect((await server.post(evaluation, question, { 'x-request-id': id })).headers.get('x-request-id')).toBe(
    id,
  );
  expect((await server.post(evaluations, question, { 'x-request-id': id })).headers.get('x-request-id')).toBe(
    id,
  );
  expect((await server.post(evaluation, question)).headers.get('x-request-id')).toBeNull();
});

test('Basic: idempotency', async () => {
  for (let time = 1; time <= 5; time += 1) expect(await decision(question)).toBe(true);
});

describe('Batch: request acceptance', () => {
  test('batch request with evaluations array', async () => {
    const items = [{ resource: record1 }, { resource: record2 }];
    expect(await decisions({ subject: alice, action: read, evaluations: items })).toEqual([
      expect.any(Boolean),
      expect.any(Boolean),
    ]);
  });

  test('batch with fixture decisions, in order', async () => {
    const items = [{ action: read }, { action: write }];
    expect(await decisions({ subject: bob, resource: record1, evaluations: items })).toEqual([true, false]);
  });

  test('batch with properties', async () => {
    const items = [{ resource: active }, { resource: archived }];
    expect(await decisions({ subject: alice, action: write, evaluations: items })).toEqual([true, false]);
  });

  test('batch with subject properties', async () => {
    const items = [{ subject: alice }, { subject: admin }];
    expect(await decisions({ action: write, resource: archived, evaluations: items })).toEqual([false, true]);
  });

  test('batch with fully specified evaluations', async () => {
    const items = [question, { subject: bob, action: write, resource: record1 }];
    expect(await decisions({ evaluations: items })).toEqual([true, false]);
  });

  test('batch with context inheritance', async () => {
    const own = { time: '2025-06-27T19:00-07:00', source: 'batch-override' };
    const context = { time: '2025-06-27T18:03-07:00' };
    const items = [{ resource: record1 }, { resource: record2, context: own }];
    const { json } = await server.post(evaluations, {
      subject: alice,
      action: read,
      context,
      evaluations: items,
    });
    expect(json).toEqual({
      evaluations: [
        { decision: true, context: { asked: { ...question, context } } },
        { decision: true, context: { asked: { ...question, resource: record2, context: own } } },
      ],
    });
  });

  test('batch with top-level default inheritance: whole entities', async () => {
    const items = [{}, { resource: archived }];
    expect(await decisions({ subject: alice, action: write, resource: active, evaluations: items })).toEqual([
      true,
      false,
    ]);
  });
});

describe('Batch: error handling', () => {
  test('evaluation-level errors under execute_all', async () => {
    const { status, json } = await server.post(evaluations, {
      ...{ subject: alice, action: read, options: { evaluations_semantic: 'execute_all' } },
      evaluations: [{ resource: record1 }, {}],
    });
    expect(status).toBe(200);
    expect(json).toEqual({
      evaluations: [
        { decision: true, context: expect.any(Object) },
        { decision: false, context: { code: 'INVALID', message: 'resource is missing.' } },
      ],
    });
  });

  test.each([
    ['missing evaluations array', question],
    ['empty evaluations array', { ...question, evaluations: [] }],
  ])('%s: a single evaluation', async (_section, body) => {
    const { status, json } = await server.post(evaluations, body);
    expect(status).toBe(200);
    expect(json).toEqual({ decision: true, context: expect.any(Object) });
  });
});

test('Discovery: metadata', async () => {
  const { status, headers, json } = await server.send('/.well-known/authzen-configuration', {});
  expect(status).toBe(200);
  expect(headers.get('content-type')).toMatch(/^application\/json\b/);
  expect(json).toEqual({
    policy_decision_point: publicUrl,
    access_evaluation_endpoint: `${publicUrl}/access/v1/evaluation`,
    access_evaluations_endpoint: `${publicUrl}/access/v1/evaluations`,
  });
});
