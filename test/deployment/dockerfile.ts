/** Replays the Dockerfile in folders instead of images, as far as it uses the language. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';

export type Instruction = { readonly keyword: string; readonly value: string };
export type Stage = {
  readonly base: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
};

/** A folder in place of an image, and what the image says of how it is run. */
export type Image = {
  /** What has the path `/` in the image. */
  readonly root: string;
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
};

export function parseDockerfile(text: string): Stage[] {
  const stages: { base: string; name: string; instructions: Instruction[] }[] = [];
  const lines = text.replace(/^#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  for (const [, keyword = '', value = ''] of lines.matchAll(/^([A-Z]+) +(.*)$/gm)) {
    if (keyword === 'FROM') {
      const [base = '', , name = ''] = value.split(' ');
      stages.push({ base, name, instructions: [] });
    } else stages.at(-1)?.instructions.push({ keyword, value });
  }
  return stages;
}

/** Whether a path of the project, or a folder that it is in, is left out of what a build may copy. */
export function isIgnored(path: string, dockerignore: string): boolean {
  const parents = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  const patterns = dockerignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return patterns.reduce((ignored, pattern) => {
    const isException = pattern.startsWith('!');
    const literal = pattern.slice(isException ? 1 : 0).replaceAll('.', '\\.');
    const matching = new RegExp(`^${literal.replaceAll('*', '[^/]*')}$`);
    return parents.some((parent) => matching.test(parent)) ? !isException : ignored;
  }, false);
}

/** The path outside of what has this path in the image. */
const outside = (root: string, workdir: string, path: string): string =>
  join(root, posix.resolve(workdir, path));

/**
 * Builds every stage below the folder, and returns the last one.
 *
 * @param run what a RUN does: the command, with paths of the folder, in its working directory
 */
export async function buildImage(
  stages: readonly Stage[],
  context: { readonly folder: string; readonly dockerignore: string },
  folder: string,
  run: (command: string, workdir: string) => Promise<void>,
): Promise<Image> {
  const built = new Map<string, Image>();
  let image: Image | undefined;
  for (const [index, stage] of stages.entries()) {
    image = await buildStage(stage, context, join(folder, String(index)), built, run);
    built.set(stage.name, image);
  }
  if (image === undefined) throw new Error('The Dockerfile has no stage');
  return image;
}

async function buildStage(
  { instructions }: Stage,
  context: { readonly folder: string; readonly dockerignore: string },
  root: string,
  built: ReadonlyMap<string, Image>,
  run: (command: string, workdir: string) => Promise<void>,
): Promise<Image> {
  let workdir = '/';
  let user = 'root';
  let command: string[] = [];
  let healthCheck: string[] = [];
  const environment: Record<string, string> = {};
  for (const { keyword, value } of instructions) {
    switch (keyword) {
      case 'WORKDIR':
        workdir = value;
        await mkdir(outside(root, workdir, '.'), { recursive: true });
        break;
      case 'ENV':
        for (const [, name = '', setTo = ''] of value.matchAll(/(\w+)=(\S*)/g)) environment[name] = setTo;
        break;
      case 'COPY':
        await copy(value, context, { root, workdir }, built);
        break;
      case 'RUN': {
        const ofShell = value.replace(/^(--mount=\S+ )+/, '');
        await run(ofShell.replaceAll('/app/', `${outside(root, '/app', '.')}/`), outside(root, workdir, '.'));
        break;
      }
      case 'USER':
        user = value;
        break;
      case 'CMD':
        command = JSON.parse(value);
        break;
      case 'HEALTHCHECK':
        healthCheck = JSON.parse(value.replace(/^.*?CMD /, ''));
        break;
      case 'EXPOSE':
        break;
      default:
        throw new Error(`The tests do not know how to replay ${keyword}`);
    }
  }
  return { root, workdir, environment, user, command, healthCheck };
}

async function copy(
  value: string,
  context: { readonly folder: string; readonly dockerignore: string },
  to: { root: string; workdir: string },
  built: ReadonlyMap<string, Image>,
): Promise<void> {
  const paths = value.split(' ');
  const [, from] = /^--from=(.*)$/.exec(paths[0] ?? '') ?? [];
  if (from !== undefined) paths.shift();
  const target = paths.pop() ?? '';
  const stage = from === undefined ? undefined : built.get(from);
  if (from !== undefined && stage === undefined) throw new Error(`There is no stage ${from}`);
  for (const path of paths) {
    const source =
      stage === undefined ? join(context.folder, path) : outside(stage.root, stage.workdir, path);
    // Into a folder that ends with a slash; a folder's contents, not the folder itself.
    const destination = outside(
      to.root,
      to.workdir,
      target.endsWith('/') ? `${target}${basename(path)}` : target,
    );
    await cp(source, destination, {
      recursive: true,
      preserveTimestamps: true,
      verbatimSymlinks: true,
      filter: (each) =>
        stage !== undefined || !isIgnored(posix.relative(context.folder, each), context.dockerignore),
    });
  }
}

/** Runs a program to its end; rejects with what it has printed if it does not end with 0. */
export async function toEnd(
  [program = '', ...given]: readonly string[],
  options: { cwd: string; env: Record<string, string>; uid?: number; gid?: number },
): Promise<string> {
  const child = spawn(program, given, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      printed += text;
    });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${[program, ...given].join(' ')} ended with ${code}:\n${printed}`);
  return printed;
}
