import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/** Takes an exclusive lock on a site: no command on any of its tickets runs until this transaction ends. */
export async function lockSite(tx: Transaction, siteId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('site', '$1')}`, siteId);
}

/** Takes an exclusive lock on the product's site. Does nothing if there is no such product. */
export async function lockSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('site', 'site_id::text')} FROM products WHERE id = $1::uuid`,
    productId,
  );
}

/**
 * Takes a shared lock on the product's site: nobody changes it until this transaction ends. Does nothing if there is
 * no such product.
 */
export async function shareSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('site', 'site_id::text')} FROM products WHERE id = $1::uuid`,
    productId,
  );
}
