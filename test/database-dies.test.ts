/** A gateway process whose embedded database dies. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { findFreePort } from '../src/platform/embedded-postgres.ts';
import { eventually } from './support/eventually.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

test('a gateway starts its database again, and ends with 1 once that fails', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-dies-'));
  const cluster = join(folder, 'data/postgres/cluster');
  const port = await findFreePort();
  const gateway = spawn(process.execPath, [main], {
    cwd: folder,
    env: { PATH: process.env['PATH'], DATA_FOLDER: join(folder, 'data'), PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) gateway[name].on('data', (text) => (said[name] += text));
  const ended = once(gateway, 'close');
  onTestFinished(async () => {
    gateway.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  });
  const status = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
  const isReady = () => eventually(async () => expect(await status()).toBe(200));
  const serverProcess = async () =>
    Number.parseInt(await readFile(join(cluster, 'postmaster.pid'), 'utf8'), 10);

  await isReady();
  const first = await serverProcess();
  process.kill(first, 'SIGKILL');
  await eventually(async () => expect(await serverProcess()).not.toBe(first));
  await isReady();
  expect(said.stdout).toMatch(/"level":"error".*ended by SIGKILL.*The embedded database has ended by itself/);

  await rm(join(cluster, 'PG_VERSION'));
  process.kill(await serverProcess(), 'SIGKILL');
  expect(await ended).toEqual([1, null]);
  expect(said.stderr).toMatch(/^The embedded database in [^\n]* does not start \([^\n]*PG_VERSION[^\n]*\n$/);
});
