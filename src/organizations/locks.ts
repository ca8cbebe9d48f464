import type { Transaction } from '../platform/database.ts';
import { exclusiveLock, sharedLock } from '../platform/locks.ts';
import type { ProductRef } from './store.ts';

/** Takes an exclusive lock on a site: no command on any of its tickets runs until this transaction ends. */
export async function lockSite(tx: Transaction, siteId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('site', '$1')}`, siteId);
}

/**
 * Takes an exclusive lock on the Guard of the site's organization, and on the site. Does nothing if there is no such
 * site. One statement.
 */
export async function lockSiteAndGuard(tx: Transaction, siteId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${exclusiveLock('guard', 'organization_id::text')}, ${exclusiveLock('site', 'id::text')}
       FROM sites WHERE id = $1::uuid`,
    siteId,
  );
}

/** Takes an exclusive lock on the Guard of the organization: none of its sites is restricted meanwhile. */
export async function lockGuard(tx: Transaction, organizationId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('guard', '$1')}`, organizationId);
}

/** Takes a shared lock on the Guard of the organization: whether its sites are restricted stays so. */
export async function shareGuard(tx: Transaction, organizationId: string): Promise<void> {
  await tx.$executeRawUnsafe(`SELECT ${sharedLock('guard', '$1')}`, organizationId);
}

/** As `shareGuard`, with an exclusive lock on the organization's admins: nobody else stops being one meanwhile. One statement. */
export async function shareGuardAndLockAdmins(tx: Transaction, organizationId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('guard', '$1')}, ${exclusiveLock('admins', '$1')}`,
    organizationId,
  );
}

/**
 * As `shareGuard`, for the organization in which a role is held. Does nothing if there is no such role assignment.
 */
export async function shareGuardOfRole(tx: Transaction, roleAssignmentId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('guard', 'organization_id::text')} FROM role_assignments WHERE id = $1::uuid`,
    roleAssignmentId,
  );
}

/**
 * Takes the locks under which a role is removed, in the organization in which it is held. Does nothing if there is no
 * such role assignment. One statement.
 */
export async function lockRemovalOfRole(tx: Transaction, roleAssignmentId: string): Promise<void> {
  await tx.$executeRawUnsafe(
    `SELECT ${sharedLock('guard', 'organization_id::text')},
            CASE WHEN role = 'ORGANIZATION_ADMIN' THEN ${exclusiveLock('admins', 'organization_id::text')} END
       FROM role_assignments WHERE id = $1::uuid`,
    roleAssignmentId,
  );
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
export async function shareSiteOfProduct(tx: Transaction, by: ProductRef): Promise<void> {
  if ('productId' in by) {
    await tx.$executeRawUnsafe(
      `SELECT ${sharedLock('site', 'site_id::text')} FROM products WHERE id = $1::uuid`,
      by.productId,
    );
  } else {
    await tx.$executeRawUnsafe(
      `SELECT ${sharedLock('site', 's.id::text')}
         FROM sites s JOIN products p ON p.site_id = s.id WHERE s.url = $1 AND p.key = $2`,
      ...[by.siteUrl, by.productKey],
    );
  }
}
