import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** Without the indentation of each line, which is the page's own. */
const lines = (text: string): string => text.replaceAll(/^ +/gm, '');

test('every code block of docs/clients.md is part of what is tested', () => {
  const tested = globSync([
    'codegen.ts',
    'test/clients/{*.json,{apollo,graphql-request,relay,subscriptions,support,urql}/*.ts}',
  ])
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const blocks = [...readFileSync('docs/clients.md', 'utf8').matchAll(/^```\w+\n(.*?)^```/gms)].map(
    ([, block = '']) => block,
  );
  expect(blocks.length).toBeGreaterThan(10);
  expect(blocks.filter((block) => !lines(tested).includes(lines(block)))).toEqual([]);
});
