/**
 * The locks that put everything about one grant into one order.
 *
 * A command on a ticket holds the ticket alone and its site together with others; a command on a site
 * holds the site alone. Every command shares the rights of whoever gives it; a command that takes rights
 * away holds them alone, so that nothing stands on them that comes after it on the record.
 *
 * The locks are advisory, and taken before the transaction's first write, because the first write is where
 * PostgreSQL gives the transaction its id: two transactions on the same grant thus have ids in the order of
 * their commits, and the event stream, ordered by transaction id, tells each grant's story in order.
 */
import type { Transaction } from './database.ts';

/** Locks a ticket and shares its site. Answers the ids, or null when there is no such ticket. One statement. */
export async function lockTicket(
  tx: Transaction,
  by: { ticketId: string } | { grantId: string },
): Promise<{ ticketId: string; siteId: string } | null> {
  const [found] =
    'ticketId' in by
      ? await tx.$queryRawUnsafe<Locked[]>(`${lockSelect} FROM tickets t WHERE t.id = $1::uuid`, by.ticketId)
      : await tx.$queryRawUnsafe<Locked[]>(
          `${lockSelect} FROM grants g JOIN tickets t ON t.id = g.ticket_id WHERE g.id = $1::uuid`,
          by.grantId,
        );
  return found === undefined ? null : { ticketId: found.ticketId, siteId: found.siteId };
}

type Locked = { ticketId: string; siteId: string };

const lockSelect = `
  SELECT t.id AS "ticketId", t.site_id AS "siteId",
         pg_advisory_xact_lock_shared(hashtextextended(t.site_id::text, 1))::text,
         pg_advisory_xact_lock(hashtextextended(t.id::text, 2))::text`;

/**
 * Shares the site that a product is on with other commands on its tickets: nobody changes the site meanwhile.
 * Nothing where there is no such product.
 */
export async function shareSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT pg_advisory_xact_lock_shared(hashtextextended(site_id::text, 1)) FROM products WHERE id = $1::uuid`,
    productId,
  );
}

/** Holds a site alone: no command on any of its tickets runs meanwhile. */
export async function lockSite(tx: Transaction, siteId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`, siteId);
}

/** Holds the site that a product is on alone. Nothing where there is no such product. */
export async function lockSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT pg_advisory_xact_lock(hashtextextended(site_id::text, 1)) FROM products WHERE id = $1::uuid`,
    productId,
  );
}

/** Shares an account's rights with other commands that stand on them: nobody takes any away meanwhile. */
export async function shareRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 3))`, accountId);
}

/** Holds an account's rights alone: no command that stands on them runs meanwhile. */
export async function lockRights(tx: Transaction, accountId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT pg_advisory_xact_lock(hashtextextended($1, 3))`, accountId);
}

/** Holds the rights of whoever holds the role alone. Nothing where there is no such assignment. */
export async function lockRightsOfHolder(tx: Transaction, roleAssignmentId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT pg_advisory_xact_lock(hashtextextended(account_id::text, 3)) FROM role_assignments WHERE id = $1::uuid`,
    roleAssignmentId,
  );
}
