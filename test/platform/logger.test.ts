import { expect, test } from 'vitest';
import { createLogger, withoutCredentials } from '../../src/platform/logger.ts';

/** Returns the logged lines, parsed. */
function logged(log: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  log(createLogger('debug', { write: (line) => void lines.push(line) }));
  return lines.map((line) => JSON.parse(line));
}

test('a line is one JSON object with the name of its level and its time', () => {
  expect(logged((logger) => logger.warn({ ticket: 'SUP-1' }, 'closed'))).toEqual([
    { level: 'warn', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), ticket: 'SUP-1', msg: 'closed' },
  ]);
  expect(logged((logger) => logger.trace('too fine'))).toEqual([]);
});

const secret = 'hunter2hunter2';

test.each([
  ['a token', { token: secret }],
  ['a header', { headers: { authorization: `Bearer ${secret}` } }],
  [
    'a header of a request',
    { req: { headers: { authorization: secret, cookie: secret, 'set-cookie': [secret] } } },
  ],
  ['a password', { user: { password: secret } }],
  ['a secret in the configuration', { config: { database: { password: secret }, cursorSecret: secret } }],
  [
    'environment variables',
    { env: { DATABASE_URL: secret, CURSOR_SECRET: secret, REDIS_URL: secret, AUDIT_SIGNING_KEYS: secret } },
  ],
  ['a private key', { text: `PRIVATE+KEY+log.example+${secret}+${secret}` }],
  ['a connection string', { url: `postgresql://latchkey:${secret}@db.example/latchkey` }],
  ['a password with an @', { url: `postgresql://latchkey:pass@${secret}@db.example/latchkey` }],
  ['a password with a slash', { url: `redis://:pass/${secret}@redis.example` }],
  ['a password with a quote', { note: `postgresql://latchkey:"${secret}"@db.example did not answer` }],
  ['a connection string in a sentence', { note: `redis://:${secret}@redis.example did not answer` }],
  ['an error', { err: new Error(`connect postgresql://latchkey:${secret}@db.example failed`) }],
  ['an error’s cause', { err: new Error('no', { cause: new Error(`redis://:${secret}@r.example`) }) }],
  ['a token in a sentence', { note: `authorization: Bearer ${secret}` }],
])('%s does not reach the log', (_name, fields) => {
  const lines = logged((logger) => logger.error(fields, 'it failed'));
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain(secret);
  expect(JSON.stringify(lines)).toContain('[redacted]');
});

test('an error is logged with its type, message and cause, and without other properties', () => {
  const error = Object.assign(new TypeError('no', { cause: new Error('because') }), {
    code: 'ECONNRESET',
    client: { connection: 'all of it' },
  });
  const [line] = logged((logger) => logger.error({ err: error }));
  expect(line?.['err']).toEqual({
    type: 'TypeError',
    message: 'no',
    code: 'ECONNRESET',
    stack: expect.stringContaining('logger.test.ts'),
    cause: { type: 'Error', message: 'because', stack: expect.any(String) },
  });
});

test('a secret in the message is not logged', () => {
  const lines = logged((logger) =>
    logger.info(`connected to postgresql://latchkey:${secret}@db.example/latchkey`),
  );
  expect(lines[0]?.['msg']).toBe('connected to postgresql://[redacted]@db.example/latchkey');
});

test('the fields of a line are redacted one by one', () => {
  const [line] = logged((logger) => logger.info({ jwks: 'https://login.example/keys', from: 'a@b.example' }));
  expect(line).toMatchObject({ jwks: 'https://login.example/keys', from: 'a@b.example' });
});

test('text without a secret is unchanged', () => {
  expect(withoutCredentials('https://login.vendor.example/keys?x=1, a@b.example')).toBe(
    'https://login.vendor.example/keys?x=1, a@b.example',
  );
});
