import type { Asker, Decider } from '../../access/evaluation.ts';
import type { TokenClaims } from '../../identity/tokens.ts';
import { GenerationalCache } from '../../platform/generational-cache.ts';
import { shareReads } from '../../platform/shared-reads.ts';
import { bearerKey } from '../authentication.ts';
import type { OpenDecider } from './routes.ts';

/** Twice as many are known at most. */
const perGeneration = 500;

/**
 * Opens the decision point to the service accounts that tokens speak for.
 *
 * An account is looked up once. From then on its id is known, and nothing else of it: the decision point reads the account
 * for each answer, under the lock of its rights, and with the subject that it is bound to. Who may not ask any more is
 * looked up again, and so is everybody whose request cannot be read.
 *
 * @param find resolves to the id of the account if it may ask, else to null
 */
export function createOpenDecider({
  find,
  decide,
}: {
  find: (claims: TokenClaims) => Promise<string | null>;
  decide: Decider<Asker>;
}): OpenDecider {
  const known = new GenerationalCache<string, string>();
  // Requests at the same time look up together.
  const findTogether = shareReads(find, ({ issuer, subject, email }) =>
    JSON.stringify([issuer, subject, email]),
  );

  async function lookUp(claims: TokenClaims): Promise<Asker | null> {
    const id = await findTogether(claims);
    if (id === null) {
      known.delete(bearerKey(claims));
      return null;
    }
    if (known.size >= perGeneration) known.rotate();
    known.set(bearerKey(claims), id);
    return askerOf(claims, id);
  }

  return async (claims, isAnew = false) => {
    const id = isAnew ? undefined : known.get(bearerKey(claims));
    const asker = id === undefined ? await lookUp(claims) : askerOf(claims, id);
    if (asker === null) return null;
    return async (items, semantic) => {
      const answers = await decide(items, semantic, asker);
      if (answers !== null) return answers;
      const found = await lookUp(claims);
      return found === null ? null : await decide(items, semantic, found);
    };
  };
}

function askerOf({ issuer, subject }: TokenClaims, id: string): Asker {
  return { id, issuer, subject };
}
