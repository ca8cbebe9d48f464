import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';

/** Locks a site exclusively: no command on any of its tickets runs meanwhile. */
export async function lockSite(tx: Transaction, siteId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('site', '$1')}`, siteId);
}

/** Locks the product's site exclusively. Does nothing where there is no such product. */
export async function lockSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('site', 'site_id::text')} FROM products WHERE id = $1::uuid`,
    productId,
  );
}

/** Locks the product's site shared: nobody changes it meanwhile. Does nothing where there is no such product. */
export async function shareSiteOfProduct(tx: Transaction, productId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('site', 'site_id::text')} FROM products WHERE id = $1::uuid`,
    productId,
  );
}
