/** What a gateway does with its database before it serves requests: bring the tables up to date, check its role. */
import { applyMigrations, migrateAsOwner, type Owner } from './migrations.ts';
import { checkPrivileges, roleOf } from './privileges.ts';
import { connectAtStart } from './startup-connection.ts';
import { StartupError } from './startup-error.ts';

export type DatabaseAccess = {
  /** As whom the gateway runs. */
  readonly url: string;
  /** Who owns the tables and migrates them. Null: whoever `url` names, if they may; otherwise nobody migrates. */
  readonly owner: Owner | null;
};

/** The role as which a gateway runs. */
export type RuntimeRole = {
  readonly name: string;
  /** By what it could go around the rules of the database, in words; empty if it cannot. */
  readonly waysAround: readonly string[];
};

/**
 * Migrates the database as its owner, and gives the role of the gateway the privileges that it needs.
 *
 * @throws StartupError if that fails, if the role lacks a privilege, or if it has too many although there is an owner
 */
export async function prepareDatabase({ url, owner }: DatabaseAccess): Promise<RuntimeRole> {
  const client = await connectAtStart(url);
  try {
    const name = await roleOf(client);
    if (owner !== null) await migrateAsOwner(owner, name);
    const waysAround = await checkPrivileges(client, name);
    if (owner === null) await applyMigrations(url);
    else if (waysAround.length > 0) throw new StartupError(tooMuch(name, waysAround));
    return { name, waysAround };
  } finally {
    await client.end();
  }
}

function tooMuch(role: string, waysAround: readonly string[]): string {
  return `The role ${role} of DATABASE_URL could go around the rules of the database (${waysAround.join(', ')}): with DATABASE_OWNER_URL, it must be a role that only reads and writes rows, as \`npm run database:setup\` creates it.`;
}
