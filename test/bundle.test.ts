import { appendFile, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { bundle } from '../src/bundle.ts';

/** The module in a project of its own, with a bundle of its present sources. */
async function createProject() {
  const root = await mkdtemp(join(tmpdir(), 'latchkey-bundle-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const folder of ['src/grants', 'prisma/generated/client', 'dist/gateway'])
    await mkdir(join(root, folder), { recursive: true });
  await copyFile(new URL('../src/bundle.ts', import.meta.url), join(root, 'src/bundle.ts'));
  for (const file of ['src/grants/grant.ts', 'prisma/generated/client/client.ts', 'package-lock.json'])
    await writeFile(join(root, file), '{}');
  const made: typeof import('../src/bundle.ts') = await import(
    pathToFileURL(join(root, 'src/bundle.ts')).href
  );
  await writeFile(made.bundle.stamp, made.stampOfSources());
  return { root, findBundle: made.findBundle };
}

test('a bundle of the sources that are here is used', async () => {
  const { root, findBundle } = await createProject();
  expect(findBundle()).toBe(join(root, 'dist/gateway/gateway.js'));
});

test.each([
  ['a source that has changed', (root: string) => appendFile(join(root, 'src/grants/grant.ts'), ';')],
  ['a source that is new', (root: string) => writeFile(join(root, 'src/grants/terms.ts'), '')],
  ['a source that is gone', (root: string) => rm(join(root, 'src/grants/grant.ts'))],
  [
    'generated code that has changed',
    (root: string) => appendFile(join(root, 'prisma/generated/client/client.ts'), ';'),
  ],
  ['other packages', (root: string) => appendFile(join(root, 'package-lock.json'), ' ')],
  ['no generated code', (root: string) => rm(join(root, 'prisma'), { recursive: true })],
  ['no bundle', (root: string) => rm(join(root, 'dist'), { recursive: true })],
])('with %s, the sources are loaded', async (_what, change) => {
  const { root, findBundle } = await createProject();
  await change(root);
  expect(findBundle()).toBeUndefined();
});

test('a path that leads from a source to a file leads there from the bundle, too', () => {
  const fromSource = new URL(
    '../../prisma/migrations',
    new URL('../src/platform/migrations.ts', import.meta.url),
  );
  expect(new URL('../../prisma/migrations', pathToFileURL(bundle.entry)).href).toBe(fromSource.href);
});
