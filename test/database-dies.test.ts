/** A gateway process whose embedded database dies. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { compileCache } from './support/compile-cache.ts';
import { generousMs } from './support/deadlines.ts';
import { reservePort } from './support/ports.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

test(
  'a gateway starts its database again, and ends with 1 once that fails',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-dies-'));
    const cluster = join(folder, 'data/postgres/cluster');
    const port = await reservePort();
    const gateway = spawn(process.execPath, [main], {
      cwd: folder,
      env: {
        ...compileCache,
        PATH: process.env['PATH'],
        DATA_FOLDER: join(folder, 'data'),
        PORT: String(port),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      gateway[name].on('data', (text) => (said[name] += text));
    const ended = once(gateway, 'close');
    onTestFinished(async () => {
      gateway.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    });
    /** Resolves when the gateway has printed the text; rejects if it ends first. */
    async function printed(text: string): Promise<void> {
      const gone = ended.then(() =>
        Promise.reject(new Error(`It ended without ${text}: ${JSON.stringify(said)}`)),
      );
      gone.catch(() => undefined);
      while (!said.stdout.includes(text)) await Promise.race([once(gateway.stdout, 'data'), gone]);
    }
    const serverProcess = async () =>
      Number.parseInt(await readFile(join(cluster, 'postmaster.pid'), 'utf8'), 10);

    await printed(`http://127.0.0.1:${port}`);
    const first = await serverProcess();
    process.kill(first, 'SIGKILL');
    await printed('The embedded database has ended by itself');
    expect(said.stdout).toMatch(
      /"level":"error".*ended by SIGKILL.*The embedded database has ended by itself/,
    );
    const patiently = { timeout: generousMs, interval: 50 };
    const second = await vi.waitFor(async () => {
      const pid = await serverProcess();
      expect(pid > 0 && pid !== first).toBe(true);
      return pid;
    }, patiently);
    await vi.waitFor(
      async () => expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200),
      patiently,
    );

    await rm(join(cluster, 'PG_VERSION'));
    process.kill(second, 'SIGKILL');
    expect(await ended).toEqual([1, null]);
    expect(said.stderr).toMatch(
      /^The embedded database in [^\n]* does not start \([^\n]*PG_VERSION[^\n]*\n$/,
    );
  },
  2 * generousMs,
);
