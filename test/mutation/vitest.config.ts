import { defineConfig } from 'vitest/config';
import { roomNamed } from './rooms.ts';

/** The unit tests of one room. Vitest transforms the files, since the mutants are not TypeScript that Node reads. */
export default defineConfig({
  test: {
    include: [...roomNamed(process.env['MUTATION_ROOM'] ?? '').tests],
    setupFiles: 'test/mutation/setup.ts',
    testTimeout: 60_000,
  },
});
