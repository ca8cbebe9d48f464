/** Makes a database as large as after years: tickets with their grants and sessions, and the audit log. */
import pg from 'pg';

/** How many of each there are afterwards. */
export type Growth = { grants: number; entries: number };

/** Copies of one row with other values, as a row each. */
const copies = (table: string, values: string): string => `
  INSERT INTO ${table}
  SELECT copy.* FROM (SELECT one FROM ${table} AS one LIMIT 1) AS model, grown,
         LATERAL jsonb_populate_record(model.one, jsonb_build_object(${values})) AS copy`;

const tickets = copies('tickets', `'id', ticket_id, 'key', 'GROWN-' || n, 'assignee_id', engineer_id`);
const grants = copies(
  'grants',
  `'id', grant_id, 'ticket_id', ticket_id, 'engineer_id', engineer_id, 'requested_by_id', engineer_id`,
);
/** They are over: an engineer works on a few tickets at a time. */
const sessions = copies(
  'support_sessions',
  `'id', session_id, 'grant_id', grant_id, 'ticket_id', ticket_id, 'engineer_id', engineer_id,
   'ended_at', now(), 'end_reason', 'ENDED_BY_ENGINEER', 'ended_by_id', engineer_id, 'version', 2`,
);

const entries = `
  INSERT INTO audit_entries (id, txid, seq, occurred_at, action, outcome, actor_id, actor_kind, actor_email, actor_name,
                             resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details)
  SELECT uuidv7(), 1, entry.n, now() - make_interval(secs => entry.n), 'work_item.read', 'SUCCEEDED', a.id, 'SUPPORT_ENGINEER', a.email,
         a.name, 'work_item', 'ACME-' || entry.n, s.organization_id, s.site_id, s.ticket_id, s.grant_id, s.id,
         '{"product": "jira", "country": "DE", "region": "EU"}'
    FROM generate_series(1, $1::int) AS entry(n)
    JOIN grown ON grown.n = 1 + entry.n % (SELECT count(*) FROM grown)
    JOIN support_sessions s ON s.id = grown.session_id JOIN accounts a ON a.id = s.engineer_id`;

/** Adds what is missing. The rows break no rule, so none is checked; the indexes of the audit log are built at the end. */
export async function grow(databaseUrl: string, growth: Growth): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    await client.query(`SET maintenance_work_mem = '256MB'`);
    const { rows: known } = await client.query<{ count: number }>('SELECT count(*)::int FROM grants');
    await client.query(
      `CREATE TEMP TABLE grown AS
       SELECT n, uuidv7() AS ticket_id, uuidv7() AS grant_id, uuidv7() AS session_id, engineers.ids[1 + n % engineers.count] AS engineer_id
         FROM generate_series(1, $1::int) AS n,
              (SELECT array_agg(id) AS ids, count(*) FROM accounts WHERE kind = 'SUPPORT_ENGINEER') AS engineers`,
      [growth.grants - (known[0]?.count ?? 0)],
    );
    await client.query('ANALYZE grown');
    for (const text of [tickets, grants, sessions]) await client.query(text);
    const { rows: indexes } = await client.query<{ indexname: string; indexdef: string }>(
      `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_entries' AND indexname <> 'audit_entries_pkey'`,
    );
    for (const { indexname } of indexes) await client.query(`DROP INDEX ${indexname}`);
    await client.query(entries, [growth.entries]);
    for (const { indexdef } of indexes) await client.query(indexdef);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}
