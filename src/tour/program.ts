/** How the programs of this folder run: exit code 0, or one clear line and 1. */
import { RequestFailedError, SubscriptionEndedError } from '../client/errors.ts';
import { UsageError } from './arguments.ts';

export async function runProgram(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}

function explain(error: unknown): string {
  if (error instanceof RequestFailedError && error.code === 'UNREACHABLE') {
    return `${error.message} Is the gateway running? Start it with \`npm start\`, or give its URL.`;
  }
  const isPlain =
    error instanceof UsageError ||
    error instanceof RequestFailedError ||
    error instanceof SubscriptionEndedError;
  if (isPlain) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
