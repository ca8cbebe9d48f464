/** The client as its users have it: packed, and installed in a folder of its own. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import clientPackage from '../../client/package.json' with { type: 'json' };
import { generousMs } from '../support/deadlines.ts';
import { bySize } from '../support/size.ts';

const run = promisify(execFile);
const dependencies = Object.keys({ ...clientPackage.dependencies, ...clientPackage.peerDependencies });

/**
 * Packs the client and installs it. In a full run npm installs it, with its dependencies from the registry; otherwise
 * they are those of this repository. Returns the folder with `node_modules`.
 */
export async function installClient(): Promise<AsyncDisposable & { folder: string }> {
  await using begun = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-client-'));
  begun.defer(() => rm(folder, { recursive: true }));
  await run('npm', ['pack', '--pack-destination', folder], { cwd: 'client', timeout: generousMs });
  const packed = (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '';
  await bySize(unpack, install)(folder, packed);
  const installed = begun.move();
  return { folder, [Symbol.asyncDispose]: () => installed.disposeAsync() };
}

async function unpack(folder: string, packed: string): Promise<void> {
  const target = join(folder, 'node_modules', clientPackage.name);
  await mkdir(target, { recursive: true });
  await run('tar', ['-xzf', join(folder, packed), '-C', target, '--strip-components=1']);
  for (const name of dependencies) {
    const link = join(folder, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(resolve('node_modules', name), link);
  }
}

async function install(folder: string, packed: string): Promise<void> {
  const options = ['--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', ...options, `./${packed}`], { cwd: folder, timeout: generousMs });
}
