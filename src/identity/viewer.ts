/** Who is asking: the account behind a verified token, with the roles it holds at this moment. */

import type { Transaction } from '../platform/database.ts';
import type { RoleAssignment } from '../roles/role.ts';

type Someone = { id: string; email: string; name: string };

export type UserViewer = Someone & {
  kind: 'USER';
  organizationIds: readonly string[];
  assignments: readonly RoleAssignment[];
};
export type ServiceCapability = 'TICKETING' | 'GRANT_WATCHING' | 'AUDIT_READING';
export type ServiceViewer = Someone & {
  kind: 'SERVICE_ACCOUNT';
  capabilities: readonly ServiceCapability[];
  /** The one organization it is bound to; null: the vendor's own, for all of them. */
  organizationId: string | null;
};
export type Viewer =
  | UserViewer
  | (Someone & { kind: 'SUPPORT_ENGINEER' })
  | (Someone & { kind: 'OPERATOR' })
  | ServiceViewer;

type AccountRow = Someone & {
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

/** The active account with this id as it is now, or null. One statement. */
export async function findViewerById(db: Reader, id: string): Promise<Viewer | null> {
  const [row] = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.id = $1::uuid`, id);
  return row === undefined ? null : toViewer(row);
}

/**
 * The active account a token speaks for, or null. One statement, two at the first sign-in, three for nobody.
 *
 * An account is known by its subject. One that never signed in is found by its email and from then
 * on bound to the subject, so that an email handed to somebody else later opens nothing. A subject that an
 * account is bound to, active or not, is never bound to another.
 */
export async function findViewerByClaims(
  db: Reader,
  claims: { subject: string; email: string | null },
): Promise<Viewer | null> {
  const known = await findViewerBySubject(db, claims.subject);
  if (known !== null || claims.email === null) return known;
  const [bound] = await db.$queryRawUnsafe<AccountRow[]>(
    `WITH bound AS (
       UPDATE accounts SET subject = $1
        WHERE email = lower($2) AND subject IS NULL AND active
          AND NOT EXISTS (SELECT 1 FROM accounts WHERE subject = $1) RETURNING id)
     ${selectViewer} a.id = (SELECT id FROM bound)`,
    claims.subject,
    claims.email,
  );
  // Of several first requests at once one binds the account, and the others find it bound.
  return bound === undefined ? await findViewerBySubject(db, claims.subject) : toViewer(bound);
}

async function findViewerBySubject(db: Reader, subject: string): Promise<Viewer | null> {
  const [row] = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.subject = $1`, subject);
  return row === undefined ? null : toViewer(row);
}

function toViewer(row: AccountRow): Viewer {
  const { id, email, name } = row;
  switch (row.kind) {
    case 'USER':
      return {
        kind: row.kind,
        id,
        email,
        name,
        organizationIds: row.organizationIds,
        assignments: row.assignments,
      };
    case 'SERVICE_ACCOUNT':
      return {
        kind: row.kind,
        id,
        email,
        name,
        capabilities: row.capabilities,
        organizationId: row.organizationId,
      };
    case 'SUPPORT_ENGINEER':
    case 'OPERATOR':
      return { kind: row.kind, id, email, name };
  }
}
