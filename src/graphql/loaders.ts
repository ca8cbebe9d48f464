import DataLoader from 'dataloader';
import type { Account } from '../../prisma/generated/client/client.ts';
import type { Database } from '../platform/database.ts';
import type { Place } from '../roles/eligibility.ts';
import { listEligibleGrantors } from '../roles/store.ts';

/** Which page of the eligible people at a place: those after an id, at most so many. */
export type GrantorsPage = { place: Place; after: string | null; limit: number };

export type Loaders = { eligibleGrantors: DataLoader<GrantorsPage, Account[], string> };

/** Loaders that turn what many fields of one operation ask into one statement. */
export function createLoaders({ prisma }: Database): Loaders {
  return {
    eligibleGrantors: new DataLoader((pages) => listEligibleGrantors(prisma, pages), {
      cacheKeyFn: ({ place, after, limit }) => `${place.product.id} ${after ?? ''} ${limit}`,
      maxBatchSize: 100,
    }),
  };
}
