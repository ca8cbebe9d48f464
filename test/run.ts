/**
 * `npm test`: runs the tests and prints `N passed, N failed` as its last line. A test file that cannot be loaded, a
 * failed hook and an unhandled error each count as a failure. A run without tests fails.
 */
import { fileURLToPath } from 'node:url';
import { leftToOtherDays } from './support/long-runs.ts';
import { fullSize, seedOf } from './support/size.ts';

// For the processes that run test files, and those that the tests start. `check-runtime.js` enables it for this one.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../node_modules/.cache/compiled', import.meta.url),
);
const { parseCLI, startVitest } = await import('vitest/node');

const given = process.argv.slice(2);
if (given.length === 0 && !fullSize) {
  const seed = seedOf('LONG_RUNS_SEED');
  process.env['LONG_RUNS_SEED'] = String(seed);
  process.stdout.write(
    `LONG_RUNS_SEED=${seed}: ${leftToOtherDays(seed).length} long test files are left to other days. npm run test:full runs all.\n`,
  );
} else delete process.env['LONG_RUNS_SEED'];

const { filter, options } = parseCLI(['vitest', 'run', ...given]);
const vitest = await startVitest('test', filter, { ...options, watch: false });
let passed = 0;
let failed = vitest.state.getUnhandledErrors().length;
for (const file of vitest.state.getTestModules()) {
  failed += file.errors().length;
  for (const suite of file.children.allSuites()) failed += suite.errors().length;
  for (const test of file.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') passed += 1;
    if (state === 'failed' || state === 'pending') failed += 1;
  }
}
await vitest.close();
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
