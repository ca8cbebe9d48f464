/**
 * The entry point of the gateway process. Exit codes: 0 after a graceful shutdown; 1 if it could not start, could not
 * go on without its embedded database, or did not stop in time; 128 plus the signal's number if a second signal ended the process during the shutdown.
 */
import { once } from 'node:events';
import { constants } from 'node:os';
import { isRunByNpm } from './config/npm.ts';
import { StartupError } from './platform/startup-error.ts';

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

const stopped = once(stop.signal, 'abort').then(() => null);

// npm forwards no signal when it is killed, so the gateway also stops when its parent process is gone.
const npm = process.ppid;
if (isRunByNpm) setInterval(() => process.ppid !== npm && stop.abort(), 1_000).unref();

try {
  // Only now, because the code takes a while to load: a signal that arrives meanwhile is handled like any other.
  const { parseConfig, readEnvironment } = await import('./config/environment.ts');
  const { createApp } = await import('./app.ts');
  const { explainStartFailure } = await import('./start-failure.ts');
  const config = parseConfig(readEnvironment());
  const app = await createApp(config, { stop: stop.signal }).catch((error: unknown) => {
    throw explainStartFailure(error, config);
  });
  for (const line of app.startScreen) process.stdout.write(`${line}\n`);
  const failure = await Promise.race([stopped, app.failed]);
  const late = setTimeout(() => {
    process.stderr.write(
      `The gateway did not stop within ${config.shutdownGraceMs / 1_000} s and was ended.\n`,
    );
    process.exit(1);
  }, config.shutdownGraceMs);
  await app.dispose();
  clearTimeout(late);
  if (failure !== null) throw failure;
  process.exit(0);
} catch (error) {
  const report =
    error instanceof StartupError ? error.message : error instanceof Error ? error.stack : String(error);
  // If a start fails after a signal, the signal is the cause: there is nothing to report.
  if (!stop.signal.aborted) process.stderr.write(`${report}\n`);
  process.exit(1);
}
