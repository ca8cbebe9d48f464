import type { ServerResponse } from 'node:http';
import { tooManyBodies } from './admission/refusal.ts';
import { refuseAfterPause } from './admission/refuse-after-pause.ts';
import { createConnectionCounter } from './connection-counter.ts';
import type { Limits } from './limits.ts';

/**
 * Reads a body, if not too many of the same sender arrive already: whoever sends them slowly has each of them kept until it is
 * whole.
 *
 * @throws RequestRefusedError 429, after a pause
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
    if (!arriving.acquire(sender))
      await refuseAfterPause(response, tooManyBodies(bodiesPerBearer), refusalPauseMs);
    try {
      return await read();
    } finally {
      arriving.release(sender);
    }
  };
}
