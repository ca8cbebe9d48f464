/**
 * The gateway as a process. Exit codes: 0 after a stop in order, 1 when it could not start or did not stop
 * in time, 128 and the signal's number when a second signal cut the stop short.
 */
import { once } from 'node:events';
import { constants } from 'node:os';
import { createApp } from './app.ts';
import { type Config, parseConfig, readEnvironment } from './config.ts';
import { StartupError } from './platform/startup-error.ts';

/** Aborted by the first signal; a second one ends the process at once. */
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(128 + constants.signals[signal]);
    stop.abort();
  });
}

try {
  const config = parseConfig(readEnvironment());
  const app = await createApp(config).catch((error: unknown) => {
    throw listenError(error, config) ?? error;
  });
  for (const line of app.startScreen) process.stdout.write(`${line}\n`);
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  const late = setTimeout(() => {
    process.stderr.write(
      `The gateway did not stop within ${config.shutdownGraceMs / 1_000} s and was cut off.\n`,
    );
    process.exit(1);
  }, config.shutdownGraceMs);
  await app.dispose();
  clearTimeout(late);
  process.exit(0);
} catch (error) {
  const told =
    error instanceof StartupError ? error.message : error instanceof Error ? error.stack : String(error);
  // Stopped while starting: what was cut short is not worth telling.
  if (!stop.signal.aborted) process.stderr.write(`${told}\n`);
  process.exit(1);
}

/** What Node says when the address cannot be listened on, in our words. */
function listenError(error: unknown, { host, port }: Config): StartupError | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined;
  if (error.syscall !== 'listen' && error.syscall !== 'getaddrinfo') return undefined;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} on ${host} is in use: stop what uses it, or set PORT to another.`,
    EACCES: `Port ${port} may not be listened on by this user: set PORT to one above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST to 127.0.0.1, or to one of its own.`,
    ENOTFOUND: `${host} is not a known host name: set HOST to 127.0.0.1, or to an address of this machine.`,
  };
  const reason = reasons[String(error.code)];
  return reason === undefined ? undefined : new StartupError(reason, { cause: error });
}
