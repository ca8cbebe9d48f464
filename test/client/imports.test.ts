import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import clientPackage from '../../client/package.json' with { type: 'json' };
import rootPackage from '../../package.json' with { type: 'json' };

const files = globSync('client/src/**/*.ts');
const texts = files.map((file) => readFileSync(file, 'utf8'));
const imported = texts.flatMap((text) =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)].map(([, target = '']) => target),
);
/** The packages that the client declares, all of which run in browsers. */
const declared = { ...clientPackage.dependencies, ...clientPackage.peerDependencies };

/** `graphql-ws` for `graphql-ws/client`, `@scope/name` for `@scope/name/file`. */
const packageOf = (target: string): string =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

test('the client imports only its own files and the packages that it declares', () => {
  expect(imported.length).toBeGreaterThan(10);
  const packages = imported.filter((target) => !/^\.\/[\w-]+\.ts$/.test(target));
  expect([...new Set(packages.map(packageOf))].sort()).toEqual(Object.keys(declared).sort());
});

test('graphql-ws is imported without its server, which needs Node', () => {
  expect(imported.filter((target) => target.startsWith('graphql-ws'))).toEqual(['graphql-ws/client']);
});

test('the client uses no global that only Node has', () => {
  const used = texts.flatMap(
    (text) => text.match(/\b(?:NodeJS|Buffer|process|global|require|setImmediate|__dirname)\b/g) ?? [],
  );
  expect(used).toEqual([]);
});

test('the client declares the versions of packages with which it is tested', () => {
  const tested: Record<string, string> = { ...rootPackage.dependencies, ...rootPackage.devDependencies };
  for (const [name, range] of Object.entries(clientPackage.dependencies))
    expect(range, name).toBe(tested[name]);
});
