/** Viewers in the database: active accounts with the roles they hold at this moment. */
import type pg from 'pg';
import { asciiLowerCaseInSql } from '../platform/ascii.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { prepared } from '../platform/statement-names.ts';
import type { RoleAssignment } from '../roles/role.ts';
import { countsSinceInSql } from '../roles/role-counts.ts';
import { isVendorsInSql } from '../roles/vendor-domains.ts';
import type { ServiceCapability, Viewer } from './viewer.ts';

type AccountRow = {
  id: string;
  email: string;
  name: string;
  kind: Viewer['kind'];
  capabilities: ServiceCapability[];
  evaluatedProducts: string[];
  organizationId: string | null;
  organizationIds: string[];
  assignments: RoleAssignment[];
  /** Whether the address is the vendor's. */
  isVendors: boolean;
  readAt: Date;
  unsettledSites: string[];
};

/** A viewer, and what every operation has to know of the moment when it was read. */
export type ViewerAt = {
  viewer: Viewer;
  /** The time of the database. */
  readAt: Date;
  /** The sites on which something that has ended may not yet be written as over: organizations/unsettled.ts. */
  unsettledSites: readonly string[];
  /** All of that but the time, as a text. As long as it is the same, nothing of it has changed. */
  asRead: string;
};

/** Whom a token speaks for: a subject is unique only within its issuer. */
export type Subject = { issuer: string; subject: string };

type Reader = Pick<Transaction, '$queryRawUnsafe'>;

/** More of them at once than any vendor's sites end in a minute. */
const mostUnsettledSites = 1_000;

const selectViewer = `
  SELECT a.id, a.kind::text AS kind, a.email, a.name,
         a.capabilities::text[] AS capabilities,
         coalesce(a.evaluated_products, '{}') AS "evaluatedProducts",
         a.organization_id AS "organizationId",
         ARRAY(SELECT m.organization_id::text FROM memberships m WHERE m.account_id = a.id) AS "organizationIds",
         (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', r.id, 'accountId', r.account_id, 'role', r.role, 'organizationId', r.organization_id,
                   'siteId', r.site_id, 'productId', r.product_id, 'productKey', p.key, 'syncState', r.sync_state,
                   'since', (extract(epoch FROM ${countsSinceInSql}) * 1000)::bigint)), '[]')
            FROM role_assignments r LEFT JOIN products p ON p.id = r.product_id
           WHERE r.account_id = a.id) AS assignments,
         ${isVendorsInSql('a.email')} AS "isVendors",
         clock_timestamp() AS "readAt",
         ARRAY(SELECT id::text FROM sites WHERE unsettled_since IS NOT NULL
               UNION SELECT site_id::text FROM products WHERE unsettled_since IS NOT NULL
               LIMIT ${mostUnsettledSites}) AS "unsettledSites"
    FROM accounts a
   WHERE a.active AND `;
const selectViewerById = `${selectViewer} a.id = $1::uuid`;

/** The active account with this id, or null. One statement. */
export async function findViewerById(db: Reader, id: string): Promise<Viewer | null> {
  return (await findViewerAt(db, id))?.viewer ?? null;
}

/** The active account with this email address, whose ASCII letters are in lower case, or null. One statement. */
export async function findViewerByEmail(db: Reader, email: string): Promise<Viewer | null> {
  const rows = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.email = $1`, email);
  return toViewerAt(rows)?.viewer ?? null;
}

/** As `findViewerById`, with what was true at that moment. */
export async function findViewerAt(db: Reader, id: string): Promise<ViewerAt | null> {
  return toViewerAt(await db.$queryRawUnsafe<AccountRow[]>(selectViewerById, id));
}

/** The active accounts with these ids. One statement. */
export async function listViewers(db: Reader, ids: readonly string[]): Promise<Viewer[]> {
  const rows = await db.$queryRawUnsafe<AccountRow[]>(`${selectViewer} a.id = ANY ($1::uuid[])`, ids);
  return rows.map(toViewer);
}

const ofSubject = (subject: string, issuer: string) =>
  `a.subject = ${subject} AND (a.subject_issuer = ${issuer} OR a.subject_issuer IS NULL)`;

const selectViewerBySubject = `${selectViewer} ${ofSubject('$1', '$2')}`;

/** The active account that is bound to this subject of this issuer, or null. One statement. */
export async function findViewerBySubject(
  pool: Pick<pg.Pool, 'query'>,
  { issuer, subject }: Subject,
): Promise<ViewerAt | null> {
  const statement = prepared({ text: selectViewerBySubject, values: [subject, issuer] });
  return toViewerAt((await pool.query<AccountRow>(statement)).rows);
}

/** The same as one value of another statement, which `viewerOfRow` reads. Given the names of its parameters. */
export function viewerSql(subject: string, issuer: string): string {
  return `SELECT to_json(viewer) FROM (${selectViewer} ${ofSubject(subject, issuer)}) AS viewer`;
}

export function viewerOfRow(row: object | null): ViewerAt | null {
  if (row === null) return null;
  const { readAt, ...rest } = row as Omit<AccountRow, 'readAt'> & { readAt: string };
  return toViewerAt([{ ...rest, readAt: new Date(readAt) }]);
}

/**
 * Binds the subject to the active account with this email, if neither is bound yet, and returns the account.
 * Null when nothing was bound. Of several calls at once exactly one binds. One statement.
 */
export async function bindSubject(
  db: Reader,
  { issuer, subject }: Subject,
  email: string,
): Promise<ViewerAt | null> {
  return toViewerAt(
    await db.$queryRawUnsafe<AccountRow[]>(
      `WITH bound AS (
         UPDATE accounts SET subject = $1, subject_issuer = $2
          WHERE email = ${asciiLowerCaseInSql('$3')} AND subject IS NULL AND active
            AND NOT EXISTS (
              SELECT 1 FROM accounts WHERE subject = $1 AND (subject_issuer = $2 OR subject_issuer IS NULL))
         RETURNING id)
       ${selectViewer} a.id = (SELECT id FROM bound)`,
      subject,
      issuer,
      email,
    ),
  );
}

/**
 * Adds an account with this email for the person with this subject, if somebody has invited the address, it has no account
 * yet, and neither has the subject. Whether it did. The account belongs to no organization until the person accepts.
 * One statement.
 */
export async function addInvited(
  db: Transaction,
  { issuer, subject }: Subject,
  { id, email }: { id: string; email: string },
): Promise<boolean> {
  const added = await db.$executeRawUnsafe(
    `INSERT INTO accounts (id, kind, email, name, active, capabilities, created_at)
     SELECT $1::uuid, 'USER', i.email, i.name, true, '{}', clock_timestamp()
       FROM invitations i
      WHERE i.email = ${asciiLowerCaseInSql('$2')} AND i.ended_at IS NULL AND i.expires_at > clock_timestamp()
        AND NOT ${isVendorsInSql('i.email')}
        AND NOT EXISTS (SELECT FROM accounts a WHERE a.email = i.email)
        AND NOT EXISTS (SELECT FROM accounts WHERE subject = $3 AND (subject_issuer = $4 OR subject_issuer IS NULL))
      ORDER BY i.id LIMIT 1
     ON CONFLICT (email) DO NOTHING`,
    ...[id, email, subject, issuer],
  );
  return added > 0;
}

/** Whether an active account has this address, in lower case, or somebody is invited with it, who signs in to accept. */
export async function maySignIn({ pool }: Database, email: string): Promise<boolean> {
  const { rows } = await pool.query(
    `SELECT FROM accounts WHERE email = $1 AND active
     UNION ALL SELECT FROM invitations WHERE email = $1 AND state = 'WAITING' LIMIT 1`,
    [email],
  );
  return rows.length > 0;
}

/**
 * Assigns to the issuer the subjects that were bound without one: by a gateway of a version that knew only one issuer,
 * which may still run beside this one.
 */
export async function adoptSubjects({ pool }: Database, issuer: string): Promise<void> {
  await pool.query(
    'UPDATE accounts SET subject_issuer = $1 WHERE subject IS NOT NULL AND subject_issuer IS NULL',
    [issuer],
  );
}

function toViewerAt([row]: AccountRow[]): ViewerAt | null {
  if (row === undefined) return null;
  const { readAt, unsettledSites, ...rest } = row;
  return { viewer: toViewer(row), readAt, unsettledSites, asRead: JSON.stringify([rest, unsettledSites]) };
}

const nothing = { organizationIds: [], assignments: [] };

function toViewer({ id, email, name, ...row }: AccountRow): Viewer {
  const { kind } = row;
  switch (kind) {
    case 'USER': {
      // Somebody with an address of the vendor's is no customer's user, whatever was recorded before.
      const { organizationIds, assignments } = row.isVendors ? nothing : row;
      return { kind, id, email, name, organizationIds, assignments };
    }
    case 'SERVICE_ACCOUNT': {
      const { capabilities, evaluatedProducts, organizationId } = row;
      return { kind, id, email, name, capabilities, evaluatedProducts, organizationId };
    }
    case 'SUPPORT_ENGINEER':
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return { kind, id, email, name };
  }
}
