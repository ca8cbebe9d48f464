/**
 * The gateway cannot start, for a reason that the person who starts it can fix. The message is one line, says what is
 * wrong and what to do, and contains no secret: it is printed unchanged, without a stack trace.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
