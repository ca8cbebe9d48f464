/**
 * What the runtime role, as which gateways run, may do in the database: read and write rows, and nothing that would let
 * it go around what makes the audit log append-only. The tables belong to another role, the owner, which migrates them.
 */
import pg from 'pg';
import { StartupError } from './startup-error.ts';

type TablePrivilege = (typeof tablePrivileges)[number];

const tablePrivileges = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'TRUNCATE',
  'REFERENCES',
  'TRIGGER',
] as const;
const sequencePrivileges = ['USAGE', 'SELECT', 'UPDATE'] as const;

/** What gateways do with the rows of a table that is not named below. */
const byDefault: readonly TablePrivilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
const readOnly: readonly TablePrivilege[] = ['SELECT'];
const appendOnly: readonly TablePrivilege[] = ['SELECT', 'INSERT'];
const neverDeleted: readonly TablePrivilege[] = ['SELECT', 'INSERT', 'UPDATE'];

const byTable: ReadonlyMap<string, readonly TablePrivilege[]> = new Map([
  ['_prisma_migrations', readOnly],
  ['open_grant_rules', readOnly],
  ['audit_entries', appendOnly],
  ['displaced_audit_entries', readOnly],
  ['audit_positions', readOnly],
  ['audit_renumberings', readOnly],
  ['audit_numbering', readOnly],
  ['audit_removals', readOnly],
  ['audit_tiles', neverDeleted],
  ['audit_checkpoints', appendOnly],
  ['decisions', appendOnly],
  ['accounts', neverDeleted],
  ['organizations', neverDeleted],
  ['sites', neverDeleted],
  ['products', neverDeleted],
  ['tickets', neverDeleted],
  ['grants', neverDeleted],
  ['support_sessions', neverDeleted],
  ['change_requests', neverDeleted],
  ['rovo_data_deletions', neverDeleted],
  ['invitations', neverDeleted],
]);

/** A table or sequence of the owner's, and what a role may do with it. */
type Held = {
  readonly name: string;
  readonly isSequence: boolean;
  /** Whether the role may act as the owner, and so do everything. */
  readonly owns: boolean;
  readonly held: readonly string[];
};

/** What a role should be given, and what should be taken from it. */
type Difference = { readonly missing: string[]; readonly excess: string[] };

async function readHeld(client: pg.Client, role: string): Promise<Held[]> {
  const { rows } = await client.query<Held>(
    `SELECT relname AS name, relkind = 'S' AS "isSequence", pg_has_role($1::name, relowner, 'MEMBER') AS owns,
            CASE WHEN relkind = 'S'
              THEN ARRAY(SELECT p FROM unnest($2::text[]) AS p WHERE has_sequence_privilege($1::name, oid, p))
              ELSE ARRAY(SELECT p FROM unnest($3::text[]) AS p WHERE has_table_privilege($1::name, oid, p)) END AS held
       FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        AND relowner = (SELECT relowner FROM pg_class WHERE oid = to_regclass('public._prisma_migrations'))
      ORDER BY relname`,
    [role, sequencePrivileges, tablePrivileges],
  );
  return rows;
}

function differenceOf({ name, isSequence, held }: Held): Difference {
  // USAGE takes the next number of a sequence; it does not set the sequence back.
  const wanted: readonly string[] = isSequence ? ['USAGE'] : (byTable.get(name) ?? byDefault);
  return {
    missing: wanted.filter((privilege) => !held.includes(privilege)),
    excess: held.filter((privilege) => !wanted.includes(privilege)),
  };
}

/**
 * Gives the role what gateways need on every table and sequence of the owner's, and takes what they do not need. Writes
 * nothing if it is so already.
 *
 * @param client connected as the owner
 */
export async function grantPrivileges(client: pg.Client, role: string): Promise<void> {
  const to = pg.escapeIdentifier(role);
  for (const held of await readHeld(client, role)) {
    if (held.owns) continue;
    const { missing, excess } = differenceOf(held);
    const on = objectOf(held);
    if (missing.length > 0) await client.query(`GRANT ${missing.join(', ')} ON ${on} TO ${to}`);
    if (excess.length > 0) await client.query(`REVOKE ${excess.join(', ')} ON ${on} FROM ${to}`);
  }
}

/** The name of the role as which the client is connected. @throws StartupError if it may not even see tables */
export async function roleOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ role: string; sees: boolean }>(
    `SELECT current_user AS role, has_schema_privilege('public', 'USAGE') AS sees`,
  );
  const { role = '', sees = false } = rows[0] ?? {};
  if (!sees) throw lacks(role, 'USAGE ON SCHEMA public');
  return role;
}

/**
 * Checks that the role, as which the client is connected, may do what gateways do.
 *
 * @returns by what it could go around the rules of the database, in words; empty for a runtime role as it should be
 * @throws StartupError that names a privilege which it lacks
 */
export async function checkPrivileges(client: pg.Client, role: string): Promise<string[]> {
  for (const held of await readHeld(client, role)) {
    const { missing } = differenceOf(held);
    if (missing.length > 0) throw lacks(role, `${missing.join(', ')} ON ${objectOf(held)}`);
  }
  const { rows } = await client.query<{ waysAround: string[] }>(readWaysAround);
  return rows[0]?.waysAround ?? [];
}

function objectOf({ name, isSequence }: Held): string {
  return `${isSequence ? 'SEQUENCE' : 'TABLE'} public.${pg.escapeIdentifier(name)}`;
}

function lacks(role: string, privileges: string): StartupError {
  return new StartupError(
    `The role ${role} of DATABASE_URL lacks a privilege: run \`npm run database:setup\`, or let the owner of the tables run GRANT ${privileges} TO ${pg.escapeIdentifier(role)}.`,
  );
}

/** By what a role could change the audit log, drop or disable what protects it, or put something in its place. */
const readWaysAround = `
  SELECT array_remove(ARRAY[
           CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolsuper AND pg_has_role(oid, 'MEMBER'))
             THEN 'it is a superuser' END,
           CASE WHEN (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user)
             THEN 'it may change roles (CREATEROLE)' END,
           CASE WHEN EXISTS (SELECT FROM pg_class
                              WHERE relnamespace = 'public'::regnamespace AND pg_has_role(relowner, 'MEMBER'))
             THEN 'it owns tables' END,
           CASE WHEN EXISTS (SELECT FROM pg_proc
                              WHERE pronamespace = 'public'::regnamespace AND pg_has_role(proowner, 'MEMBER'))
             THEN 'it owns functions' END,
           CASE WHEN EXISTS (SELECT FROM pg_database
                              WHERE datname = current_database() AND pg_has_role(datdba, 'MEMBER'))
             THEN 'it owns the database' END,
           CASE WHEN has_schema_privilege('public', 'CREATE') OR has_database_privilege(current_database(), 'CREATE')
             THEN 'it may create objects (CREATE)' END,
           CASE WHEN has_parameter_privilege('session_replication_role', 'SET')
             THEN 'it may switch triggers off (session_replication_role)' END,
           CASE WHEN EXISTS (SELECT FROM pg_roles
                              WHERE rolname IN ('pg_write_server_files', 'pg_execute_server_program')
                                AND pg_has_role(oid, 'MEMBER'))
             THEN 'it may write files of the server' END,
           CASE WHEN EXISTS (SELECT FROM unnest(ARRAY['audit_entries', 'decisions']) AS name
                              WHERE has_table_privilege(to_regclass('public.' || name), 'UPDATE, DELETE, TRUNCATE, TRIGGER'))
             THEN 'it may change entries of the audit log' END
         ], NULL) AS "waysAround"`;
