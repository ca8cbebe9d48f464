import { expect, test } from 'vitest';
import { startTestServer, type TestServer } from './server-fixture.ts';

const ready = async (server: TestServer) => {
  const response = await fetch(`${server.origin}/readyz`);
  return { status: response.status, body: await response.json() };
};

test('/healthz answers whatever else is wrong', async () => {
  await using server = await startTestServer({
    readiness: [{ name: 'database', check: () => Promise.reject(new Error('gone')) }],
  });
  const response = await fetch(`${server.origin}/healthz`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ALIVE' });
});

test('/readyz is 200 when everything is there', async () => {
  await using server = await startTestServer({ readiness: [{ name: 'database', check: async () => 1 }] });
  expect(await ready(server)).toEqual({ status: 200, body: { status: 'READY' } });
});

test('/readyz names what is not there, and says no more than that', async () => {
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

test('/readyz recovers by itself', async () => {
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

test('many who ask at once cost one check', async () => {
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
