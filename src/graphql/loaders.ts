import DataLoader from 'dataloader';
import type { Account } from '../../prisma/generated/client/client.ts';
import type { Database } from '../platform/database.ts';
import { type GrantorsWindow, listEligibleGrantors } from '../roles/store.ts';
import { listTickets, type TicketWithPlace } from '../tickets/store.ts';

/** Loaders that turn what many fields of one operation ask into one statement. Each is made when first used. */
export class Loaders {
  readonly #prisma: Database['prisma'];
  #eligibleGrantors: DataLoader<GrantorsWindow, Account[], string> | undefined;
  #tickets: DataLoader<string, TicketWithPlace | null> | undefined;

  constructor({ prisma }: Database) {
    this.#prisma = prisma;
  }

  get eligibleGrantors(): DataLoader<GrantorsWindow, Account[], string> {
    this.#eligibleGrantors ??= new DataLoader((windows) => listEligibleGrantors(this.#prisma, windows), {
      cacheKeyFn: ({ place, below, above, order, limit }) =>
        `${place.product.id} ${below ?? ''} ${above ?? ''} ${order} ${limit}`,
      maxBatchSize: 100,
    });
    return this.#eligibleGrantors;
  }

  /** Tickets with their places, by id; null where there is none. */
  get tickets(): DataLoader<string, TicketWithPlace | null> {
    this.#tickets ??= new DataLoader((ids) => listTickets(this.#prisma, ids), { maxBatchSize: 100 });
    return this.#tickets;
  }
}
