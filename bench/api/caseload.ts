/** Some years of work of some customers: sites with tickets, requests in every state, and an audit log. */
import pg from 'pg';
import type { Question, QuestionKind } from './questions.ts';

export type Size = { grants: number; entries: number };

/** Questions of each kind, all of them with something to answer. */
export type Questions = Readonly<Record<QuestionKind, readonly Question[]>>;

const organizations = 20;
const sites = 100;
/** The engineers of one organization's tickets. */
const engineersEach = 50;
const operators = 20;
const different = 200;
const day = 86_400_000;
/** Days between the oldest entry and now. */
const logDays = 100;
const deep = 20_000;

const adminOf = (organization: number) => `admin-${organization}@bench.example`;

/** Statements that fill a database with people. */
const fill = ({ grants, entries }: Size): string[] => [
  `CREATE TABLE bench_organizations AS
     SELECT n::int, uuidv7() AS id, uuidv7() AS admin_id, uuidv7() AS reporter_id FROM generate_series(0, ${organizations - 1}) AS n`,
  `CREATE TABLE bench_sites AS
     SELECT n::int, n % ${organizations} AS organization, uuidv7() AS id, uuidv7() AS product_id
       FROM generate_series(0, ${sites - 1}) AS n`,
  `CREATE TABLE bench_engineers AS
     SELECT (row_number() OVER (ORDER BY id) - 1)::int AS n, id, email FROM accounts WHERE kind = 'SUPPORT_ENGINEER'
      ORDER BY id LIMIT ${organizations * engineersEach}`,
  `INSERT INTO organizations (id, name, has_guard, created_at)
     SELECT id, 'Organization ' || n, false, now() FROM bench_organizations`,
  `INSERT INTO accounts (id, kind, email, name, active, capabilities, created_at)
     SELECT admin_id, 'USER'::account_kind, 'admin-' || n || '@bench.example', 'Admin ' || n, true, '{}'::service_capability[], now()
       FROM bench_organizations
     UNION ALL
     SELECT reporter_id, 'USER', 'reporter-' || n || '@bench.example', 'Reporter ' || n, true, '{}', now() FROM bench_organizations
     UNION ALL
     SELECT uuidv7(), 'OPERATOR', 'operator-' || n || '@bench.example', 'Operator ' || n, true, '{}', now()
       FROM generate_series(0, ${operators - 1}) AS n`,
  `INSERT INTO memberships (organization_id, account_id, created_at)
     SELECT o.id, member, now() FROM bench_organizations o, unnest(ARRAY[o.admin_id, o.reporter_id]) AS member`,
  `INSERT INTO role_assignments (id, account_id, role, organization_id, origin, sync_state, created_at)
     SELECT uuidv7(), admin_id, 'ORGANIZATION_ADMIN', id, 'DIRECT', 'SYNCED', now() FROM bench_organizations`,
  `INSERT INTO sites (id, organization_id, url, name, experience, data_residency_region, created_at)
     SELECT s.id, o.id, 'https://site-' || s.n || '.example', 'Site ' || s.n, 'CENTRALIZED', 'EU', now()
       FROM bench_sites s JOIN bench_organizations o ON o.n = s.organization`,
  `INSERT INTO products (id, organization_id, site_id, key, name, licensed, created_at)
     SELECT s.product_id, o.id, s.id, 'jira', 'Jira', true, now()
       FROM bench_sites s JOIN bench_organizations o ON o.n = s.organization`,
  // Each site has every state as often, the newest last.
  `CREATE TABLE bench_grants AS
     SELECT n::int, n % ${sites} AS site, uuidv7() AS ticket_id, uuidv7() AS id,
            now() - make_interval(secs => (${grants} - n) * 600_000.0 / ${grants}) AS requested_at,
            (ARRAY['PENDING_APPROVAL', 'PENDING_APPROVAL', 'PENDING_APPROVAL', 'ACTIVE', 'ACTIVE',
                   'DENIED', 'WITHDRAWN', 'REVOKED', 'EXPIRED', 'ENDED'])[1 + (n / ${sites}) % 10] AS state
       FROM generate_series(0, ${grants - 1}) AS n`,
  `CREATE TABLE bench_cases AS
     SELECT g.*, s.id AS site_id, s.product_id, o.id AS organization_id, o.admin_id, o.reporter_id, e.id AS engineer_id
       FROM bench_grants g JOIN bench_sites s ON s.n = g.site JOIN bench_organizations o ON o.n = s.organization
       JOIN bench_engineers e ON e.n = o.n * ${engineersEach} + g.n / ${sites} % ${engineersEach} ORDER BY g.n`,
  `INSERT INTO tickets (id, organization_id, key, summary, site_id, product_id, reporter_id, assignee_id, status, version, created_at)
     SELECT ticket_id, organization_id, 'BENCH-' || n, 'Boards of project ' || n || ' load slowly', site_id, product_id, reporter_id, engineer_id,
            'OPEN', 1, requested_at - interval '1 hour' FROM bench_cases ORDER BY n`,
  `INSERT INTO grants (id, organization_id, ticket_id, site_id, scope_kind, conversation_ids, state, path, engineer_id, requested_by_id, requested_at,
                       approval_due_at, guard_required, same_person_may_approve_twice, customer_approved_at, customer_approved_by_id,
                       activated_at, ended_at, end_reason, ended_by_id, version)
     SELECT id, organization_id, ticket_id, site_id, 'PRODUCT_DATA', '{}', state::grant_state,
            CASE WHEN state IN ('ACTIVE', 'REVOKED', 'ENDED') THEN 'SUPPORT_PORTAL'::grant_path END, engineer_id, engineer_id, requested_at,
            requested_at + interval '14 days', false, false,
            CASE WHEN state IN ('ACTIVE', 'REVOKED', 'ENDED') THEN requested_at END,
            CASE WHEN state IN ('ACTIVE', 'REVOKED', 'ENDED') THEN admin_id END,
            CASE WHEN state IN ('ACTIVE', 'REVOKED', 'ENDED') THEN requested_at END,
            CASE WHEN state NOT IN ('PENDING_APPROVAL', 'ACTIVE') THEN requested_at + interval '1 second' END,
            (CASE state WHEN 'REVOKED' THEN 'REVOKED_BY_CUSTOMER' WHEN 'ENDED' THEN 'RELEASED_BY_ENGINEER' WHEN 'DENIED' THEN 'DENIED_BY_CUSTOMER'
                        WHEN 'WITHDRAWN' THEN 'WITHDRAWN_BY_ENGINEER' WHEN 'EXPIRED' THEN 'APPROVAL_TIMED_OUT' END)::grant_end_reason,
            CASE state WHEN 'REVOKED' THEN admin_id WHEN 'ENDED' THEN engineer_id WHEN 'DENIED' THEN admin_id WHEN 'WITHDRAWN' THEN engineer_id END,
            CASE WHEN state IN ('REVOKED', 'ENDED') THEN 3 WHEN state = 'PENDING_APPROVAL' THEN 1 ELSE 2 END
       FROM bench_cases ORDER BY n`,
  `INSERT INTO decisions (id, organization_id, grant_id, stage, outcome, decided_by_id, decided_at)
     SELECT uuidv7(), organization_id, id, 'CUSTOMER', CASE state WHEN 'DENIED' THEN 'DENIED' ELSE 'APPROVED' END::decision_outcome, admin_id, requested_at
       FROM bench_cases WHERE state IN ('ACTIVE', 'REVOKED', 'ENDED', 'DENIED')`,
  // In the order of their times, by transactions that are long over.
  `INSERT INTO audit_entries (id, txid, seq, occurred_at, action, outcome, actor_id, actor_kind, actor_email, actor_name,
                              resource_type, resource_id, organization_id, site_id, ticket_id, grant_id, details)
     SELECT uuidv7(), 3 + entry.n::bigint * 100 / ${entries}, entry.n,
            now() - make_interval(secs => (${entries} - entry.n) * ${(logDays * day) / 1_000}::float8 / ${entries}), 'grant.request', 'SUCCEEDED',
            e.id, 'SUPPORT_ENGINEER', e.email, 'Engineer ' || e.n, 'grant', g.id, o.id, g.site_id, g.ticket_id, g.id, '{}'
       FROM generate_series(0, ${entries - 1}) AS entry(n)
       JOIN bench_organizations o ON o.n = entry.n % ${organizations}
       JOIN bench_engineers e ON e.n = o.n * ${engineersEach} + entry.n / ${organizations} % ${engineersEach}
       JOIN bench_cases g ON g.n = o.n
      ORDER BY entry.n`,
];

/** Fills a migrated database with people. The rows break no rule, so none is checked. */
export async function fillCaseload(databaseUrl: string, size: Size): Promise<Questions> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('SET session_replication_role = replica');
    for (const text of fill(size)) await client.query(text);
    await client.query('VACUUM ANALYZE');
    await client.query('CHECKPOINT');
    return await questionsOf(client, size.grants);
  } finally {
    await client.end();
  }
}

async function questionsOf(client: pg.Client, grants: number): Promise<Questions> {
  const { rows: siteRows } = await client.query<{ id: string; organization: number }>(
    'SELECT id, organization FROM bench_sites ORDER BY n',
  );
  const { rows: engineers } = await client.query<{ email: string }>(
    'SELECT email FROM bench_engineers ORDER BY n',
  );
  const ago = (days: number) => new Date(Date.now() - days * day).toISOString();
  const each = <Kind extends Question>(make: (n: number) => Kind): Kind[] =>
    Array.from({ length: different }, (_, n) => make(n));
  return {
    outstanding: each((n) => {
      const { id, organization } = siteRows[n % sites] ?? { id: '', organization: 0 };
      return { kind: 'outstanding', siteId: id, viewer: adminOf(organization) };
    }),
    ticket: each((n) => {
      const number = (n * 37) % grants;
      return { kind: 'ticket', key: `BENCH-${number}`, viewer: adminOf((number % sites) % organizations) };
    }),
    auditActor: each((n) => ({
      ...{
        kind: 'auditActor',
        actorEmail: engineers[(n % organizations) * engineersEach + (n % engineersEach)]?.email ?? '',
      },
      ...{ from: ago(logDays - 1), until: ago(1), viewer: adminOf(n % organizations) },
    })),
    auditPeriod: each((n) => ({
      ...{ kind: 'auditPeriod', from: ago(75 + (n % 10)), until: ago(45 + (n % 10)) },
      viewer: adminOf(n % organizations),
    })),
    auditDeep: Array.from({ length: operators }, (_, n) => ({
      ...{ kind: 'auditDeep', skipped: deep, viewer: `operator-${n}@bench.example` },
    })),
  };
}
