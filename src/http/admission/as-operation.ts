import type { ServerResponse } from 'node:http';
import { GraphQLError } from 'graphql';
import type { TokenClaims } from '../../identity/tokens.ts';
import { withDeadline } from '../../platform/deadline.ts';
import { bearerKey } from '../authentication.ts';
import type { Limits } from '../limits.ts';
import { RequestRefusedError } from '../request-refused.ts';
import type { Admission } from './admission.ts';
import type { Account } from './lane.ts';
import { refuseAfterPause } from './refuse-after-pause.ts';

/**
 * Does the work of a request outside GraphQL as an operation of its account: admitted, in its turn, and in time.
 *
 * @param work says whose account it is as soon as that is known
 * @throws RequestRefusedError 429 if it is not admitted, 503 if it takes too long
 */
export async function asOperation<Result>(
  { admission, limits }: { admission: Admission; limits: Limits },
  claims: TokenClaims,
  response: ServerResponse,
  work: (identify: (account: Account) => void) => Promise<Result>,
): Promise<Result> {
  const place = await admission.admit(bearerKey(claims), {});
  if ('code' in place) return await refuseAfterPause(response, place, limits.refusalPauseMs);
  try {
    await place.start();
    const working = place.during(work((account) => place.identify(account)));
    const late = () => new RequestRefusedError(503, 'SERVICE_UNAVAILABLE', 'There was no answer in time.');
    return await withDeadline(working, limits.operationMs, late);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    // It had no turn in time.
    if (!response.headersSent) response.setHeader('retry-after', 1);
    throw new RequestRefusedError(429, String(error.extensions['code']), error.message);
  } finally {
    place.end();
  }
}
