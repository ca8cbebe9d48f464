import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/**
 * Replaces each `graphql` literal by what the Relay compiler made of it, as babel-plugin-relay does for an
 * application. That package cannot be used here: it installs a graphql of its own beside the project's.
 */
const relayLiterals: Plugin = {
  name: 'relay-literals',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('.ts') || !code.includes('graphql`')) return null;
    const names: string[] = [];
    const replaced = code.replace(
      /\bgraphql`\s*(?:query|mutation|subscription|fragment)\s+(\w+)[^`]*`/g,
      (_, name) => {
        names.push(name);
        return `${name}_compiled`;
      },
    );
    const imports = names.map((name) => `import ${name}_compiled from './__generated__/${name}.graphql';`);
    return { code: `${imports.join(' ')} ${replaced}`, map: null };
  },
};

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  plugins: [relayLiterals],
  resolve: {
    // Vite would load the `module` file of graphql, Node loads its `main`: two packages that do not know each
    // other's errors.
    alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }],
  },
  test: {
    include: ['test/clients/**/*.spec.ts'],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
