import { RequestRefusedError } from '../request-refused.ts';

/**
 * Bounds the evaluations of each bearer that wait for their answers, so that a backend out of control leaves room for
 * the others.
 *
 * @returns runs the work, which has so many evaluations; throws RequestRefusedError 503 if that would be too many
 */
export function createShares(perBearer: number) {
  const waiting = new Map<string, number>();
  return async <Result>(bearer: string, count: number, work: () => Promise<Result>): Promise<Result> => {
    const before = waiting.get(bearer) ?? 0;
    if (before + count > perBearer)
      throw new RequestRefusedError(
        503,
        'SERVICE_UNAVAILABLE',
        `More than ${perBearer} of your evaluations wait for their answers. Wait for some of them.`,
      );
    waiting.set(bearer, before + count);
    try {
      return await work();
    } finally {
      const left = (waiting.get(bearer) ?? 0) - count;
      if (left === 0) waiting.delete(bearer);
      else waiting.set(bearer, left);
    }
  };
}
