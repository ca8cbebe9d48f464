import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Beside the process runs a watcher that reads from a pipe whose other end only this process holds. The end
 * of the pipe without a word means this process died, and the watched one is told to stop; a word means that
 * the watched one is gone.
 */
const besideWatcher = '{ read -r _ || kill -INT $$; } <&3 >/dev/null 2>&1 & exec "$@" 3<&-';

/** The program and parameters that start a process with its watcher: for `spawnWatched`, or behind `setpriv`. */
export function watched(program: string, parameters: readonly string[]): [string, string[]] {
  return ['/bin/sh', ['-c', besideWatcher, 'watched', program, ...parameters]];
}

/**
 * Spawns what `watched` made: standard output and error are readable, and SIGINT is what it gets when this
 * process dies without stopping it. It is its own process group, so a Ctrl-C in the terminal does not reach
 * it: stopping it in order is up to the caller.
 */
export function spawnWatched(
  program: string,
  parameters: readonly string[],
  options: { readonly uid?: number; readonly gid?: number; readonly env: NodeJS.ProcessEnv },
): ChildProcess {
  const child = spawn(program, parameters, {
    ...options,
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const pipe = child.stdio[3];
  if (pipe !== null && pipe !== undefined && 'end' in pipe) {
    pipe.on('error', () => undefined);
    child.once('exit', () => pipe.end('\n'));
  }
  return child;
}
