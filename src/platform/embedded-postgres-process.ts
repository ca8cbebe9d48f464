import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The process ids of a server that runs on a cluster and of the gateway that started it. */
export interface RunningServer {
  readonly pid: number;
  readonly gateway: number;
}

const markName = 'latchkey.gateway';

/** A server setting without effect. It puts this gateway's process id on the server's command line. */
export function gatewayMark(): Record<string, string> {
  return { [markName]: String(process.pid) };
}

/**
 * Returns the server that runs on the cluster, according to its lock file, or undefined if there is none.
 *
 * After a crash, the lock file may name a process id that another process has by now, or that of a dead process that
 * is not reaped yet. PostgreSQL would refuse to start, so such a lock file is removed.
 */
export async function runningServer(cluster: string): Promise<RunningServer | undefined> {
  const lockFile = join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  const command = await commandLine(pid);
  if (command.includes(cluster)) {
    const gateway = new RegExp(`${markName}=(\\d+)`).exec(command)?.[1];
    // Started by hand, without a gateway: the server counts as its own gateway.
    return { pid, gateway: gateway === undefined ? pid : Number(gateway) };
  }
  await rm(lockFile, { force: true });
  return undefined;
}

async function commandLine(pid: number): Promise<string> {
  try {
    return (await run('ps', ['-ww', '-o', 'args=', '-p', String(pid)])).stdout;
  } catch {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
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
