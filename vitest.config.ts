import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // Real processes, sockets and signals: each test file gets a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    // Generous: a slow machine must not look like a fault. What must be fast asserts it itself.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
