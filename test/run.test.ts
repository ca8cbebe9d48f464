import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

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

test.each([
  ['every test passes', { passes }, '2 passed, 0 failed', 0],
  ['a test fails', { passes, fails: `test('c', () => { throw new Error(); });` }, '2 passed, 1 failed', 1],
  ['a file cannot be loaded', { passes, broken: `import './nowhere.js';` }, '2 passed, 1 failed', 1],
  [
    'a hook fails',
    {
      passes,
      hook: `describe('d', () => { afterAll(() => { throw new Error(); }); test('c', () => {}); });`,
    },
    '3 passed, 1 failed',
    1,
  ],
  [
    'an unhandled error occurs',
    {
      passes,
      stray: `test('c', async () => { Promise.reject(new Error()); await new Promise(setImmediate); });`,
    },
    '3 passed, 1 failed',
    1,
  ],
  ['every test is skipped', { skips: `test.skip('c', () => {});` }, '0 passed, 0 failed', 1],
  ['there is no test', {}, '0 passed, 0 failed', 1],
])('npm test prints its count when %s', async (_when, files, lastLine, code) => {
  expect(await outcome(files)).toEqual({ lastLine, code });
});
