/** Checks the lists of test files: the project `unit` in vitest.config.ts, in which this file is, and the long runs. */
import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import config from '../vitest.config.ts';
import { leftToOtherDays, longRuns } from './support/long-runs.ts';

const unit = config.test?.projects?.flatMap((project) =>
  typeof project === 'object' && 'test' in project && project.test?.name === 'unit'
    ? [project.test.include ?? []].flat()
    : [],
);

test.each(unit ?? [])('%s names test files that exist', (pattern) => {
  const alternatives = /^(.*)\{(.*)\}(.*)$/.exec(pattern);
  const files =
    alternatives === null
      ? [pattern]
      : (alternatives[2] ?? '').split(',').map((name) => `${alternatives[1]}${name}${alternatives[3]}`);
  for (const file of files) expect(globSync(file), file).not.toEqual([]);
});

test.each(longRuns)('%s, a long run, exists', (file) => {
  expect(existsSync(file)).toBe(true);
});

test('each long run has its turn with one of four seeds', () => {
  const turns = [0, 1, 2, 3].map((seed) => {
    const left = new Set(leftToOtherDays(seed));
    return longRuns.filter((file) => !left.has(file));
  });
  expect(turns.flat().sort()).toEqual([...longRuns].sort());
});

test.each([
  ['listens', () => createServer().listen(0)],
  ['connects', () => connect(5432)],
  ['starts a process', () => spawn(process.execPath)],
])('a unit test that %s fails', (_what, act) => {
  expect(act).toThrow('use no servers and no processes');
});
