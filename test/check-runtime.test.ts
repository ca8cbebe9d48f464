import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'latchkey-runtime-'));
  mkdirSync(join(project, 'src'));
  cpSync(join(root, 'src/check-runtime.js'), join(project, 'src/check-runtime.js'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'src/main.ts'), `const text: string = 'it runs'; console.log(text);`);
});
afterAll(() => rmSync(project, { recursive: true }));

type Node = { readonly program: string; readonly parameters: readonly string[]; readonly version: string };

/** This Node, made to report another version. */
function pretending(version: string): Node {
  const code = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return { program: process.execPath, parameters: ['--import', `data:text/javascript,${code}`], version };
}

/** The installed versions of Node that are older than 24. */
function oldNodes(): Node[] {
  const programs = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return [...new Set(programs)].filter(existsSync).flatMap((program) => {
    const version = execFileSync(program, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
    return Number.parseInt(version, 10) < 24 ? [{ program, parameters: [], version }] : [];
  });
}

/** Runs the project's main.ts as its scripts do, with only these folders present. */
function start({ program, parameters }: Node, ...folders: string[]): Promise<unknown> {
  for (const folder of ['node_modules', 'prisma', 'schema']) {
    rmSync(join(project, folder), { recursive: true, force: true });
  }
  for (const folder of folders) mkdirSync(join(project, folder), { recursive: true });
  return new Promise((resolve) => {
    const all = [...parameters, '--import', './src/check-runtime.js', 'src/main.ts'];
    execFile(program, all, { cwd: project }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

const generated = ['prisma/generated', 'schema/generated'];

test('a script runs on Node 24 and on later versions', async () => {
  for (const version of [process.versions.node, '26.0.0']) {
    expect(await start(pretending(version), 'node_modules', ...generated)).toEqual({
      ...{ code: 0, stdout: 'it runs\n', stderr: '' },
    });
  }
});

test.each([pretending('20.19.0'), pretending('22.22.0'), ...oldNodes()])(
  'on Node $version ($program) a script prints one line that says what to do',
  async (node) => {
    const message = (command: string) => ({
      ...{ code: 1, stdout: '' },
      stderr: `Latchkey runs on Node 24, and this is Node ${node.version}: run \`${command}\`, which installs Node 24 in node_modules.\n`,
    });
    expect(await start(node, 'node_modules', ...generated)).toEqual(message('npm rebuild node'));
    expect(await start(node, 'node_modules')).toEqual(message('npm rebuild node && npm run generate'));
  },
);

test('without dependencies or generated code a script prints one line that says what to do', async () => {
  const node = pretending('24.0.0');
  expect(await start(node)).toEqual({
    ...{ code: 1, stdout: '', stderr: 'Latchkey is not installed: run `npm ci`.\n' },
  });
  for (const folder of generated) {
    expect(await start(node, 'node_modules', folder)).toEqual({
      ...{ code: 1, stdout: '', stderr: 'The generated code is missing: run `npm run generate`.\n' },
    });
  }
});

test('every script that runs a TypeScript file checks the runtime first', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const running = Object.values(scripts).filter((script) => /\bnode\b.*\.ts\b/.test(script));
  expect(running.length).toBeGreaterThan(10);
  for (const script of running) {
    expect(script).toMatch(/^(?:exec )?(?:[A-Z_]+=\S+ )?node --import \.\/src\/check-runtime\.js \S+\.ts\b/);
  }
});
