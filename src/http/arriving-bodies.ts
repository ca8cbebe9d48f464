import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { tooManyBodies } from './admission/refusal.ts';
import { createConnectionCounter } from './connection-counter.ts';
import type { Limits } from './limits.ts';
import { RequestRefusedError } from './request-refused.ts';

/**
 * Reads a body, if not too many of the same sender arrive already: whoever sends them slowly has each of them kept until it is
 * whole.
 *
 * @throws RequestRefusedError 429, after a pause: whoever sends the next request on an answer must not keep the gateway busy
 */
export type WhileArriving = <Body>(
  sender: string,
  response: ServerResponse,
  read: () => Promise<Body>,
) => Promise<Body>;

export function createWhileArriving({
  bodiesPerBearer,
  refusalPauseMs,
}: Pick<Limits, 'bodiesPerBearer' | 'refusalPauseMs'>): WhileArriving {
  const arriving = createConnectionCounter(bodiesPerBearer);
  return async (sender, response, read) => {
    if (!arriving.acquire(sender)) {
      await wait(refusalPauseMs);
      const { code, message, retryAfterSeconds } = tooManyBodies(bodiesPerBearer);
      response.setHeader('retry-after', retryAfterSeconds);
      throw new RequestRefusedError(429, code, message, { retryAfterSeconds });
    }
    try {
      return await read();
    } finally {
      arriving.release(sender);
    }
  };
}
