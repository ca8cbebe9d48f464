import { expect, test } from 'vitest';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ready = async (server: TestServer) => {
  const response = await fetch(`${server.origin}/readyz`);
  return { status: response.status, body: await response.json() };
};

test('/healthz is 200 even if a check fails', async () => {
  await using server = await startTestServer({
    readiness: [{ name: 'database', check: () => Promise.reject(new Error('gone')) }],
  });
  const response = await fetch(`${server.origin}/healthz`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ALIVE' });
});

test('/readyz is 200 when all checks pass', async () => {
  await using server = await startTestServer({ readiness: [{ name: 'database', check: async () => 1 }] });
  expect(await ready(server)).toEqual({ status: 200, body: { status: 'READY' } });
});

test('/readyz is 503 with only the names of the failed checks', async () => {
  await using server = await startTestServer({
    limits: { readinessCheckMs: 50 },
    readiness: [
      { name: 'database', check: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7')) },
      { name: 'redis', check: () => new Promise(() => {}) },
      { name: 'mail', check: async () => {} },
    ],
  });
  expect(await ready(server)).toEqual({
    status: 503,
    body: { status: 'NOT_READY', notReady: ['database', 'redis'] },
  });
  expect(server.log.entries.map(({ fields }) => fields['check'])).toEqual(['database', 'redis']);
});

test('/readyz recovers when a check passes again', async () => {
  let isThere = false;
  await using server = await startTestServer({
    readiness: [
      {
        name: 'database',
        async check() {
          if (!isThere) throw new Error('gone');
        },
      },
    ],
  });
  expect(await ready(server)).toMatchObject({ status: 503 });
  isThere = true;
  expect(await ready(server)).toMatchObject({ status: 200 });
});

test('concurrent requests share one check', async () => {
  let checks = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  await using server = await startTestServer({
    readiness: [
      {
        name: 'database',
        check() {
          checks += 1;
          return promise;
        },
      },
    ],
  });
  const answers = Array.from({ length: 20 }, () => ready(server));
  await fetch(`${server.origin}/healthz`);
  resolve();
  expect(await Promise.all(answers)).toEqual(
    Array.from({ length: 20 }, () => ({ status: 200, body: { status: 'READY' } })),
  );
  expect(checks).toBeLessThan(20);
});
