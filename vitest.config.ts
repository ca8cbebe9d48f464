import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    alias: [
      // Its ES modules are for bundlers only (`module` without `exports`): Node loads its `main`. Tests must
      // load the same file, or there are two graphql packages that do not know each other's errors.
      { find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // Real processes, sockets and signals: each test file gets a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    // Generous: a slow machine must not look like a fault. What must be fast asserts it itself.
    testTimeout: 90_000,
    hookTimeout: 120_000,
  },
});
