import { execFile } from 'node:child_process';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The process ids of a server that runs on a cluster and of the gateway that started it. */
export interface RunningServer {
  readonly pid: number;
  /** Null if no gateway started it, but a person. */
  readonly gateway: number | null;
}

const markName = 'latchkey.gateway';

/** A server setting without effect. It puts this gateway's process id on the server's command line. */
export function gatewayMark(): Record<string, string> {
  return { [markName]: String(process.pid) };
}

/**
 * Returns the server that runs on the cluster in this container, according to PostgreSQL's lock file, or undefined if
 * there is none.
 *
 * `STALE`: after a crash, that file may be empty, or may name a process id that another process has by now, or that of a
 * dead process that is not reaped yet. PostgreSQL refuses to start while there is such a file.
 */
export async function runningServer(cluster: string): Promise<RunningServer | 'STALE' | undefined> {
  const content = await readFile(lockFile(cluster), 'utf8').catch(() => undefined);
  if (content === undefined) return undefined;
  const pid = /^\d+(?=\n)/.exec(content)?.[0] ?? '';
  if (pid !== '' && !isAlive(Number(pid))) return undefined;
  if (pid !== '' && (await isServerOn(cluster, pid))) {
    const gateway = new RegExp(`${markName}=(\\d+)`).exec(await commandLine(pid))?.[1];
    return { pid: Number(pid), gateway: gateway === undefined ? null : Number(gateway) };
  }
  return 'STALE';
}

/** Removes the lock file of a server that does not run any more. The caller must know that none does. */
export async function removeLockFile(cluster: string): Promise<void> {
  await rm(lockFile(cluster), { force: true });
}

function lockFile(cluster: string): string {
  return join(cluster, 'postmaster.pid');
}

/**
 * Whether the process is a PostgreSQL server on the cluster. Its current folder is the cluster, which has one number
 * whatever path leads to it and however that is written. Where that cannot be read, the program's name decides.
 */
async function isServerOn(cluster: string, pid: string): Promise<boolean> {
  try {
    const [current, wanted] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(cluster)]);
    return current.ino === wanted.ino && current.dev === wanted.dev;
  } catch {
    return /(^|\/)postgres\s*$/.test(await programName(pid));
  }
}

async function programName(pid: string): Promise<string> {
  try {
    return (await run('ps', ['-o', 'comm=', '-p', pid])).stdout;
  } catch {
    return await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  }
}

async function commandLine(pid: string): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'latin1')).replaceAll('\0', ' ');
  } catch {
    return (await run('ps', ['-ww', '-o', 'args=', '-p', pid]).catch(() => ({ stdout: '' }))).stdout;
  }
}

/** Whether a process with this id runs, whichever user owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Waits until the process has ended. Returns false if it still runs after this many milliseconds. */
export async function waitUntilGone(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false;
    await wait(50);
  }
  return true;
}
