/** Checks the list of files of the project `unit` in vitest.config.ts. This file is in that list. */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import config from '../vitest.config.ts';

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

test.each([
  ['listens', () => createServer().listen(0)],
  ['connects', () => connect(5432)],
  ['starts a process', () => spawn(process.execPath)],
])('a unit test that %s fails', (_what, act) => {
  expect(act).toThrow('use no servers and no processes');
});
