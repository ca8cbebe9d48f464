import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bySize, rotating, seedOf } from './support/size.ts';

const run = fileURLToPath(new URL('./run.ts', import.meta.url));

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-run-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs test files, given as texts by name. Returns the last line printed and the exit code. */
async function outcome(
  files: Record<string, string>,
): Promise<{ lastLine: string | undefined; code: number }> {
  await writeFile(join(folder, 'vitest.config.js'), 'export default {};');
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.test.js`), text);
  return await new Promise((resolve) => {
    const parameters = [run, '--root', folder, '--globals'];
    execFile(process.execPath, parameters, { cwd: folder }, (error, stdout) => {
      resolve({ lastLine: stdout.trimEnd().split('\n').at(-1), code: Number(error?.code ?? 0) });
    });
  });
}

const passes = `test('a', () => {}); test('b', () => {});`;
const fails = `test('c', () => { throw new Error(); });`;
const broken = `import './nowhere.js';`;
const hook = `describe('d', () => { afterAll(() => { throw new Error(); }); test('c', () => {}); });`;
const stray = `test('c', async () => { Promise.reject(new Error()); await new Promise(setImmediate); });`;

type Case = [when: string, files: Record<string, string>, lastLine: string, code: number];
/** One failure of each kind. */
const together: Case[] = [
  ['all of this happens', { passes, fails, broken, hook, stray }, '4 passed, 4 failed', 1],
];
const alone: Case[] = [
  ['a test fails', { passes, fails }, '2 passed, 1 failed', 1],
  ['a file cannot be loaded', { passes, broken }, '2 passed, 1 failed', 1],
  ['a hook fails', { passes, hook }, '3 passed, 1 failed', 1],
  ['an unhandled error occurs', { passes, stray }, '3 passed, 1 failed', 1],
];
const nothing: Case[] = [
  ['every test is skipped', { skips: `test.skip('c', () => {});` }, '0 passed, 0 failed', 1],
  ['there is no test', {}, '0 passed, 0 failed', 1],
];
const seed = seedOf('RUN_SEED');

test.each([
  ['every test passes', { passes }, '2 passed, 0 failed', 0] satisfies Case,
  ...bySize(together, alone),
  ...rotating(nothing, seed),
])(`npm test prints its count when %s, RUN_SEED=${seed}`, async (_when, files, lastLine, code) => {
  expect(await outcome(files)).toEqual({ lastLine, code });
});
