import type { Config } from './config/config.ts';
import { isUnavailable } from './platform/database.ts';
import { reasonOf } from './platform/startup-connection.ts';
import { StartupError } from './platform/startup-error.ts';

/** Why a gateway could not start, as a StartupError where that can be said in one line. */
export function explainStartFailure(error: unknown, config: Config): unknown {
  return listenError(error, config) ?? databaseError(error) ?? error;
}

/** Explains why the gateway cannot listen on its address; undefined for any other error. */
function listenError(error: unknown, { host, port }: Config): StartupError | undefined {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return undefined;
  if (error.syscall !== 'listen' && error.syscall !== 'getaddrinfo') return undefined;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} on ${host} is in use: stop the program that uses it, or set PORT to another port.`,
    EACCES: `This user may not listen on port ${port}: set PORT to a number above 1023.`,
    EADDRNOTAVAIL: `${host} is not an address of this machine: set HOST to 127.0.0.1 or to one of its addresses.`,
    ENOTFOUND: `${host} is not a known host name: set HOST to 127.0.0.1 or to an address of this machine.`,
  };
  const reason = reasons[String(error.code)];
  return reason === undefined ? undefined : new StartupError(reason, { cause: error });
}

/** Says that the database was there when the gateway started, and then was not; undefined for any other error. */
function databaseError(error: unknown): StartupError | undefined {
  if (error instanceof StartupError || !isUnavailable(error)) return undefined;
  return new StartupError(`The database was lost during the start (${reasonOf(error)}): start again.`, {
    cause: error,
  });
}
