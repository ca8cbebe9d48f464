import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** Installs what the folder's lockfile names, if that has changed since. Ends the process if npm fails, which says why. */
export function installPackages(folder: string): void {
  const changedAt = (path: string): number =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  // npm writes the second file at the end of an installation.
  if (changedAt('package-lock.json') <= changedAt('node_modules/.package-lock.json')) return;
  const { status, error } = spawnSync('npm', ['ci', '--ignore-scripts'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(1);
}
