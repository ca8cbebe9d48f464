import { RequestFailedError, SubscriptionEndedError } from '../../client/src/index.ts';
import { StartupError } from '../platform/startup-error.ts';
import { UsageError } from './arguments.ts';

/** Runs a program of this folder. When it fails, prints why in one line and sets the exit code 1. */
export async function runProgram(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = 1;
  }
}

/** The message of an error that the user can act on; the stack of any other. */
function explain(error: unknown): string {
  if (error instanceof RequestFailedError && error.code === 'UNREACHABLE') {
    return `${error.message} Start the gateway with \`npm start\`. For one on another port, set PORT or give its URL.`;
  }
  const isClear =
    error instanceof UsageError ||
    error instanceof StartupError ||
    error instanceof RequestFailedError ||
    error instanceof SubscriptionEndedError;
  if (isClear) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
