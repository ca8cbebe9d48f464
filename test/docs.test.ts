import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildSchema, isEnumType, type OperationDefinitionNode, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { reasonCodes } from '../src/access/reasons.ts';
import { variableNames } from '../src/config/environment.ts';
import { startGateway } from './support/gateway.ts';
import { startSampleGateway } from './support/sample-gateway.ts';

const read = (path: string): string => readFileSync(path, 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md', 'client/README.md', ...globSync('docs/**/*.md')];
const schema = buildSchema(read('schema/schema.graphql'));

/** The code blocks in this language on a page. */
const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, text = '']) => text,
  );

/** The names in backticks in the first column of the tables under a heading. */
function firstColumn(page: string, heading: string): string[] {
  const [, section = ''] =
    new RegExp(`^#+ ${heading}\\n([\\s\\S]*?)(?=^#|$(?![\\s\\S]))`, 'm').exec(read(page)) ?? [];
  return [...section.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = '']) => name),
  );
}

test('every link has a target', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !existsSync(join(dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test('every file and script that is named exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const wrong = pages.flatMap((page) => {
    const text = read(page);
    const missing = [...text.matchAll(/`((?:src|client|test|schema|prisma|docs|\.ci)\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(path));
    const unknown = [...text.matchAll(/npm run (?:-s )?([\w:]+)/g)]
      .map(([, name = '']) => name)
      .filter((name) => !(name in scripts));
    return [...missing, ...unknown].map((name) => `${page}: ${name}`);
  });
  expect(wrong).toEqual([]);
});

test('the README shows what watch and approve print within its first screen', () => {
  const screen = read('README.md').split('\n').slice(0, 20).join('\n');
  for (const line of ['npm ci && npm start', 'npm run watch', 'npm run approve', 'ACTIVATED']) {
    expect(screen).toContain(line);
  }
});

test('the table of configuration has every variable', () => {
  expect(firstColumn('README.md', 'Configuration').sort()).toEqual([...variableNames].sort());
});

test('every error code that a mutation returns is explained', () => {
  const codes = schema.getType('ErrorCode');
  const known = isEnumType(codes) ? codes.getValues().map(({ name }) => name) : [];
  expect(known.length).toBeGreaterThan(10);
  expect(firstColumn('docs/api.md', 'Errors of a mutation').sort()).toEqual(known.sort());
});

test('every reason of a no is explained, in the order in which they are looked for', () => {
  expect(firstColumn('docs/access.md', 'Reasons of a no')).toEqual(reasonCodes);
});

test('every error code of a request is explained, and every explained code exists', () => {
  const explained = firstColumn('docs/api.md', 'Errors of a request');
  expect(explained.length).toBeGreaterThan(10);
  const source = globSync('src/{http,graphql}/**/*.ts').map(read).join('\n');
  // Set by the GraphQL engine, not in our code.
  const byTheEngine = ['GRAPHQL_VALIDATION_FAILED'];
  expect(explained.filter((code) => !source.includes(`'${code}'`) && !byTheEngine.includes(code))).toEqual(
    [],
  );
  const given = [
    ...source.matchAll(
      /(?:extensions: \{\s*code: |requestError\(\s*\d+,\s*|RequestRefusedError\(\s*\d+,\s*)'([A-Z_]+)'/g,
    ),
  ];
  expect(given.length).toBeGreaterThan(10);
  expect(given.map(([, code]) => code).filter((code) => !explained.includes(code ?? ''))).toEqual([]);
});

describe('documents', () => {
  test('are valid for the schema', () => {
    const all = ['docs/api.md', 'docs/operating.md', 'docs/webhooks.md'].flatMap((page) =>
      blocks(page, 'graphql'),
    );
    expect(all.length).toBeGreaterThan(5);
    expect(all.flatMap((text) => validate(schema, parse(text)).map(({ message }) => message))).toEqual([]);
  });

  test('set up an empty deployment as described', async () => {
    await using gateway = await startGateway();
    const operator = await gateway.as('operator@vendor.example');
    const ids: Record<string, string> = {};
    for (const text of blocks('docs/operating.md', 'graphql')) {
      const { variableDefinitions = [] } = parse(text).definitions[0] as OperationDefinitionNode;
      const names = variableDefinitions.map(({ variable }) => variable.name.value);
      const [[name, answer] = ['', null]] = Object.entries<{ id?: string }>(
        await operator.ask(text, Object.fromEntries(names.map((variable) => [variable, ids[variable]]))),
      );
      expect(answer, name).toHaveProperty('id');
      const made = name.replace(/^(?:create|license|add|assign)/, '');
      ids[`${made.charAt(0).toLowerCase()}${made.slice(1)}Id`] = answer?.id ?? '';
    }
    const { accounts } = await operator.ask('{ accounts { edges { node { email } } } }');
    expect(accounts.edges).toHaveLength(5);
  });
});

test('the statements for an operator can be run, and change what they name', async () => {
  await using gateway = await startSampleGateway();
  const { rows } = await gateway.sql.query<{ grant: string; site: string }>(`
    SELECT (SELECT id FROM grants WHERE ended_at IS NULL LIMIT 1) AS grant,
           (SELECT id FROM sites WHERE url LIKE '%old%') AS site`);
  const [given = { grant: '', site: '' }] = rows;
  // Those of the whole server run in test/deployment/standby.test.ts.
  const statements = blocks('docs/operating.md', 'sql').filter((text) => !text.includes('ALTER SYSTEM'));
  expect(statements.length).toBeGreaterThan(3);
  await using connections = new AsyncDisposableStack();
  const client = connections.adopt(await gateway.sql.connect(), (opened) => opened.release(true));
  const [beside, inTransactions] = [true, false].map((is) =>
    statements.filter((text) => text.includes('CONCURRENTLY') === is),
  );
  // They create what migrations have created: under the same names.
  const indexes = 'SELECT indexname FROM pg_indexes ORDER BY indexname';
  const { rows: before } = await client.query(indexes);
  for (const statement of beside?.flatMap((text) => text.split(/;$/m)) ?? []) await client.query(statement);
  expect((await client.query(indexes)).rows).toEqual(before);
  for (const text of inTransactions ?? []) {
    await client.query('BEGIN');
    if (text.includes('_prisma_migrations'))
      await client.query('UPDATE _prisma_migrations SET finished_at = NULL');
    const statement = text.replace(`'…'`, `'${given.grant}'`).replace(/'\w+-…'/, `'${given.site}'`);
    const { command, rowCount } = await client.query(statement);
    if (command === 'UPDATE') expect(rowCount, statement).toBeGreaterThan(0);
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
    await client.query('ROLLBACK');
  }
});
