/** What the tests of the clients need before they run: the clients themselves, Relay's artifacts, and right types. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';

const here = import.meta.dirname;
const bin = join(here, '../../node_modules/.bin');
const run = (command: string, args: readonly string[]): void => {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  // The command has said what is wrong.
  if (status !== 0) process.exit(1);
};
const changedAt = (path: string): number =>
  statSync(join(here, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;

// npm writes the second file at the end of an installation.
if (changedAt('package-lock.json') > changedAt('node_modules/.package-lock.json')) {
  run('npm', ['ci', '--ignore-scripts']);
}
run(process.execPath, [join(here, 'node_modules/relay-compiler/cli.js')]);
run(join(bin, 'tsc'), ['--project', here]);
