import DataLoader from 'dataloader';
import type { Account } from '../../prisma/generated/client/client.ts';
import type { Database } from '../platform/database.ts';
import { type GrantorsWindow, listEligibleGrantors } from '../roles/store.ts';
import { listTickets, type TicketWithPlace } from '../tickets/store.ts';

export type Loaders = {
  eligibleGrantors: DataLoader<GrantorsWindow, Account[], string>;
  /** Tickets with their places, by id; null where there is none. */
  tickets: DataLoader<string, TicketWithPlace | null>;
};

/** Loaders that turn what many fields of one operation ask into one statement. */
export function createLoaders({ prisma }: Database): Loaders {
  return {
    eligibleGrantors: new DataLoader((windows) => listEligibleGrantors(prisma, windows), {
      cacheKeyFn: ({ place, below, above, order, limit }) =>
        `${place.product.id} ${below ?? ''} ${above ?? ''} ${order} ${limit}`,
      maxBatchSize: 100,
    }),
    tickets: new DataLoader((ids) => listTickets(prisma, ids), { maxBatchSize: 100 }),
  };
}
