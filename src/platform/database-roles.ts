/**
 * Creates the two roles of a database: the owner, to which the tables belong and which migrates them, and the runtime
 * role, as which gateways run. Only the owner can change the tables, the functions and the triggers on them.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import pg from 'pg';
import type { DatabaseAccess } from './prepare-database.ts';
import { connectAtStart, type DatabaseVariable, reasonOf } from './startup-connection.ts';
import { StartupError } from './startup-error.ts';

export type DatabaseRole = {
  readonly name: string;
  /** The password, in ASCII, with which it can log in. Null: it stays as it is, and a new role cannot log in. */
  readonly login: {
    readonly password: string /** A role that exists stays as it is. */;
    readonly onlyIfNew: boolean;
  } | null;
};

export type DatabaseRoles = { readonly owner: DatabaseRole; readonly runtime: DatabaseRole };

/** The names of the roles, where nobody gives others. */
export const defaultRoleNames = { owner: 'latchkey_owner', runtime: 'latchkey_gateway' } as const;

/** The roles that were created, of those that did not exist. */
export type CreatedRoles = { readonly [Role in keyof DatabaseRoles]: boolean };

/**
 * Creates the roles in the server of the database, and hands what is in its schema `public` to the owner. May be called
 * again: it changes only what is different. All of it, or nothing.
 *
 * @param adminUrl leads to the database, as a superuser or as whoever owns it and may create roles
 * @throws StartupError if that fails
 */
export async function setUpRoles(
  adminUrl: string,
  { owner, runtime }: DatabaseRoles,
  variable: DatabaseVariable,
): Promise<CreatedRoles> {
  const client = await connectAtStart(adminUrl, variable);
  try {
    await client.query(`BEGIN; SET LOCAL statement_timeout = 60000; SET LOCAL lock_timeout = 10000`);
    await client.query('SELECT pg_advisory_xact_lock($1)', [rolesLock]);
    const created = {
      owner: await createRole(client, owner),
      runtime: await createRole(client, runtime),
    };
    const { database, mayActAs } = await readSituation(client, owner.name);
    if (!mayActAs) await client.query(`GRANT ${pg.escapeIdentifier(owner.name)} TO CURRENT_USER`);
    await client.query(databasePrivileges(database, { owner, runtime }));
    for (const statement of await findForeignObjects(client, owner.name)) await client.query(statement);
    await client.query('COMMIT');
    return created;
  } catch (error) {
    throw new StartupError(`The roles of the database could not be set up (${reasonOf(error)}).`, {
      cause: error,
    });
  } finally {
    // Without a commit, this rolls the transaction back.
    await client.end();
  }
}

/**
 * Sets up the roles of the embedded database, whose only user is its gateway: nobody logs in as the owner, and the
 * runtime role gets another password at every start, which nothing stores.
 *
 * @param adminUrl leads to it as its superuser
 */
export async function setUpEmbeddedRoles(adminUrl: string): Promise<DatabaseAccess> {
  const password = randomBytes(24).toString('base64url');
  const { owner, runtime } = defaultRoleNames;
  await setUpRoles(
    adminUrl,
    {
      owner: { name: owner, login: null },
      runtime: { name: runtime, login: { password, onlyIfNew: false } },
    },
    'DATABASE_URL',
  );
  const url = urlAs(adminUrl, { name: runtime, password });
  return { url, owner: { url: adminUrl, role: owner, variable: 'DATABASE_URL' } };
}

/** The URL of the same database for another user. */
export function urlAs(databaseUrl: string, { name, password }: { name: string; password: string }): string {
  const url = new URL(databaseUrl);
  url.searchParams.delete('user');
  url.username = encodeURIComponent(name);
  url.password = encodeURIComponent(password);
  return url.href;
}

/** Key of an advisory lock, taken by whoever sets up the roles of this database. */
const rolesLock = 5_284_871_023;

/** What neither role may do, whatever it could do before: each attribute would let it go around the rules. */
const unprivileged = 'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS';

/** Returns whether the role did not exist before. */
async function createRole(client: pg.Client, { name, login }: DatabaseRole): Promise<boolean> {
  const role = pg.escapeIdentifier(name);
  const mayLogIn =
    login === null ? 'NOLOGIN' : `LOGIN PASSWORD ${pg.escapeLiteral(scramVerifier(login.password))}`;
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  const isNew = rowCount === 0;
  if (isNew) await client.query(`CREATE ROLE ${role} ${unprivileged} ${mayLogIn}`);
  else if (login !== null && !login.onlyIfNew) await client.query(`ALTER ROLE ${role} ${mayLogIn}`);
  return isNew;
}

/** What PostgreSQL stores for a password (RFC 5803), so that the password itself reaches no log of the server. */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  const serverKey = keyed('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** The name of the database, and whether the client may act as the owner: only then may it hand tables to it. */
async function readSituation(
  client: pg.Client,
  owner: string,
): Promise<{ database: string; mayActAs: boolean }> {
  const { rows } = await client.query<{ database: string; mayActAs: boolean }>(
    `SELECT current_database() AS database, pg_has_role($1::name, 'MEMBER') AS "mayActAs"`,
    [owner],
  );
  return rows[0] ?? { database: '', mayActAs: false };
}

/** Nobody but the owner creates anything in the database, not even temporary tables: one could stand for a real one. */
function databasePrivileges(name: string, { owner, runtime }: DatabaseRoles): string {
  const database = pg.escapeIdentifier(name);
  const [owns, runs] = [pg.escapeIdentifier(owner.name), pg.escapeIdentifier(runtime.name)];
  return `
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    REVOKE CREATE, TEMPORARY ON DATABASE ${database} FROM PUBLIC;
    GRANT CONNECT ON DATABASE ${database} TO ${owns}, ${runs};
    GRANT USAGE ON SCHEMA public TO ${owns}, ${runs};
    GRANT CREATE ON DATABASE ${database} TO ${owns};
    GRANT CREATE ON SCHEMA public TO ${owns}`;
}

/**
 * The statements that hand what is in the schema `public` to the owner: tables, views, sequences, types and functions,
 * except those of extensions, and the sequences and types that follow a table.
 */
async function findForeignObjects(client: pg.Client, owner: string): Promise<string[]> {
  const { rows } = await client.query<{ statement: string }>(
    `WITH own AS (SELECT oid FROM pg_roles WHERE rolname = $1),
          followers AS (SELECT classid, objid FROM pg_depend WHERE deptype IN ('e', 'a', 'i'))
     SELECT format('ALTER %s %s OWNER TO %I', kind, name, $1) AS statement FROM (
       SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
              oid::regclass::text AS name, relowner AS owner, 'pg_class'::regclass AS class, oid
         FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
       UNION ALL
       SELECT 'TYPE', oid::regtype::text, typowner, 'pg_type'::regclass, oid
         FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
       UNION ALL
       SELECT 'ROUTINE', oid::regprocedure::text, proowner, 'pg_proc'::regclass, oid
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace
     ) AS object
      WHERE owner <> (SELECT oid FROM own) AND (class, oid) NOT IN (SELECT classid, objid FROM followers)`,
    [owner],
  );
  return rows.map(({ statement }) => statement);
}
