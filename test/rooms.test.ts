import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * The layers of src/, from top to bottom. A room (a folder or file directly in src/) may import only from itself and
 * from the layers below it, never from another room of its own layer. So nobody needs to know the layers above to
 * understand a room, and no model depends on another model's store.
 */
const layers: readonly (readonly string[])[] = [
  ['main.ts', 'reset.ts', 'database-setup.ts', 'audit-key.ts', 'audit-verify.ts', 'tour'],
  ['bundle.ts'],
  ['gateway.ts'],
  ['app.ts', 'start-failure.ts'],
  ['start-screen.ts', 'sample-data'],
  ['http'],
  ['graphql'],
  ['webhooks'],
  ['commands'],
  ['access'],
  ['grants', 'sessions', 'changes', 'tickets', 'organizations', 'proposals', 'rovo'],
  ['authorization', 'notifications'],
  ['events', 'audit'],
  ['identity'],
  ['roles'],
  ['config'],
  ['metrics', 'transparency'],
  ['platform'],
];

const root = fileURLToPath(new URL('../src', import.meta.url));
const files = globSync('**/*.ts', { cwd: root });

/** Returns the paths of the files in src that a file imports. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)]
    .map(([, path]) => relative(root, join(root, dirname(file), path ?? '')))
    .filter((path) => !path.startsWith('..'));
}

const roomOf = (file: string): string => file.split('/')[0] ?? file;
const layerOf = (room: string): number => layers.findIndex((rooms) => rooms.includes(room));

test('every room belongs to a layer', () => {
  expect(files.length).toBeGreaterThan(10);
  expect(files.filter((file) => layerOf(roomOf(file)) === -1)).toEqual([]);
});

test('a room imports only from itself and from the layers below', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => roomOf(target) !== roomOf(file) && layerOf(roomOf(target)) <= layerOf(roomOf(file)))
      .map((target) => `${file} → ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('only the tour uses the client, as other programs do', () => {
  const users = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('/client/src/'));
  expect([...new Set(users.map(roomOf))]).toEqual(['tour']);
  const inside = users.filter((file) =>
    /\/client\/src\/(?!index\.ts')/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(inside).toEqual([]);
});

test('there is no import cycle', () => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of importsOf(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(cycles).toEqual([]);
});

test('the rules of grants, roles and access use no library, no database and no clock', () => {
  const pure = [
    ...['grants/grant.ts', 'grants/lifecycle.ts', 'roles/role.ts', 'roles/eligibility.ts'],
    ...['proposals/proposal.ts', 'proposals/protection.ts', 'access/catalogue.ts', 'access/decide.ts'],
    ...['sessions/session.ts', 'rovo/deletion.ts'],
    ...['tickets/moment.ts', 'webhooks/plan.ts'],
    ...['changes/change-request.ts', 'changes/lifecycle.ts'],
  ];
  const impure = pure.filter((file) =>
    /from '(?!\.)|from '.*\/platform\/|from '.*prisma|new Date\(\)|Date\.now\(/.test(
      readFileSync(join(root, file), 'utf8'),
    ),
  );
  expect(impure).toEqual([]);
});

test('only config/ reads the environment of the gateway', () => {
  // The tour is a client with its own environment variables.
  const gateway = files.filter((file) => roomOf(file) !== 'tour');
  const readers = gateway.filter((file) => readFileSync(join(root, file), 'utf8').includes('process.env'));
  expect(readers.filter((file) => roomOf(file) !== 'config')).toEqual([]);
  expect(readers).toContain('config/environment.ts');
});
