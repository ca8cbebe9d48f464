import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server on a cluster, and the gateway that started it, both by process number. */
export interface RunningServer {
  readonly pid: number;
  readonly gateway: number;
}

const markName = 'latchkey.gateway';

/** A server setting without effect, by which a server's command line tells whose it is. */
export function gatewayMark(): Record<string, string> {
  return { [markName]: String(process.pid) };
}

/**
 * Who serves the cluster, from the server's own lock file. A lock file left behind by a hard stop may name a
 * process number that something else has by now, or one that is dead but not yet reaped: the server would
 * not start over it, so such a lock file is removed.
 */
export async function runningServer(cluster: string): Promise<RunningServer | undefined> {
  const lockFile = join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  const command = await commandLine(pid);
  if (command.includes(cluster)) {
    const gateway = new RegExp(`${markName}=(\\d+)`).exec(command)?.[1];
    // Started by hand: then it is its own master.
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

/** Whether a process of that number runs, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Waits until the process is gone; false if it still runs after so many milliseconds. */
export async function waitUntilGone(pid: number, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false;
    await wait(50);
  }
  return true;
}
