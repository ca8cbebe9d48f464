import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * The house, floor by floor. A room uses itself and the rooms on floors below it, never a neighbour nor one
 * above. So whoever reads a room need only look down, and a model knows no other model's store.
 */
const floors: readonly (readonly string[])[] = [
  ['main.ts', 'reset.ts', 'tour'],
  ['app.ts'],
  ['start-screen.ts', 'sample-data'],
  ['http'],
  ['graphql'],
  ['commands'],
  ['grants', 'tickets', 'organizations'],
  ['authorization', 'notifications'],
  ['events', 'audit'],
  ['identity'],
  ['roles'],
  ['config.ts'],
  ['platform'],
  ['client'],
];

const root = fileURLToPath(new URL('../src', import.meta.url));
const files = globSync('**/*.ts', { cwd: root });

/** What a file imports from within src, by path; its own and packages' left out. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)]
    .map(([, path]) => relative(root, join(root, dirname(file), path ?? '')))
    .filter((path) => !path.startsWith('..'));
}

const roomOf = (file: string): string => file.split('/')[0] ?? file;
const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room));

test('every room has its floor', () => {
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((file) => floorOf(roomOf(file)) === -1)).toEqual([]);
});

test('a room uses only itself and the floors below', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => roomOf(target) !== roomOf(file) && floorOf(roomOf(target)) <= floorOf(roomOf(file)))
      .map((target) => `${file} → ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('no file imports itself in a circle', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of importsOf(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('the rules of grants and roles know no library, no database and no clock', () => {
  const pure = ['grants/grant.ts', 'grants/lifecycle.ts', 'roles/role.ts', 'roles/eligibility.ts'];
  const impure = pure.filter((file) =>
    /from '(?!\.)|from '.*\/platform\/|from '.*prisma|new Date\(\)|Date\.now\(/.test(
      readFileSync(join(root, file), 'utf8'),
    ),
  );
  expect(impure).toEqual([]);
});

test('config.ts alone reads the environment of the gateway', () => {
  const gateway = files.filter((file) => roomOf(file) !== 'tour');
  const readers = gateway.filter((file) => readFileSync(join(root, file), 'utf8').includes('process.env'));
  // The tour is a client, with an environment of its own.
  expect(readers.filter((file) => !file.startsWith('tour/'))).toEqual(['config.ts']);
});
