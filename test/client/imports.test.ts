import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Packages that run in browsers as well as in Node. */
const packages = ['@graphql-typed-document-node/core', 'graphql', 'graphql-ws/client'];

test('the client imports only its own files and packages that run in browsers', () => {
  const imported = globSync('src/client/*.ts').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map(
      ([, target = '']) => target,
    ),
  );
  expect(imported.length).toBeGreaterThan(10);
  expect(imported.filter((target) => !target.startsWith('./') && !packages.includes(target))).toEqual([]);
});
