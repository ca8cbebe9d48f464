import { setTimeout as wait } from 'node:timers/promises';
import { RequestFailedError } from '../../client/src/index.ts';

/** Milliseconds from a failure until the next try: a client does not retry immediately. */
const retryMs = 50;

/**
 * Sends an operation again and again until it is answered, as a client does that gave it an idempotency key.
 *
 * @param onSetback called with the code of each failure
 */
export async function untilAnswered<Result>(
  send: () => Promise<Result>,
  onSetback: (code: string) => void,
): Promise<Result> {
  for (;;) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof RequestFailedError)) throw error;
      onSetback(error.code);
      await wait(retryMs);
    }
  }
}
