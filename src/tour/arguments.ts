import { parseConfig, readEnvironment } from '../config/environment.ts';

/**
 * Reads the arguments of the programs in this folder: the URL of a gateway and the email of a person, both
 * optional, in any order. Without a URL it is the gateway that `npm start` starts with the same environment: HOST
 * and PORT, from the variables or from the file .env.
 *
 * @param variables as `npm start` reads them; read from the environment when they are left out.
 * @throws UsageError for an argument that is neither, or when the environment does not determine the port.
 * @throws ConfigError when `npm start` would not start with this environment.
 */
export function readArguments(
  given: readonly string[] = process.argv.slice(2),
  variables?: Readonly<Record<string, string | undefined>>,
): { url: string; email: string | null } {
  const url = given.find((argument) => /^https?:\/\//.test(argument));
  const email = given.find((argument) => argument.includes('@') && argument !== url);
  const unknown = given.find((argument) => argument !== url && argument !== email);
  if (unknown !== undefined) {
    throw new UsageError(
      `${JSON.stringify(unknown)} is neither the URL of a gateway nor an email: give one of them, both or none.`,
    );
  }
  return { url: url ?? urlOfGateway(variables ?? readEnvironment()), email: email ?? null };
}

function urlOfGateway(variables: Readonly<Record<string, string | undefined>>): string {
  const { host, port } = parseConfig(variables);
  if (port === 0) {
    throw new UsageError('With PORT=0 the gateway takes any free port: give the URL that it printed.');
  }
  const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host.replace(/^\[|\]$/g, '');
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** The program cannot run with these arguments. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
