/** SIGTERM to a gateway with many clients, some of which do not read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { compileCache } from '../support/compile-cache.ts';
import { generousMs } from '../support/deadlines.ts';
import { reservePort } from '../support/ports.ts';
import { bySize } from '../support/size.ts';
import { closeOf } from './server-fixture.ts';

/** Run with `DRAIN_SOCKETS=1000` for the number that the documentation promises. */
const socketCount = Number(process.env['DRAIN_SOCKETS'] ?? bySize(100, 1_000));
const stalledCount = 10;
const socketsPerEngineer = 45;

/** Starts the gateway as a process, with its embedded database. */
async function startProcess() {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-drain-'));
  const port = await reservePort();
  const child = spawn(process.execPath, [fileURLToPath(new URL('../../src/main.ts', import.meta.url))], {
    cwd: folder,
    env: {
      ...compileCache,
      PATH: process.env['PATH'] ?? '',
      DATA_FOLDER: join(folder, 'data'),
      PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit').then(([code]) => ({ code: code as number | null, at: Date.now() }));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await exit;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  let printed = '';
  child.stdout.on('data', (text) => {
    printed += text;
  });
  while (!printed.includes(`:${port}`)) await once(child.stdout, 'data');
  const isShutDown = () => !existsSync(join(folder, 'data/postgres/cluster/postmaster.pid'));
  return { url: `http://127.0.0.1:${port}`, exit, isShutDown, terminate: () => child.kill('SIGTERM') };
}

async function postJson(url: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return await response.json();
}

/** Creates enough engineers for all the sockets, and returns their tokens. */
async function tokensFor(url: string): Promise<string[]> {
  const tokenOf = async (email: string): Promise<string> =>
    (await postJson(`${url}/dev/token`, { email })).token;
  const authorization = `Bearer ${await tokenOf('operator@vendor.example')}`;
  const query = `mutation Add($input: AddSupportEngineerInput!) {
    addSupportEngineer(input: $input) { __typename }
  }`;
  const tokens: string[] = [];
  for (let number = 0; number * socketsPerEngineer < socketCount; number += 1) {
    const input = { email: `drain-${number}@vendor.example`, name: `Engineer ${number}` };
    await postJson(`${url}/graphql`, { query, variables: { input } }, { authorization });
    tokens.push(await tokenOf(input.email));
  }
  return tokens;
}

/** Opens a WebSocket with a running subscription. */
async function openSubscribed(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  await once(socket, 'message');
  const query = 'subscription { grantEvents { id } }';
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  return socket;
}

// A full run is on a quiet machine: there, the documented times are asserted as well.
test(`${socketCount} sockets, ${stalledCount} of them stalled: all are closed, each healthy one with 1001`, async () => {
  const gateway = await startProcess();
  const tokens = await tokensFor(gateway.url);
  const sockets: WebSocket[] = [];
  for (const token of tokens) {
    const count = Math.min(socketsPerEngineer, socketCount - sockets.length);
    sockets.push(
      ...(await Promise.all(Array.from({ length: count }, () => openSubscribed(gateway.url, token)))),
    );
  }
  const stalled = sockets.slice(0, stalledCount);
  for (const socket of stalled) socket.pause();
  const healthy = sockets.slice(stalledCount);
  const closes = Promise.all(healthy.map(async (socket) => ({ ...(await closeOf(socket)), at: Date.now() })));

  const signalled = Date.now();
  gateway.terminate();
  const { code, at } = await gateway.exit;
  expect(code).toBe(0);
  expect(gateway.isShutDown(), 'its database was shut down').toBe(true);
  expect(at - signalled).toBeLessThan(bySize(generousMs, 5_000));

  const closed = await closes;
  expect(closed.map((close) => close.code)).toEqual(healthy.map(() => 1001));
  const moments = closed.map((close) => close.at - signalled).sort((a, b) => a - b);
  // At random within 2.5 s: about a fifth of them in each half second.
  for (let from = 0; from < 2_500; from += 500) {
    const share = moments.filter((moment) => moment >= from && moment < from + 500).length / moments.length;
    expect(share).toBeLessThan(bySize(0.8, 0.4));
  }
  // On a busy machine the first ones are late.
  expect((moments.at(-1) ?? 0) - (moments[0] ?? 0)).toBeGreaterThan(bySize(500, 1_500));
});
