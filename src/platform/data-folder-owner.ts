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
import { isAlive, runningServer, waitUntilGone } from './embedded-postgres-process.ts';
import { type FileLock, lockFile } from './file-lock.ts';
import { StartupError } from './startup-error.ts';

/** Milliseconds: for a server to end after a signal, and for one that this gateway cannot signal. */
const stopDeadline = 5_000;
const endDeadline = 15_000;

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
  const lock = await lockFile(serverLockFile(folder));
  try {
    const server = await runningServer(clusterFolder(postgresFolder(folder)));
    // Without the lock, the server was started by an earlier version, which locked nothing, or by hand.
    const mayBeInUse = lock !== null && server !== undefined;
    if (mayBeInUse && (server.gateway === null || isAlive(server.gateway))) {
      throw inUse(folder, `process ${server.gateway ?? server.pid}`);
    }
    if (server !== undefined) await stop(server.pid);
    const free = lock ?? (await lockInTime(serverLockFile(folder)));
    if (free === null || (server !== undefined && isAlive(server.pid))) {
      throw inUse(folder, 'which has ended, but not its server');
    }
    return free;
  } catch (error) {
    lock?.release();
    throw error;
  }
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

/** Waits for processes that this one may not see, in another container. */
async function lockInTime(path: string): Promise<FileLock | null> {
  const deadline = Date.now() + endDeadline;
  for (;;) {
    const lock = await lockFile(path);
    if (lock !== null || Date.now() > deadline) return lock;
    await wait(100);
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
