import { ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import {
  clusterFolder,
  gatewayLockFile,
  postgresFolder,
  realDataFolder,
  serverLockFile,
} from './data-folder.ts';
import {
  isAlive,
  type RunningServer,
  removeLockFile,
  runningServer,
  waitUntilGone,
} from './embedded-postgres-process.ts';
import { type FileLock, lockFile } from './file-lock.ts';
import { StartupError } from './startup-error.ts';

/** Milliseconds: for a server to end after a signal, and for one that this gateway cannot signal. */
const stopDeadline = 5_000;
const endDeadline = 30_000;

/** Fast shutdown, immediate shutdown, kill: each is sent if the one before had no effect in time. */
export const stopSignals = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const;

/** The only owner of a data folder on which no server runs. */
export type DataFolderOwner = {
  /** The folder's real path. */
  readonly folder: string;
  /** The descriptor that a server inherits, so that nobody owns the folder before the server's last process ends. */
  readonly serverLock: number;
  /** Gives the folder up. May be called again. */
  release(): void;
};

/**
 * Takes ownership of a data folder. The kernel holds it, as locks on files in the folder: for all containers, by every
 * path, until this process ends. Stops a server whose gateway has died: its watcher may not have stopped it yet, or may
 * have been killed as well.
 *
 * @throws StartupError if another gateway owns the folder, or a server runs on it that somebody uses
 */
export async function ownDataFolder(dataFolder: string): Promise<DataFolderOwner> {
  const folder = await realDataFolder(dataFolder);
  const gateway = await lockFile(gatewayLockFile(folder));
  if (gateway === null) throw inUse(folder, nameOf(folder));
  writeName(gateway);
  try {
    const server = await lockWithoutServer(folder);
    return {
      folder,
      serverLock: server.fd,
      release() {
        server.release();
        gateway.release();
      },
    };
  } catch (error) {
    gateway.release();
    throw error;
  }
}

/** Locks the server's file once no server runs on the folder. */
async function lockWithoutServer(folder: string): Promise<FileLock> {
  const [path, cluster] = [serverLockFile(folder), clusterFolder(postgresFolder(folder))];
  const lock = (await lockFile(path)) ?? (await lockAfterServer(path, cluster));
  if (lock === null) throw inUse(folder, 'which has ended, but not its server');
  try {
    const server = await runningServer(cluster);
    if (server === 'STALE') await removeLockFile(cluster);
    else if (server !== undefined) await stopWithoutLock(server, folder);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Waits for a server whose gateway has ended, since that one's lock is free. Stops it unless it is in a container. */
async function lockAfterServer(path: string, cluster: string): Promise<FileLock | null> {
  const server = await runningServer(cluster);
  if (server !== undefined && server !== 'STALE') await stop(server.pid);
  const deadline = Date.now() + endDeadline;
  for (;;) {
    const lock = await lockFile(path);
    if (lock !== null || Date.now() > deadline) return lock;
    await wait(100);
  }
}

/** A server without the lock was started by an earlier version of the gateway, which locked nothing, or by a person. */
async function stopWithoutLock({ pid, gateway }: RunningServer, folder: string): Promise<void> {
  if (gateway === null || isAlive(gateway)) throw inUse(folder, `process ${gateway ?? pid}`);
  await stop(pid);
  if (isAlive(pid)) throw inUse(folder, 'which has ended, but not its server');
}

async function stop(pid: number): Promise<void> {
  for (const signal of stopSignals) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended already, or belongs to another user. The wait shows which.
    }
    if (await waitUntilGone(pid, stopDeadline)) return;
  }
}

/** The name is only for messages to people, so an owner that cannot write it, on a full disk, goes without. */
function writeName({ fd }: FileLock): void {
  try {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid} ${hostname()}\n`, 0);
  } catch {
    // See above.
  }
}

function nameOf(folder: string): string {
  const [pid = '', host = ''] = readFileSync(gatewayLockFile(folder), 'utf8').trim().split(' ');
  if (pid === '') return 'which is starting';
  return `process ${pid}${host === hostname() ? '' : ` on ${host}`}`;
}

function inUse(folder: string, owner: string): StartupError {
  return new StartupError(
    `The data folder ${folder} is in use by another gateway (${owner}): stop that one, or set DATA_FOLDER to another folder.`,
  );
}
