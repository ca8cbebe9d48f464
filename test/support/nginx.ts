import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { vi } from 'vitest';
import { spawnWatched, watched } from '../../src/platform/watched-process.ts';
import { generousMs } from './deadlines.ts';
import { findProgram } from './find-program.ts';

/**
 * Starts nginx in a folder with these files, of which `nginx.conf` is its configuration; resolves when the URL answers. The
 * stack stops it.
 */
export async function startNginx(
  stack: AsyncDisposableStack,
  files: Readonly<Record<string, string>>,
  url: string,
): Promise<void> {
  const program = await findProgram('nginx', 'NGINX', process.env['NGINX'], '-v');
  if ('missing' in program) throw new Error(program.missing);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-nginx-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const inForeground = 'daemon off; master_process off;';
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
  const server = spawnWatched(
    ...watched(program.path, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr', '-g', inForeground]),
    { env },
  );
  const exited = once(server, 'exit');
  server.stdout?.resume();
  const said = server.stderr === null ? '' : text(server.stderr);
  stack.defer(async () => {
    server.kill('SIGKILL');
    await exited;
  });
  const failed = exited.then(async () => {
    throw new Error(`nginx ended: ${await said}`);
  });
  failed.catch(() => undefined);
  await Promise.race([vi.waitFor(() => fetch(url), { timeout: generousMs }), failed]);
}
