/** The people of the benchmark: engineers, who each receive their own events, and admins, who all receive the same. */
import pg from 'pg';
import { newId } from '../../src/platform/ids.ts';

export type Person = {
  kind: 'ENGINEER' | 'ADMIN';
  id: string;
  email: string;
  /** The topic they subscribe to: an engineer's account id, or an admin's organization id. */
  topic: string;
};

export type People = {
  engineers: readonly Person[];
  /** The id of the only organization. */
  admins: readonly Person[];
  organizationId: string;
  /** The id of its site. */
  site: { id: string; productId: string };
};

const engineerCount = 10_000;
const adminCount = 1_000;

export async function insertPeople(databaseUrl: string): Promise<People> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const organizationId = newId();
    await client.query(
      `INSERT INTO organizations (id, name, has_guard, created_at) VALUES ($1, 'Acme', false, now())`,
      [organizationId],
    );
    const engineers = await insertAccounts(client, 'SUPPORT_ENGINEER', engineerCount);
    const admins = await insertAccounts(client, 'USER', adminCount);
    await client.query(
      `INSERT INTO memberships (organization_id, account_id, created_at)
       SELECT $1::uuid, id, now() FROM accounts WHERE kind = 'USER'`,
      [organizationId],
    );
    await client.query(
      `INSERT INTO role_assignments (id, account_id, role, organization_id, origin, sync_state, created_at)
       SELECT gen_random_uuid(), id, 'ORGANIZATION_ADMIN', $1::uuid, 'DIRECT', 'SYNCED', now()
         FROM accounts WHERE kind = 'USER'`,
      [organizationId],
    );
    await client.query('ANALYZE');
    return {
      organizationId,
      site: await insertSite(client, organizationId),
      engineers: engineers.map(({ id, email }) => ({ kind: 'ENGINEER', id, email, topic: id })),
      admins: admins.map(({ id, email }) => ({ kind: 'ADMIN', id, email, topic: organizationId })),
    };
  } finally {
    await client.end();
  }
}

async function insertSite(client: pg.Client, organizationId: string): Promise<People['site']> {
  const site = { id: newId(), productId: newId() };
  await client.query(
    `INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, created_at)
     VALUES ($1, $2, 'https://acme.example', 'Acme', 'CENTRALIZED', 'EU', now())`,
    [site.id, organizationId],
  );
  await client.query(
    `INSERT INTO products (id, site_id, key, name, licensed, created_at)
     VALUES ($1, $2, 'jira', 'Jira', true, now())`,
    [site.productId, site.id],
  );
  return site;
}

async function insertAccounts(client: pg.Client, kind: string, count: number) {
  const accounts = Array.from({ length: count }, (_, at) => ({
    id: newId(),
    email: `${kind.toLowerCase()}-${at}@bench.example`,
  }));
  await client.query(
    `INSERT INTO accounts (id, kind, email, name, active, capabilities, created_at)
     SELECT id, $2::account_kind, email, email, true, '{}', now()
       FROM jsonb_populate_recordset(NULL::accounts, $1::jsonb)`,
    [JSON.stringify(accounts), kind],
  );
  return accounts;
}
