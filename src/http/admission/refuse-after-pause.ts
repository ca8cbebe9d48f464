import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { RequestRefusedError } from '../request-refused.ts';
import type { Refused } from './refusal.ts';

/**
 * Refuses a request after a pause: whoever sends the next one on an answer must not keep the gateway busy with refusals.
 * @throws RequestRefusedError 429
 */
export async function refuseAfterPause(
  response: ServerResponse,
  { code, message, retryAfterSeconds }: Refused,
  pauseMs: number,
): Promise<never> {
  await wait(pauseMs, undefined, { ref: false });
  if (!response.headersSent) response.setHeader('retry-after', retryAfterSeconds);
  throw new RequestRefusedError(429, code, message, { retryAfterSeconds });
}
