/** The step of the Dockerfile that generates code, with no more of the project and of the PATH than it has there. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { fullSize } from '../support/size.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test.runIf(fullSize)('the image generates its code', async () => {
  const dockerfile = await readFile(join(root, 'Dockerfile'), 'utf8');
  const [, generated = ''] = dockerfile.split(/^FROM .*$/m);
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-image-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const app = join(folder, 'app');
  await mkdir(app);
  for (const [, paths = ''] of generated.matchAll(/^COPY (.*) \S+$/gm)) {
    for (const path of paths.split(' ')) await cp(join(root, path), join(app, path), { recursive: true });
  }
  await rm(join(app, 'prisma/generated'), { recursive: true, force: true });
  await symlink(join(root, 'node_modules'), join(app, 'node_modules'));
  await mkdir(join(folder, 'bin'));
  await symlink(process.execPath, join(folder, 'bin/node'));

  const [, command = ''] = /^RUN (.* generate)$/m.exec(generated) ?? [];
  await promisify(execFile)('/bin/sh', ['-c', command.replaceAll('/app/', `${app}/`)], {
    cwd: app,
    env: { HOME: folder, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
  });
  expect((await readdir(join(app, 'prisma/generated'))).sort()).toEqual(['client', 'pothos.ts']);
});
