import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type FileLock, lockFile } from '../../src/platform/file-lock.ts';
import { StartupError } from '../../src/platform/startup-error.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-lock-'));
  path = join(folder, 'a.lock');
  const made = folder;
  onTestFinished(() => rm(made, { recursive: true, force: true }));
});

async function lock(at = path): Promise<FileLock> {
  const locked = await lockFile(at);
  if (locked === null) throw new Error('It is locked already.');
  onTestFinished(() => locked.release());
  return locked;
}

/** Starts a process that inherits the lock. */
async function share({ fd }: FileLock): Promise<ChildProcess> {
  const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  await once(child, 'spawn');
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('a file is locked once, by whatever path, until it is released', async () => {
  const first = await lock();
  const paths = [path, join(folder, 'symbolic'), join(folder, 'hard')];
  await symlink(path, join(folder, 'symbolic'));
  await link(path, join(folder, 'hard'));
  for (const other of paths) expect(await lockFile(other)).toBeNull();
  first.release();
  first.release();
  for (const other of paths) (await lock(other)).release();
});

test('a lock that a process inherited ends with that process, however that ends', async () => {
  const first = await lock();
  const child = await share(first);
  first.release();
  expect(await lockFile(path)).toBeNull();
  child.kill('SIGKILL');
  await eventually(() => lock());
});

test('a process that was not given a lock does not hold it', async () => {
  const first = await lock();
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  await once(child, 'spawn');
  onTestFinished(() => void child.kill('SIGKILL'));
  first.release();
  await lock();
});

test('the content of the file stays, and a file that was deleted is not locked for others', async () => {
  await writeFile(path, 'content');
  await lock();
  expect(await readFile(path, 'utf8')).toBe('content');
  await rm(path);
  await lock();
});

test('a file that is deleted while it is being locked is not the one that is locked', async () => {
  const programs = join(folder, 'programs');
  await mkdir(programs);
  const path0 = process.env['PATH'] ?? '';
  // As a reset does: it deletes the file, and frees it.
  const script = `#!/bin/sh
PATH='${path0}'
mkdir '${programs}/once' 2>/dev/null && rm '${path}'
exec flock "$@"
`;
  await writeFile(join(programs, 'flock'), script, { mode: 0o755 });
  vi.stubEnv('PATH', `${programs}:${path0}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  await lock();
  expect(await lockFile(path)).toBeNull();
});

test('a file that cannot be created is reported in one line', async () => {
  await expect(lockFile(join(folder, 'absent', 'a.lock'))).rejects.toThrow(StartupError);
  await expect(lockFile(join(folder, 'absent', 'a.lock'))).rejects.toThrow(
    /^[^\n]*cannot be locked \(ENOENT[^\n]*$/,
  );
});
