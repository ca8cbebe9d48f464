/**
 * The entry point of the gateway process. Exit codes: 0 after a graceful shutdown; 1 if it could not start, could not
 * go on without its embedded database, or did not stop in time; 128 plus the signal's number if a second signal ended the process during the shutdown.
 */
import { constants } from 'node:os';
import { loadGateway } from './bundle.ts';
import { isRunByNpm } from './config/npm.ts';

/**
 * Aborted by the first signal; a second one ends the process at once. npm forwards the signals that it receives,
 * so after Ctrl-C in a terminal under `npm start` the same signal arrives twice.
 */
const stop = new AbortController();
let repeats = isRunByNpm ? 1 : 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!stop.signal.aborted) stop.abort();
    else if (repeats > 0) repeats -= 1;
    else process.exit(128 + constants.signals[signal]);
  });
}

// npm forwards no signal when it is killed, so the gateway also stops when its parent process is gone.
const npm = process.ppid;
if (isRunByNpm) setInterval(() => process.ppid !== npm && stop.abort(), 1_000).unref();

// Only now, because the code takes a while to load: a signal that arrives meanwhile is handled like any other.
const { runGateway } = await loadGateway();
process.exit(await runGateway(stop.signal));
