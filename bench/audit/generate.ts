/**
 * Makes an audit log as large as after years, in minutes: the entries that tickets leave from their filing until they are
 * closed, of customers of very different sizes, with the details that the gateway writes. The largest one has left. Organizations, their people, sites
 * and products are there as well; tickets, grants and sessions are named by the entries alone.
 */
import pg from 'pg';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';

export type LogSize = {
  readonly entries: number;
  /** The first of them has about a sixth of the log until it leaves, the last about a thousandth. */
  readonly organizations?: number;
  /** Days between the oldest entry and now. */
  readonly days?: number;
};

/** What is frequent in the log, and what is rare: values to ask for. */
export type GeneratedLog = {
  readonly entries: number;
  /** The organizations with the most entries and with the fewest. */
  readonly largest: string;
  readonly smallest: string;
  /** Of the largest organization, in the middle of the log. */
  readonly entry: LoggedEntry;
  readonly begin: Date;
  readonly end: Date;
};

export type LoggedEntry = {
  readonly siteId: string;
  readonly ticketId: string;
  readonly grantId: string;
  readonly sessionId: string;
  readonly engineer: { readonly id: string; readonly email: string };
  readonly admin: { readonly id: string; readonly email: string };
  readonly resourceId: string;
  readonly clientAddress: string;
};

/** Tickets that are worked on at a time: an entry of each follows an entry of each. */
const tickets = 500;
const engineers = 300;
const sitesEach = 3;
const peopleEach = 8;
/** What one ticket leaves, in order. */
const steps = 14;
/** Entries of one statement. They are sorted in memory. */
const chunk = 100_000;

const fractionOf = (number: string) => `((hashint8(${number}) & 1048575) / 1048576.0)`;
/** As long as the id of an account, or shorter: its encoding is one line. */
const globalId = (type: string, id: string) => `encode(convert_to('${type}:' || ${id}, 'UTF8'), 'base64')`;

/** Who and what entries are about. */
const world = (organizations: number): string[] => [
  `CREATE TEMP TABLE log_organizations AS
     SELECT n::int, uuidv7() AS id FROM generate_series(0, ${organizations - 1}) AS n`,
  `CREATE TEMP TABLE log_people AS
     SELECT o.n AS organization, k::int, uuidv7() AS id, 'person-' || k || '@customer-' || o.n || '.example' AS email,
            (ARRAY['Ada', 'Boris', 'Chiara', 'Dag', 'Esra', 'Femke', 'Goran', 'Hedda'])[1 + k] || ' of Customer ' || o.n AS name
       FROM log_organizations o, generate_series(0, ${peopleEach - 1}) AS k`,
  `CREATE TEMP TABLE log_sites AS
     SELECT o.n AS organization, k::int, uuidv7() AS id, 'https://customer-' || o.n || '-' || k || '.example' AS url
       FROM log_organizations o, generate_series(0, ${sitesEach - 1}) AS k`,
  `CREATE TEMP TABLE log_engineers AS
     SELECT n::int, uuidv7() AS id, 'engineer-' || n || '@vendor.example' AS email, 'Engineer ' || n AS name
       FROM generate_series(0, ${engineers - 1}) AS n`,
  `CREATE TEMP TABLE log_backends AS
     SELECT key, uuidv7() AS id, key || '-backend@vendor.example' AS email FROM unnest(ARRAY['jira', 'confluence']) AS key`,
  `INSERT INTO organizations (id, name, has_guard, created_at)
     SELECT id, 'Customer ' || n, true, now() FROM log_organizations`,
  `INSERT INTO accounts (id, kind, email, name, capabilities, evaluated_products, created_at)
     SELECT id, 'USER'::account_kind, email, name, '{}'::service_capability[], '{}'::text[], now() FROM log_people
     UNION ALL SELECT id, 'SUPPORT_ENGINEER', email, name, '{}', '{}', now() FROM log_engineers
     UNION ALL SELECT id, 'SERVICE_ACCOUNT', email, key, '{ACCESS_EVALUATION}', ARRAY[key], now() FROM log_backends`,
  `INSERT INTO memberships (organization_id, account_id, created_at)
     SELECT o.id, p.id, now() FROM log_people p JOIN log_organizations o ON o.n = p.organization`,
  `INSERT INTO role_assignments (id, account_id, role, organization_id, origin, sync_state, created_at)
     SELECT uuidv7(), p.id, 'ORGANIZATION_ADMIN', o.id, 'DIRECT', 'SYNCED', now()
       FROM log_people p JOIN log_organizations o ON o.n = p.organization WHERE p.k < 2`,
  `INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, created_at)
     SELECT s.id, o.id, s.url, s.url, 'CENTRALIZED', 'EU', now() FROM log_sites s JOIN log_organizations o ON o.n = s.organization`,
  `INSERT INTO products (id, organization_id, site_id, key, name, licensed, created_at)
     SELECT uuidv7(), o.id, s.id, b.key, b.key, true, now()
       FROM log_sites s JOIN log_organizations o ON o.n = s.organization CROSS JOIN log_backends b`,
];

const ticketsOf = (entries: number) => Math.ceil(entries / tickets / steps + 1) * tickets;
/** After three quarters of the log. */
const leaving = (entries: number) => Math.floor(ticketsOf(entries) * 0.75);

/** Everything that is the same in all entries of a ticket. */
const cases = (entries: number, organizations: number): string => `
  CREATE TEMP TABLE log_cases AS
  SELECT t::int AS n, 'SUP-' || t + 1 AS key, o.id AS organization_id, s.id AS site_id, s.url AS site_url,
         uuidv7() AS ticket_id, uuidv7() AS grant_id, uuidv7() AS session_id,
         reporter.id AS reporter_id, reporter.email AS reporter_email, reporter.name AS reporter_name,
         admin.id AS admin_id, admin.email AS admin_email, admin.name AS admin_name,
         e.id AS engineer_id, e.email AS engineer_email, e.name AS engineer_name,
         b.key AS product,
         ('198.18.' || o.n % 250 || '.' || 1 + t % 250)::inet AS client_address,
         -- What takes long to make is made once for each ticket.
         jsonb_build_object('askedBy', b.email, 'askedById', ${globalId('ServiceAccount', 'b.id')}, 'product', b.key, 'region', 'EU',
           'country', (ARRAY['DE', 'FR', 'NL', 'PL', 'IE', 'IN', 'US'])[1 + e.n % 7]) AS evaluation,
         jsonb_build_object('scope', jsonb_build_object('kind', 'PRODUCT_DATA'),
           'engineerId', ${globalId('SupportEngineer', 'e.id')}) AS grant_details,
         jsonb_build_object('engineerId', ${globalId('SupportEngineer', 'e.id')}) AS engineer_details,
         ${globalId('User', 'reporter.id')} AS reporter_global_id
    FROM (SELECT t, floor(${organizations} * power(${fractionOf('t')}, 3))::int AS customer, t >= ${leaving(entries)} AS is_late
            FROM generate_series(0, ${ticketsOf(entries)}) AS t) AS ticket
    -- The largest one leaves. Its tickets are another one's from then on.
    JOIN log_organizations o ON o.n = CASE WHEN ticket.is_late AND ticket.customer = 0 THEN ${Math.min(1, organizations - 1)} ELSE ticket.customer END
    JOIN log_sites s ON s.organization = o.n AND s.k = t % ${sitesEach}
    JOIN log_people reporter ON reporter.organization = o.n AND reporter.k = 2 + t % ${peopleEach - 2}
    JOIN log_people admin ON admin.organization = o.n AND admin.k = t % 2
    JOIN log_engineers e ON e.n = floor(${engineers} * ${fractionOf('t + 7')})::int
    JOIN log_backends b ON b.key = CASE WHEN t % 3 = 0 THEN 'confluence' ELSE 'jira' END`;

/** The number of the transaction of the first entry. Two of three entries have one of their own. */
const firstTransaction = 1_000;

/** The actions of the steps, and what they are about. */
const actions = `ARRAY['ticket.create', 'grant.request', 'ticket.assign', 'grant.approve', 'support_session.start', 'work_item.read',
  'comment.read', 'work_item.read', 'attachment.read', 'work_item.read', 'page.read', 'support_session.end', 'grant.revoke', 'ticket.close']`;
const types = `ARRAY['Ticket', 'Grant', 'Ticket', 'Grant', 'SupportSession', 'work_item', 'comment', 'work_item', 'attachment', 'work_item',
  'page', 'SupportSession', 'Grant', 'Ticket']`;

/** The entries from the number $1 to $2. The first moment is $3, the milliseconds from one to the next $4. */
const entries = `
  INSERT INTO audit_entries (id, txid, seq, occurred_at, action, outcome, refusal_code, actor_id, actor_kind, actor_email, actor_name,
                             resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, session_id, details, count,
                             client_address, product_key, site_url, ticket_key, request_id, trace_id, user_agent)
  SELECT uuidv7(e.occurred_at - clock_timestamp()), e.txid, e.n + 1, e.occurred_at, e.action,
         (CASE WHEN e.refusal IS NULL THEN 'SUCCEEDED' ELSE 'REFUSED' END)::audit_outcome, e.refusal,
         CASE e.actor WHEN 'ENGINEER' THEN c.engineer_id WHEN 'REPORTER' THEN c.reporter_id WHEN 'ADMIN' THEN c.admin_id END,
         CASE e.actor WHEN 'ENGINEER' THEN 'SUPPORT_ENGINEER' WHEN 'SYSTEM' THEN 'SYSTEM' ELSE 'USER' END,
         CASE e.actor WHEN 'ENGINEER' THEN c.engineer_email WHEN 'REPORTER' THEN c.reporter_email WHEN 'ADMIN' THEN c.admin_email END,
         CASE e.actor WHEN 'ENGINEER' THEN c.engineer_name WHEN 'REPORTER' THEN c.reporter_name WHEN 'ADMIN' THEN c.admin_name ELSE 'Latchkey' END,
         e.type,
         CASE e.type WHEN 'Ticket' THEN c.ticket_id::text WHEN 'Grant' THEN c.grant_id::text WHEN 'SupportSession' THEN c.session_id::text
                     ELSE upper(left(c.product, 4)) || '-' || (hashint8(e.n) & 16383) END,
         -- What is nobody's business but the vendor's.
         CASE WHEN e.isGuess THEN NULL ELSE c.organization_id END, CASE WHEN e.isGuess THEN NULL ELSE c.site_id END, c.ticket_id,
         CASE WHEN e.step BETWEEN 1 AND 12 AND e.step <> 2 THEN c.grant_id END, CASE WHEN e.step BETWEEN 4 AND 11 THEN c.session_id END,
         CASE
           WHEN e.step BETWEEN 5 AND 10 AND e.refusal IS NULL THEN c.evaluation
           WHEN e.step BETWEEN 5 AND 10 THEN c.evaluation || jsonb_build_object('reason', e.refusal)
           WHEN e.refusal IS NOT NULL THEN '{"obstacles": ["NO_MATCHING_ROLE"]}'
           WHEN e.step = 0 THEN jsonb_build_object('key', c.key, 'product', c.product, 'grantDataAccess', false, 'reporterId', c.reporter_global_id)
           WHEN e.step = 1 THEN c.grant_details
             || '{"from": null, "to": "PENDING_APPROVAL", "version": 1, "reason": "The board does not load, I have to look at it"}'
           WHEN e.step = 2 THEN c.engineer_details || '{"formerEngineerId": null}'
           WHEN e.step = 3 THEN c.grant_details || '{"from": "PENDING_APPROVAL", "to": "ACTIVE", "version": 2, "path": "SUPPORT_PORTAL"}'
           WHEN e.step = 4 THEN c.engineer_details || jsonb_build_object('reason', 'INVESTIGATE_PROBLEM', 'note', 'Ticket ' || c.key,
             'country', c.evaluation ->> 'country', 'idleSeconds', 1800,
             'expiresAt', to_char(e.occurred_at AT TIME ZONE 'UTC' + interval '8 hours', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
           WHEN e.step = 11 THEN c.engineer_details || jsonb_build_object('endReason', 'ENDED_BY_ENGINEER',
             'endedAt', to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
           WHEN e.step = 12 THEN c.grant_details
             || '{"from": "ACTIVE", "to": "REVOKED", "version": 3, "endReason": "REVOKED_BY_CUSTOMER", "reason": "It is solved"}'
           ELSE '{"from": "RESOLVED", "to": "CLOSED"}'
         END, 1,
         CASE WHEN e.actor IN ('REPORTER', 'ADMIN') THEN c.client_address END, c.product, CASE WHEN e.isGuess THEN NULL ELSE c.site_url END,
         c.key, gen_random_uuid(), md5(e.n::text),
         CASE WHEN e.actor IN ('REPORTER', 'ADMIN') THEN 'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0' ELSE 'backend/2.1' END
    FROM (
      SELECT n, step, ticket, ${firstTransaction} + n * 2 / 3 AS txid, $3::timestamptz + n * 2 / 3 * $4::float8 * interval '1.5 milliseconds' AS occurred_at,
             (${actions})[1 + step] AS action, (${types})[1 + step] AS type,
             CASE WHEN step IN (0, 2) THEN 'REPORTER' WHEN step IN (3, 12) THEN 'ADMIN' WHEN step = 13 THEN 'SYSTEM' ELSE 'ENGINEER' END AS actor,
             CASE WHEN step = 3 AND hashint8(n) % 20 = 0 THEN 'NOT_ELIGIBLE' WHEN step = 9 AND hashint8(n) % 10 = 0 THEN 'GRANT_NOT_ACTIVE' END AS refusal,
             step = 5 AND hashint8(n) % 20 = 0 AS isGuess
        FROM (SELECT n, (n / ${tickets} + n % ${steps}) % ${steps} AS step,
                     (n / ${tickets} + n % ${steps}) / ${steps} * ${tickets} + n % ${tickets} AS ticket
                FROM generate_series($1::bigint, $2::bigint) AS n) AS numbered) AS e
    JOIN log_cases c ON c.n = e.ticket
   ORDER BY e.n`;

/** As gateways give them, in the order of the log. */
const positions = `
  INSERT INTO audit_positions (organization_id, position, txid, seq)
  SELECT log, position, txid, seq
    FROM (SELECT COALESCE(organization_id, '${vendorOrganizationId}') AS log, txid, seq,
                 row_number() OVER (PARTITION BY organization_id ORDER BY txid, seq) AS position FROM audit_entries) AS given
   ORDER BY txid, seq`;

const described = `
  WITH sizes AS (SELECT organization_id AS id, count(*) AS size FROM log_cases GROUP BY organization_id),
  largest AS (SELECT id FROM sizes ORDER BY size DESC, id LIMIT 1)
  SELECT (SELECT id FROM largest) AS largest, (SELECT id FROM sizes ORDER BY size, id LIMIT 1) AS smallest,
         (SELECT min(occurred_at) FROM audit_entries) AS begin, (SELECT max(occurred_at) FROM audit_entries) AS "end",
         jsonb_build_object('siteId', c.site_id, 'ticketId', c.ticket_id, 'grantId', c.grant_id, 'sessionId', c.session_id,
           'engineer', jsonb_build_object('id', c.engineer_id, 'email', c.engineer_email),
           'admin', jsonb_build_object('id', c.admin_id, 'email', c.admin_email), 'clientAddress', host(c.client_address),
           'resourceId', (SELECT resource_id FROM audit_entries WHERE ticket_id = c.ticket_id AND resource_type = 'work_item' LIMIT 1)) AS entry
    FROM log_cases c WHERE c.organization_id = (SELECT id FROM largest)
     AND c.n >= (SELECT max(n) / 2 FROM log_cases) ORDER BY c.n LIMIT 1`;

/**
 * Fills a migrated database whose log is empty. The rows break no rule, so none is checked; the indexes of the log are built at
 * the end. The entries come as a restored dump would bring them: their transactions have numbers of another cluster.
 *
 * @param databaseUrl of somebody who may switch triggers off
 */
export async function generateAuditLog(
  databaseUrl: string,
  { entries: number, organizations = 200, days = 365 }: LogSize,
): Promise<GeneratedLog> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      `SET session_replication_role = replica; SET work_mem = '256MB'; SET maintenance_work_mem = '1GB'`,
    );
    for (const text of [...world(organizations), cases(number, organizations)]) await client.query(text);
    await client.query('ANALYZE log_cases');
    const { rows: indexes } = await client.query<{ indexname: string; indexdef: string }>(
      `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_entries' AND indexname <> 'audit_entries_pkey'`,
    );
    for (const { indexname } of indexes) await client.query(`DROP INDEX ${indexname}`);
    await client.query('ALTER TABLE audit_entries DROP CONSTRAINT audit_entries_pkey');
    const length = days * 86_400_000;
    const begin = new Date(Date.now() - length);
    for (let first = 0; first < number; first += chunk)
      await client.query(entries, [first, Math.min(first + chunk, number) - 1, begin, length / number]);
    await client.query('ALTER TABLE audit_entries ADD PRIMARY KEY (id)');
    for (const { indexdef } of indexes) await client.query(indexdef);
    await client.query(positions);
    await client.query(`SELECT setval('audit_entries_seq_seq', $1)`, [number]);
    await client.query('SELECT renumber_audit_log()');
    await client.query('VACUUM ANALYZE');
    const { rows } = await client.query<Omit<GeneratedLog, 'entries'>>(described);
    const [log] = rows;
    if (log === undefined) throw new Error('The log is empty');
    return { entries: number, ...log };
  } finally {
    await client.end();
  }
}
