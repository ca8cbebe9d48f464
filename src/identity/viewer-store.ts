/** Viewers in the database: active accounts with the roles they hold at this moment. */
import type { Transaction } from '../platform/database.ts';
import type { RoleAssignment } from '../roles/role.ts';
import type { ServiceCapability, Viewer } from './viewer.ts';

type AccountRow = {
  id: string;
  email: string;
  name: string;
  kind: Viewer['kind'];
  capabilities: ServiceCapability[];
  organizationId: string | null;
  organizationIds: string[];
  assignments: RoleAssignment[];
};

type Reader = Pick<Transaction, '$queryRawUnsafe'>;

const selectViewer = `
  SELECT a.id, a.kind::text AS kind, a.email, a.name,
         a.capabilities::text[] AS capabilities,
         a.organization_id AS "organizationId",
         ARRAY(SELECT m.organization_id::text FROM memberships m WHERE m.account_id = a.id) AS "organizationIds",
         (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', r.id, 'accountId', r.account_id, 'role', r.role, 'organizationId', r.organization_id,
                   'siteId', r.site_id, 'productId', r.product_id, 'productKey', p.key, 'syncState', r.sync_state)), '[]')
            FROM role_assignments r LEFT JOIN products p ON p.id = r.product_id
           WHERE r.account_id = a.id) AS assignments
    FROM accounts a
   WHERE a.active AND `;

/** The active account with this id, or null. One statement. */
export async function findViewerById(db: Reader, id: string): Promise<Viewer | null> {
  const [row] = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.id = $1::uuid`, id);
  return row === undefined ? null : toViewer(row);
}

/** The active account that is bound to this subject, or null. One statement. */
export async function findViewerBySubject(db: Reader, subject: string): Promise<Viewer | null> {
  const [row] = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.subject = $1`, subject);
  return row === undefined ? null : toViewer(row);
}

/**
 * Binds the subject to the active account with this email, if neither is bound yet, and returns the account.
 * Null when nothing was bound. Of several calls at once exactly one binds. One statement.
 */
export async function bindSubject(db: Reader, subject: string, email: string): Promise<Viewer | null> {
  const [row] = await db.$queryRawUnsafe<AccountRow[]>(
    `WITH bound AS (
       UPDATE accounts SET subject = $1
        WHERE email = lower($2) AND subject IS NULL AND active
          AND NOT EXISTS (SELECT 1 FROM accounts WHERE subject = $1) RETURNING id)
     ${selectViewer} a.id = (SELECT id FROM bound)`,
    subject,
    email,
  );
  return row === undefined ? null : toViewer(row);
}

function toViewer({ id, email, name, ...row }: AccountRow): Viewer {
  const { kind } = row;
  switch (kind) {
    case 'USER':
      return { kind, id, email, name, organizationIds: row.organizationIds, assignments: row.assignments };
    case 'SERVICE_ACCOUNT':
      return { kind, id, email, name, capabilities: row.capabilities, organizationId: row.organizationId };
    case 'SUPPORT_ENGINEER':
    case 'OPERATOR':
      return { kind, id, email, name };
  }
}
