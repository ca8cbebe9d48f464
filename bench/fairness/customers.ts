/** Two customers: the one who revokes, with tickets that one engineer works on, and the other one, who attacks. */
import pg from 'pg';
import { newId } from '../../src/platform/ids.ts';
import { insertWork } from '../decisions/work.ts';
import type { People } from '../realtime/people.ts';

export type Customers = {
  /** The admin who revokes. */
  victim: string;
  /** The engineer of all the grants. */
  engineer: string;
  /** An admin of the other customer. */
  stranger: string;
  /** The global ids of the victim's active grants. */
  grantIds: readonly string[];
};

export async function insertCustomers(
  databaseUrl: string,
  people: People,
  grants: number,
): Promise<Customers> {
  const [engineer] = people.engineers;
  const [stranger] = people.admins;
  if (engineer === undefined || stranger === undefined) throw new Error('There are no people');
  const victim = { kind: 'ADMIN' as const, id: newId(), email: 'victim@globex.example', topic: newId() };
  const site = { id: newId(), productId: newId() };
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const insert = async (text: string, ...values: unknown[]) => await client.query(text, values);
    await insert(
      `INSERT INTO organizations (id, name, has_guard, created_at) VALUES ($1, 'Globex', false, now())`,
      victim.topic,
    );
    await insert(
      `INSERT INTO accounts (id, kind, email, name, active, capabilities, created_at)
       VALUES ($1, 'USER', $2, 'Victoria', true, '{}', now())`,
      victim.id,
      victim.email,
    );
    await insert(
      `INSERT INTO memberships (organization_id, account_id, created_at) VALUES ($1, $2, now())`,
      victim.topic,
      victim.id,
    );
    await insert(
      `INSERT INTO role_assignments (id, account_id, role, organization_id, origin, sync_state, created_at)
       VALUES ($1, $2, 'ORGANIZATION_ADMIN', $3, 'DIRECT', 'SYNCED', now())`,
      newId(),
      victim.id,
      victim.topic,
    );
    await insert(
      `INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, created_at)
       VALUES ($1, $2, 'https://globex.example', 'Globex', 'CENTRALIZED', 'EU', now())`,
      site.id,
      victim.topic,
    );
    await insert(
      `INSERT INTO products (id, site_id, key, name, licensed, created_at) VALUES ($1, $2, 'jira', 'Jira', true, now())`,
      site.productId,
      site.id,
    );
  } finally {
    await client.end();
  }
  const globex: People = {
    engineers: Array.from({ length: grants }, () => engineer),
    ...{ admins: [victim], organizationId: victim.topic, site },
  };
  const work = await insertWork(databaseUrl, globex, grants);
  return {
    ...{ victim: victim.email, engineer: engineer.email, stranger: stranger.email },
    grantIds: work.map(({ grantId }) => Buffer.from(`Grant:${grantId}`).toString('base64')),
  };
}
