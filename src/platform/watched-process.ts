import { type ChildProcess, spawn } from 'node:child_process';

/**
 * A shell script that starts a watcher in the background and then becomes the watched program. The watcher reads from
 * a pipe whose other end only this process holds. If the pipe closes without a line, this process has died, and the
 * watcher sends SIGINT to the watched one. A line means that the watched process has ended. Only the watched process
 * keeps the descriptor 4.
 */
const startWithWatcher = '{ read -r _ || kill -INT $$; } <&3 4<&- >/dev/null 2>&1 & exec "$@" 3<&-';

/** Returns the program and parameters that start a process with its watcher, for `spawnWatched` or `setpriv`. */
export function watched(program: string, parameters: readonly string[]): [string, string[]] {
  return ['/bin/sh', ['-c', startWithWatcher, 'watched', program, ...parameters]];
}

/**
 * Spawns a command returned by `watched`, with standard output and error readable. It receives SIGINT if this process
 * dies without stopping it. It has its own process group, so Ctrl-C in a terminal does not reach it: the caller must
 * stop it.
 */
export function spawnWatched(
  program: string,
  parameters: readonly string[],
  {
    inherited,
    ...options
  }: {
    readonly uid?: number;
    readonly gid?: number;
    readonly env: NodeJS.ProcessEnv;
    /** A file descriptor that the process and its children get as well. */
    readonly inherited?: number;
  },
): ChildProcess {
  const child = spawn(program, parameters, {
    ...options,
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', ...(inherited === undefined ? [] : [inherited])],
  });
  const pipe = child.stdio[3];
  if (pipe !== null && pipe !== undefined && 'end' in pipe) {
    pipe.on('error', () => undefined);
    child.once('exit', () => pipe.end('\n'));
  }
  return child;
}
