/**
 * The advisory locks that put everything about one grant into one order, and the order they are taken in.
 *
 * A command takes them in this order: the sites, the tickets, then the rights of accounts. On a ticket it
 * takes the ticket's lock exclusively and its site's lock shared; on a site it takes the site's lock exclusively.
 * Every command takes a shared lock on the rights of its caller. A command that takes rights away takes that lock
 * exclusively, so that no decision commits after the rights it relied on are gone.
 *
 * They are taken before the transaction's first write, because PostgreSQL gives a transaction its id at the
 * first write. So two transactions on the same grant have ids in the order of their commits, and the event
 * stream, which is ordered by transaction id, has each grant's events in order.
 */

/** The kinds of what is locked, in the order of locking. The number is the seed of the hash of the id. */
const seeds = { site: 1, ticket: 2, rights: 3 } as const;

/** SQL that takes an exclusive lock until the transaction ends. `id` is SQL of type text. */
export function exclusiveLock(kind: keyof typeof seeds, id: string): string {
  return `pg_advisory_xact_lock(hashtextextended(${id}, ${seeds[kind]}))`;
}

/** SQL that takes a shared lock until the transaction ends: others may share it, nobody may hold it exclusively. */
export function sharedLock(kind: keyof typeof seeds, id: string): string {
  return `pg_advisory_xact_lock_shared(hashtextextended(${id}, ${seeds[kind]}))`;
}
