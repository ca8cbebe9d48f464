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
});
