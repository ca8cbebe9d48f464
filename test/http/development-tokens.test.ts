import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { DatabaseGoneError, startTestServer } from './server-fixture.ts';

const people = ['ada@customer.example', 'engineer@vendor.example'];

function startWithTokens() {
  return startTestServer({
    developmentTokens: {
      issue: async (email) =>
        people.includes(email) ? { token: `token of ${email}`, expiresAt: new Date(0) } : null,
      people: async () => people,
    },
  });
}

function ask(origin: string, headers: Record<string, string>, body: string) {
  return new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
    const outgoing = request(
      `${origin}/dev/token`,
      { method: 'POST', headers, agent: false },
      async (response) => {
        resolve({ status: response.statusCode, body: JSON.parse(await text(response)) });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const json = { 'content-type': 'application/json' };
const ada = JSON.stringify({ email: 'ada@customer.example' });

test('returns a token for a known email', async () => {
  await using server = await startWithTokens();
  expect(await ask(server.origin, json, ada)).toEqual({
    status: 200,
    body: { token: 'token of ada@customer.example', expiresAt: '1970-01-01T00:00:00.000Z' },
  });
});

test('answers 503 while the database is unavailable; only the log says why', async () => {
  const issue = () => Promise.reject(new DatabaseGoneError());
  await using server = await startTestServer({ developmentTokens: { issue, people: async () => people } });
  expect(await ask(server.origin, json, ada)).toEqual({
    status: 503,
    body: { error: { code: 'SERVICE_UNAVAILABLE', message: expect.not.stringContaining('10.0.0.7') } },
  });
  expect(server.log.entries).toMatchObject([
    { level: 'warn', fields: { err: expect.any(DatabaseGoneError) } },
  ]);
});

test('does not exist unless it is configured', async () => {
  await using server = await startTestServer();
  expect(await ask(server.origin, json, ada)).toMatchObject({
    status: 404,
    body: { error: { code: 'NOT_FOUND' } },
  });
});

test('lists the known emails when asked for an unknown one', async () => {
  await using server = await startWithTokens();
  expect(await ask(server.origin, json, '{"email": "eve@evil.example"}')).toEqual({
    status: 404,
    body: {
      error: {
        code: 'UNKNOWN_PERSON',
        message: expect.stringContaining('ada@customer.example, engineer@vendor.example'),
        people,
      },
    },
  });
});

test.each([
  ['malformed JSON', '{', 400],
  ['zero bytes', '', 400],
  ['invalid UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1'), 400],
  ['no email', '{}', 400],
  ['null', 'null', 400],
  ['an empty email', '{"email": ""}', 400],
  ['an email of another type', '{"email": {"toString": "ada"}}', 400],
  ['an email that is too long', JSON.stringify({ email: 'a'.repeat(400) }), 400],
  ['too many bytes', JSON.stringify({ email: 'a'.repeat(5_000) }), 413],
])('refuses a body of %s', async (_case, body, status) => {
  await using server = await startWithTokens();
  expect(await ask(server.origin, json, body)).toMatchObject({ status });
});

test('refuses a content type that web pages may send without a preflight', async () => {
  await using server = await startWithTokens();
  expect(await ask(server.origin, { 'content-type': 'text/plain' }, ada)).toMatchObject({ status: 415 });
});

describe('answers only this machine', () => {
  test.each(['localhost:4000', '127.0.0.1', '127.1.2.3:80', '[::1]:4000', 'latchkey.localhost', 'LOCALHOST'])(
    'addressed as %s',
    async (host) => {
      await using server = await startWithTokens();
      expect(await ask(server.origin, { ...json, host }, ada)).toMatchObject({ status: 200 });
    },
  );

  test.each([
    'evil.example:4000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.7',
    '0.0.0.0',
    'evil.example@localhost',
    '[::2]',
  ])('and refuses requests addressed as %s, a name under which a page may have been served', async (host) => {
    await using server = await startWithTokens();
    const { status, body } = await ask(server.origin, { ...json, host }, ada);
    expect(status).toBe(403);
    expect(JSON.stringify(body)).not.toContain('token of');
  });

  test.each([
    ['another site', { origin: 'https://evil.example' }],
    ['another port of this machine', { origin: 'http://localhost:9999' }],
    ['a file', { origin: 'null' }],
    ['another site, according to Sec-Fetch-Site', { 'sec-fetch-site': 'cross-site' }],
    ['another port, according to Sec-Fetch-Site', { 'sec-fetch-site': 'same-site' }],
  ])('and refuses a page of %s, even if it may use the API', async (_case, headers) => {
    await using server = await startTestServer({
      allowedOrigins: ['https://evil.example', 'http://localhost:9999'],
      developmentTokens: {
        issue: async () => ({ token: 'x', expiresAt: new Date() }),
        people: async () => [],
      },
    });
    expect(await ask(server.origin, { ...json, host: 'localhost:4000', ...headers }, ada)).toMatchObject({
      status: 403,
    });
  });

  test('and its own pages', async () => {
    await using server = await startWithTokens();
    const headers = {
      ...json,
      host: 'localhost:4000',
      origin: 'http://localhost:4000',
      'sec-fetch-site': 'same-origin',
    };
    expect(await ask(server.origin, headers, ada)).toMatchObject({ status: 200 });
  });
});

test.each([
  ['forwarded', 'for=203.0.113.7'],
  ['x-forwarded-for', '203.0.113.7'],
  ['x-forwarded-host', 'demo.example'],
  ['X-Forwarded-Proto', 'https'],
  ['via', '1.1 proxy'],
  ['x-real-ip', '203.0.113.7'],
  ['cf-connecting-ip', '203.0.113.7'],
])('refuses what a proxy has forwarded: %s', async (name, value) => {
  await using server = await startWithTokens();
  expect(await ask(server.origin, { ...json, host: 'localhost', [name]: value }, ada)).toMatchObject({
    status: 403,
    body: { error: { code: 'FORWARDED_NOT_ALLOWED' } },
  });
});
