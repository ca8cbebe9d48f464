/** Tests `npm run check:breaking` in a temporary repository. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Report, reportBreakingChanges } from '../.ci/breaking-changes.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-breaking-'));
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

const check = (option?: '--approve') => reportBreakingChanges(folder, option === '--approve');

/** The program, in the folder. */
function runProgram(...options: string[]): Report {
  for (const name of ['.ci/check-breaking.ts', '.ci/breaking-changes.ts']) cpSync(name, join(folder, name));
  if (!existsSync(join(folder, 'node_modules')))
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['.ci/check-breaking.ts', ...options], {
    ...{ cwd: folder, encoding: 'utf8' },
  });
  return { passes: status === 0, said: `${stdout}${stderr}` };
}

const first = 'type Query { one: String two(required: Int): String }';
const more = 'type Query { one: String two(required: Int, other: Int): String three: [String!]! }';
const fewer = 'type Query { one: String }';
const stricter = 'type Query { one: String two(required: Int!): String }';

test('passes the first schema', async () => {
  write(first);
  expect(await check()).toMatchObject({ passes: true, said: expect.stringContaining('no earlier schema') });
  commit(first);
  expect(await check()).toMatchObject({ passes: true, said: expect.stringContaining('no earlier schema') });
});

test('passes additions', async () => {
  commit(first);
  write(more);
  expect(await check()).toEqual({ passes: true, said: '' });
  commit(more);
  expect(await check()).toEqual({ passes: true, said: '' });
});

const breaking: [what: string, schema: string, said: string][] = [
  ['a removed field', fewer, "Query.two: Field 'two' was removed"],
  ['an argument that became required', stricter, 'Query.two.required: Type for argument'],
];

test.each(breaking)('reports %s, committed or not, until it is approved', async (_, schema, said) => {
  commit(first);
  write(schema);
  expect(await check()).toMatchObject({ passes: false, said: expect.stringContaining(said) });
  commit(schema);
  git('commit', '--quiet', '--allow-empty', '--message', 'Something else');
  expect(await check()).toMatchObject({ passes: false, said: expect.stringContaining(said) });
  expect(await check('--approve')).toEqual({ passes: true, said: '' });
  expect(await check()).toEqual({ passes: true, said: '' });
  write('type Query { four: String }');
  expect(await check(), 'another breaking change').toMatchObject({ passes: false });
});

test('approving keeps what was approved before, unless it was taken back', async () => {
  commit(first);
  const approved = async (schema: string) => {
    write(schema);
    expect(await check('--approve')).toEqual({ passes: true, said: '' });
    commit(schema);
    return readFileSync(join(folder, 'schema/approved-breaking-changes.txt'), 'utf8');
  };
  const [one, two] = ["Query.one: Field 'one' was removed", "Query.two: Field 'two' was removed"];
  expect(await approved(fewer)).toContain(two);
  const none = await approved('type Query { four: String }');
  for (const change of [one, two]) expect(none).toContain(change);
  const back = await approved('type Query { two(required: Int): String four: String }');
  expect(back).toContain(one);
  expect(back).not.toContain(two);
});

test('reports what any commit of a branch broke', async () => {
  commit(first);
  git('update-ref', 'refs/remotes/origin/main', 'HEAD');
  git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/main');
  git('switch', '--quiet', '--create', 'branch');
  commit(fewer);
  commit('type Query { one: String four: String }');
  expect(await check()).toMatchObject({
    passes: false,
    said: expect.stringContaining("Field 'two' was removed"),
  });
});

test('the program fails until it is told to approve', () => {
  commit(first);
  write(fewer);
  expect(runProgram()).toMatchObject({
    passes: false,
    said: expect.stringContaining(breaking[0]?.[2] ?? ''),
  });
  expect(runProgram('--approve')).toEqual({ passes: true, said: '' });
});
