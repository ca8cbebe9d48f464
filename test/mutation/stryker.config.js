import { fileURLToPath } from 'node:url';

/** Settings of Stryker. run.ts names the files to mutate, and the room by MUTATION_ROOM. */
export default {
  testRunner: 'vitest',
  plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  // Not copied: what the tests do not read, and tsconfig.json, which Stryker wants to rewrite by an API that
  // TypeScript 7 does not have.
  ignorePatterns: ['data', 'bench', 'docker', 'test/clients', 'test/mutation/node_modules', 'tsconfig.json'],
  tempDirName: 'test/mutation/report/tmp',
  reporters: ['progress-append-only', 'clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, allowEmojis: false },
  incremental: true,
  incrementalFile: `test/mutation/report/${process.env.MUTATION_ROOM}.incremental.json`,
  jsonReporter: { fileName: `test/mutation/report/${process.env.MUTATION_ROOM}.json` },
  allowConsoleColors: false,
  timeoutMS: 10_000,
};
