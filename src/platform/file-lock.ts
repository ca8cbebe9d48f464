import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { StartupError } from './startup-error.ts';

/** A lock on a file. */
export type FileLock = {
  /** Of the locked file. A process that inherits it holds the lock as well. */
  readonly fd: number;
  /** Ends the lock, unless another process holds it as well. May be called again. */
  release(): void;
};

/** How often a file is locked that somebody deletes meanwhile. */
const attempts = 10;

/**
 * Locks a file, and creates it if it is absent. Returns null while another process holds the lock.
 *
 * The kernel holds the lock for the open file (flock), until the last process has closed it. So it counts in every
 * container, by whatever path the file was opened, and a process that was killed leaves none.
 *
 * @throws StartupError if the file cannot be opened or locked
 */
export async function lockFile(path: string): Promise<FileLock | null> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const fd = await openLocked(path);
    if (fd === null) return null;
    if (isFileAt(path, fd)) return lockOf(fd);
    closeSync(fd);
  }
  throw new StartupError(`${path} cannot be locked: somebody deletes it again and again.`);
}

function lockOf(fd: number): FileLock {
  let held = true;
  return {
    fd,
    release() {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/** False for a file that was deleted before it was locked: the next process locks another one. */
function isFileAt(path: string, fd: number): boolean {
  const [here, there] = [fstatSync(fd), statSync(path, { throwIfNoEntry: false })];
  return there?.ino === here.ino && there.dev === here.dev;
}

/** A flag of open(2) on macOS and BSD, which Node does not name. */
const O_EXLOCK = 0x20;
const hasLockingOpen = ['darwin', 'freebsd', 'openbsd'].includes(process.platform);

/** Node cannot call flock, so open(2) or a program does it. The program locks the open file that it inherits. */
async function openLocked(path: string): Promise<number | null> {
  const flags = constants.O_RDWR | constants.O_CREAT;
  try {
    if (hasLockingOpen) return openSync(path, flags | O_EXLOCK | constants.O_NONBLOCK, 0o600);
    const fd = openSync(path, flags, 0o600);
    if (await isLockedByProgram(fd)) return fd;
    closeSync(fd);
    return null;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    if (codeOf(error) === 'EAGAIN') return null;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`${path} cannot be locked (${reason}): let this user write in its folder.`, {
      cause: error,
    });
  }
}

async function isLockedByProgram(fd: number): Promise<boolean> {
  const flock = spawn('flock', ['-x', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', fd],
    timeout: 30_000,
  });
  const said = flock.stderr === null ? Promise.resolve('') : text(flock.stderr);
  try {
    const [code] = await once(flock, 'close');
    if (code === 0) return true;
    // What flock prints for another reason than that somebody has the lock.
    const complaint = (await said).trim();
    if (code === 1 && complaint === '') return false;
    closeSync(fd);
    throw new StartupError(`The data folder cannot be locked (${complaint || `flock ended with ${code}`}).`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    closeSync(fd);
    throw new StartupError(
      'The program flock is missing, which locks the data folder: install util-linux, or set DATABASE_URL.',
      { cause: error },
    );
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
