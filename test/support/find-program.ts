import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The path of a program, or the error message if there is none. */
export type FoundProgram = { readonly path: string } | { readonly missing: string };

/**
 * Finds a program of this machine, and installs it with apt where that is possible.
 *
 * @param name the name of the program and of its Debian package
 * @param named the path in the environment variable `variable`, if that is set
 * @param asking the argument with which it prints its version
 */
export async function findProgram(
  name: string,
  variable: string,
  named = process.env[variable],
  asking = '--version',
): Promise<FoundProgram> {
  const path = named ?? name;
  if (await answers(path, asking)) return { path };
  if (named !== undefined) return { missing: `${variable} names ${named}, which does not run.` };
  if (process.getuid?.() === 0 && (await answers('apt-get', '--version'))) {
    const options = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const install = () => run('apt-get', ['install', ...options, name], { env, timeout: 240_000 });
    try {
      await install().catch(async () => {
        await run('apt-get', ['update'], { env, timeout: 120_000 });
        await install();
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { missing: `${name} is not installed, and apt-get could not install it: ${reason}` };
    }
    if (await answers(path, asking)) return { path };
  }
  return {
    missing: `A real ${name} is needed: install it so that it is on the PATH, or name it in ${variable}.`,
  };
}

async function answers(program: string, asking: string): Promise<boolean> {
  return run(program, [asking]).then(
    () => true,
    () => false,
  );
}
