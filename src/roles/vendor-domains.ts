/**
 * The domains of the vendor's own email addresses. Whoever has an address of one, or of a subdomain, is no customer's
 * user: they cannot be added to an organization, and a membership from before counts for nothing. So the vendor
 * cannot give its own people a customer's rights.
 *
 * They are configured, and kept in the database, where every statement that asks who may do something can use them.
 */
import type { Database, Transaction } from '../platform/database.ts';
import { exclusiveLock } from '../platform/locks.ts';

/** SQL for whether an address is the vendor's. `email` is an SQL expression of an address in lower case. */
export function isVendorsInSql(email: string): string {
  return `EXISTS (SELECT FROM vendor_domains d
                   WHERE right(${email}, length(d.domain) + 1) IN ('@' || d.domain, '.' || d.domain))`;
}

/** Whether an address, in lower case, is the vendor's. One statement. */
export async function isVendorAddress(db: Transaction, email: string): Promise<boolean> {
  const [row] = await db.$queryRawUnsafe<{ is: boolean }[]>(
    `SELECT ${isVendorsInSql('$1::text')} AS "is"`,
    email,
  );
  return row?.is === true;
}

/** Replaces the vendor's domains by these, in lower case. Of several gateways that start at once, the last one does. */
export async function setVendorDomains(database: Database, domains: readonly string[]): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.$executeRawUnsafe(`SELECT ${exclusiveLock('deployment', `'vendor domains'`)}`);
    await tx.$executeRawUnsafe('DELETE FROM vendor_domains WHERE domain <> ALL ($1::text[])', domains);
    await tx.$executeRawUnsafe(
      'INSERT INTO vendor_domains (domain) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING',
      domains,
    );
  });
}
