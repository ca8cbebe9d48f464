/** Tests `npm run check:breaking` in a temporary repository. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { rotating, seedOf } from './support/size.ts';

const seed = seedOf('BREAKING_SEED');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-breaking-'));
  cpSync('.ci/check-breaking.ts', join(folder, '.ci/check-breaking.ts'));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(folder, 'schema'));
  git('init', '--quiet', '--initial-branch=main');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function git(...args: string[]): string {
  const identity = [
    '-c',
    'user.name=Ada',
    '-c',
    'user.email=ada@example.example',
    '-c',
    'commit.gpgsign=false',
  ];
  return execFileSync('git', [...identity, ...args], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();
}

function write(schema: string): void {
  writeFileSync(join(folder, 'schema/schema.graphql'), schema);
}

function commit(schema: string): void {
  write(schema);
  git('add', 'schema');
  git('commit', '--quiet', '--allow-empty', '--message', 'Change');
}

function check(...options: string[]): { passes: boolean; said: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['.ci/check-breaking.ts', ...options], {
    ...{ cwd: folder, encoding: 'utf8' },
  });
  return { passes: status === 0, said: `${stdout}${stderr}` };
}

const first = 'type Query { one: String two(required: Int): String }';
const more = 'type Query { one: String two(required: Int, other: Int): String three: [String!]! }';
const fewer = 'type Query { one: String }';
const stricter = 'type Query { one: String two(required: Int!): String }';

test('passes the first schema', () => {
  write(first);
  expect(check()).toMatchObject({ passes: true, said: expect.stringContaining('no earlier schema') });
  commit(first);
  expect(check()).toMatchObject({ passes: true, said: expect.stringContaining('no earlier schema') });
});

test('passes additions', () => {
  commit(first);
  write(more);
  expect(check()).toEqual({ passes: true, said: '' });
  commit(more);
  expect(check()).toEqual({ passes: true, said: '' });
});

const breaking: [what: string, schema: string, said: string][] = [
  ['a removed field', fewer, "Query.two: Field 'two' was removed"],
  ['an argument that became required', stricter, 'Query.two.required: Type for argument'],
];
const notApproved = `reports %s, committed or not, and fails until it is approved, BREAKING_SEED=${seed}`;

test.each(rotating(breaking, seed))(notApproved, (_, schema, said) => {
  commit(first);
  write(schema);
  expect(check()).toMatchObject({ passes: false, said: expect.stringContaining(said) });
  commit(schema);
  git('commit', '--quiet', '--allow-empty', '--message', 'Something else');
  expect(check()).toMatchObject({ passes: false, said: expect.stringContaining(said) });
  expect(check('--approve')).toEqual({ passes: true, said: '' });
  expect(check()).toEqual({ passes: true, said: '' });
  write('type Query { four: String }');
  expect(check(), 'another breaking change').toMatchObject({ passes: false });
});

test('approving keeps what was approved before, unless it was taken back', () => {
  commit(first);
  const approved = (schema: string) => {
    write(schema);
    expect(check('--approve')).toEqual({ passes: true, said: '' });
    commit(schema);
    return readFileSync(join(folder, 'schema/approved-breaking-changes.txt'), 'utf8');
  };
  const [one, two] = ["Query.one: Field 'one' was removed", "Query.two: Field 'two' was removed"];
  expect(approved(fewer)).toContain(two);
  const none = approved('type Query { four: String }');
  for (const change of [one, two]) expect(none).toContain(change);
  const back = approved('type Query { two(required: Int): String four: String }');
  expect(back).toContain(one);
  expect(back).not.toContain(two);
});

test('reports what any commit of a branch broke', () => {
  commit(first);
  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/main');
  git('switch', '--quiet', '--create', 'branch');
  commit(fewer);
  commit('type Query { one: String four: String }');
  expect(check()).toMatchObject({ passes: false, said: expect.stringContaining("Field 'two' was removed") });
});
