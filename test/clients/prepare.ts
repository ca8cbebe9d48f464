/** What the tests of the clients need before they run: the clients themselves, Relay's artifacts, and right types. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installPackages } from '../support/install-packages.ts';

const here = import.meta.dirname;
const bin = join(here, '../../node_modules/.bin');
const run = (command: string, args: readonly string[]): void => {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  // The command has said what is wrong.
  if (status !== 0) process.exit(1);
};

installPackages(here);
run(process.execPath, [join(here, 'node_modules/relay-compiler/cli.js')]);
run(join(bin, 'tsc'), ['--project', here]);
