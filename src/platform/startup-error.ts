/**
 * The gateway cannot start, for a reason the person starting it can mend.
 * The message is one line, says what is wrong and what to do, and holds no secret: it is printed as it is,
 * without a stack trace.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
