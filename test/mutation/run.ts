/**
 * `npm run test:mutation [-- <room> …]`: changes the pure code in every way that Stryker knows, one change at a time,
 * and runs the room's unit tests. A change that fails no test is a hole in the tests, or code that does nothing.
 * Prints each of them, and the score of each room.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { roomNamed, rooms } from './rooms.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const stryker = `${folder}node_modules/@stryker-mutator/core/bin/stryker.js`;
/** Percent of the changes that must fail a test. */
const threshold = 90;

if (!existsSync(stryker)) execFileSync('npm', ['ci', '--prefix', folder], { stdio: 'inherit' });

type Report = { files: Record<string, { mutants: { status: string }[] }> };

/** Runs the room and returns what became of each change. */
function run(name: string): string[] {
  const mutate = roomNamed(name).mutate.join(',');
  const args = [stryker, 'run', `${folder}stryker.config.js`, '--mutate', mutate, '--concurrency', '2'];
  const { status } = spawnSync(process.execPath, args, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, MUTATION_ROOM: name },
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`Stryker ended with ${status}.`);
  const report: Report = JSON.parse(readFileSync(`${folder}report/${name}.json`, 'utf8'));
  return Object.values(report.files).flatMap(({ mutants }) => mutants.map((mutant) => mutant.status));
}

const names = process.argv.slice(2);
const lines = (names.length > 0 ? names : Object.keys(rooms)).map((name) => {
  // Neither found nor missed: excluded by a setting, or not a program.
  const invalid = ['Ignored', 'CompileError', 'RuntimeError'];
  const statuses = run(name).filter((status) => !invalid.includes(status));
  const found = statuses.filter((status) => status === 'Killed' || status === 'Timeout').length;
  const score = (100 * found) / statuses.length;
  const isEnough = score >= threshold;
  if (!isEnough) process.exitCode = 1;
  const verdict = isEnough ? '' : `  below ${threshold} %`;
  return `${name.padEnd(16)}${score.toFixed(1).padStart(6)} %  ${found} of ${statuses.length}${verdict}`;
});
process.stdout.write(`\n${lines.join('\n')}\n`);
