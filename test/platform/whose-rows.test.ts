/** Every row of a customer says whose it is: docs/scaling.md. What is said here is read from the catalogue of the database. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { vendorOrganizationId } from '../../src/roles/vendor-organization.ts';
import type { TestGateway } from '../support/gateway.ts';
import {
  insertAuditStreams,
  insertDeletions,
  insertInboundTicketEvents,
  insertInvitations,
  insertProposedChanges,
  insertWithdrawnChangeRequests,
} from '../support/rows.ts';
import { startSampleGateway } from '../support/sample-gateway.ts';
import { rotating, seedOf } from '../support/size.ts';

/** The tables of which no row is one organization's, and why. */
const globalTables: Readonly<Record<string, string>> = {
  _prisma_migrations: 'the history of the database',
  accounts: 'a person may be a member of several organizations, or be the vendor’s',
  vendor_domains: 'the configuration of the vendor',
  mail_counts: 'counts people, and is forgotten after an hour',
  repeated_refusals: 'is an entry of the audit log a minute later',
  repeated_readings: 'is an entry of the audit log an hour later',
  displaced_audit_entries: 'an index of the audit log',
};

/** The audit log depends on nothing that it names: docs/scaling.md says what holds for its tables. */
const isOfAuditLog = (table: string): boolean =>
  table.startsWith('audit_') && !table.startsWith('audit_stream');

/** What compares the organization where there is no foreign key. */
const checked: Readonly<Record<string, string>> = { events: 'events_of_audience' };
/** Null until its ticket is known, which a CHECK ensures. */
const optional: Readonly<Record<string, string>> = {
  inbound_ticket_events: 'inbound_ticket_events_of_ticket',
};

type ForeignKey = { name: string; child: string; parent: string; columns: string[]; referenced: string[] };
type Catalogue = {
  tables: string[];
  /** The tables with the column, and whether it is NOT NULL. */
  organizationColumns: Map<string, boolean>;
  foreignKeys: ForeignKey[];
  checks: Set<string>;
};

let gateway: TestGateway;
let sql: pg.Client;
let organizations: string[];

beforeAll(async () => {
  gateway = await startSampleGateway();
  const { rows } = await gateway.sql.query<{ id: string; organization: string; site: string; by: string }>(
    `SELECT t.id, t.organization_id AS organization, t.site_id AS site, t.reporter_id AS by FROM tickets t LIMIT 1`,
  );
  const [ticket] = rows;
  if (ticket === undefined) throw new Error('The sample has no ticket');
  // What the sample lacks.
  const { organization, by } = ticket;
  const emailOf = (kind: string) => `SELECT email FROM accounts WHERE kind = '${kind}' ORDER BY id LIMIT 1`;
  const operator = (await gateway.sql.query(emailOf('OPERATOR'))).rows[0].email;
  const service = (await gateway.sql.query(emailOf('SERVICE_ACCOUNT'))).rows[0].email;
  await insertDeletions(gateway, organization, by, 1);
  await insertProposedChanges(gateway, organization, operator, 1);
  await insertInvitations(gateway, organization, operator, ['new@acme.example']);
  await insertAuditStreams(gateway, organization, operator, 1);
  await insertWithdrawnChangeRequests(
    gateway,
    { organizationId: organization, ticketId: ticket.id, siteId: ticket.site, requestedById: by },
    1,
  );
  await insertInboundTicketEvents(gateway, service, 1);
  await gateway.sql.query(
    `UPDATE inbound_ticket_events SET state = 'APPLIED', reason = NULL, ticket_id = $1`,
    [ticket.id],
  );
  sql = new pg.Client(gateway.databaseUrl);
  await sql.connect();
  const found = await sql.query<{ id: string }>('SELECT id FROM organizations WHERE id <> $1 ORDER BY id', [
    vendorOrganizationId,
  ]);
  organizations = found.rows.map(({ id }) => id);
});
afterAll(async () => {
  await sql.end();
  await gateway.dispose();
});

/** Each test changes what it likes, as the owner. */
beforeEach(async () => {
  await sql.query('BEGIN');
  onTestFinished(async () => void (await sql.query('ROLLBACK')));
});

async function readCatalogue(): Promise<Catalogue> {
  const inPublic = `relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`;
  const tables = await sql.query<{ name: string }>(`SELECT relname AS name FROM pg_class WHERE ${inPublic}`);
  const columns = await sql.query<{ table: string; required: boolean }>(
    `SELECT relname AS table, attnotnull AS required FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE ${inPublic} AND attname = 'organization_id' AND NOT attisdropped`,
  );
  const foreignKeys = await sql.query<ForeignKey>(
    `SELECT conname AS name, child.relname AS child, parent.relname AS parent,
            (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY AS k(num, n)
               JOIN pg_attribute ON attrelid = conrelid AND attnum = num) AS columns,
            (SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY AS k(num, n)
               JOIN pg_attribute ON attrelid = confrelid AND attnum = num) AS referenced
       FROM pg_constraint JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
      WHERE contype = 'f' AND convalidated`,
  );
  const checks = await sql.query<{ name: string }>(
    `SELECT conname AS name FROM pg_constraint WHERE contype = 'c' AND convalidated`,
  );
  return {
    tables: tables.rows.map(({ name }) => name),
    organizationColumns: new Map(columns.rows.map(({ table, required }) => [table, required])),
    foreignKeys: foreignKeys.rows,
    checks: new Set(checks.rows.map(({ name }) => name)),
  };
}

const isOfOrganization = (table: string): boolean => !(table in globalTables) && !isOfAuditLog(table);

/** Whether the key leads to a row of the same organization, or to the organization itself. */
function keepsOrganization({ parent, columns, referenced }: ForeignKey): boolean {
  const named = parent === 'organizations' ? 'id' : 'organization_id';
  return columns.some((column, index) => column === 'organization_id' && referenced[index] === named);
}

/** What is wrong with the tables, each in one line. */
function faultsOf({ tables, organizationColumns, foreignKeys, checks }: Catalogue): string[] {
  const ofOrganizations = tables.filter((table) => isOfOrganization(table) && table !== 'organizations');
  const ofTables = ofOrganizations.flatMap((table) => {
    const check = checked[table] ?? optional[table];
    const keys = foreignKeys.filter((key) => key.child === table && keepsOrganization(key));
    return [
      organizationColumns.get(table) === true || table in optional
        ? []
        : `${table}: no organization_id NOT NULL`,
      keys.length > 0 || table in checked ? [] : `${table}: no foreign key with organization_id`,
      check === undefined || checks.has(check) ? [] : `${table}: no ${check}`,
    ].flat();
  });
  const ofKeys = foreignKeys.flatMap((key) => {
    const { name, child, parent } = key;
    if (!isOfOrganization(parent) || keepsOrganization(key)) return [];
    return isOfOrganization(child)
      ? `${name}: leaves organization_id out`
      : `${name}: leads to one organization’s rows`;
  });
  return [...ofTables, ...ofKeys];
}

describe('every table', () => {
  test('is named as global, or its rows and its foreign keys have an organization', async () => {
    const catalogue = await readCatalogue();
    expect(faultsOf(catalogue)).toEqual([]);
    expect(catalogue.tables).toEqual(expect.arrayContaining(Object.keys(globalTables)));
  });

  test('that is new is missed without it', async () => {
    await sql.query(
      'CREATE TABLE notes (id uuid PRIMARY KEY, grant_id uuid REFERENCES grants(id), organization_id uuid)',
    );
    expect(faultsOf(await readCatalogue())).toEqual([
      'notes: no organization_id NOT NULL',
      'notes: no foreign key with organization_id',
      'notes_grant_id_fkey: leaves organization_id out',
    ]);
  });
});

/** Without the rules of triggers, so that only constraints can refuse. */
async function withoutTriggers(tables: Iterable<string>): Promise<void> {
  for (const table of tables) await sql.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
}

/** The constraint that refuses the statement; undefined: none does. What it did is taken back. */
async function refusalOf(statement: string, values: unknown[]): Promise<string | undefined> {
  await sql.query('SAVEPOINT before');
  try {
    await sql.query(statement, values);
    await sql.query('SET CONSTRAINTS ALL IMMEDIATE');
    return undefined;
  } catch (error) {
    return (error as pg.DatabaseError).constraint;
  } finally {
    await sql.query('ROLLBACK TO before');
  }
}

const seed = seedOf('WHOSE_SEED');

test(`no row gets another organization than what it is part of, WHOSE_SEED=${seed}`, async () => {
  const { foreignKeys } = await readCatalogue();
  const ofParents = foreignKeys.filter(
    ({ child, parent }) => parent !== 'organizations' && isOfOrganization(parent) && isOfOrganization(child),
  );
  const rules = Map.groupBy(ofParents, ({ child }) => child);
  const tables = [...rules.keys(), ...Object.keys(checked)];
  await withoutTriggers(tables);
  for (const table of tables) {
    // A change of the whole organization is part of no site.
    const parts = (rules.get(table) ?? []).map(({ columns }) => `num_nulls(${columns.join(', ')}) = 0`);
    const { rows } = await sql.query<{ ctid: string; organization_id: string; isPart: boolean }>(
      `SELECT ctid::text, organization_id, ${parts.join(' OR ') || 'true'} AS "isPart" FROM ${table}
        WHERE organization_id IS NOT NULL`,
    );
    expect(rows.length, table).toBeGreaterThan(0);
    const inParents = rows.filter(({ isPart }) => isPart);
    for (const { ctid, organization_id: own } of rotating(inParents, seed, 5)) {
      const [another] = rotating(
        [...organizations, vendorOrganizationId].filter((id) => id !== own),
        seed,
      );
      const refusal = await refusalOf(`UPDATE ${table} SET organization_id = $2 WHERE ctid = $1::tid`, [
        ctid,
        another,
      ]);
      const expected = [
        ...(rules.get(table) ?? []).map(({ name }) => name),
        checked[table] ?? [],
        `${table}_of_customer`,
      ].flat();
      expect(expected, `${table} of ${own} given to ${another}`).toContain(refusal);
    }
  }
});

test('a gateway of the previous version, which does not know the column, leaves it filled', async () => {
  const { rows } = await sql.query<{ table: string }>(
    `SELECT relname AS table FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid WHERE tgname = relname || '_whose_organization'`,
  );
  expect(rows.length).toBe(7);
  for (const { table } of rows) {
    const all = `SELECT to_jsonb(t) AS row FROM ${table} t ORDER BY to_jsonb(t)::text`;
    const before = (await sql.query(all)).rows;
    await withoutTriggers([table]);
    await sql.query(`ALTER TABLE ${table} ENABLE TRIGGER ${table}_whose_organization`);
    await sql.query(`UPDATE ${table} SET organization_id = NULL`);
    expect((await sql.query(all)).rows, table).toEqual(before);
  }
});

/** The tables, each before what its foreign keys lead to. */
function childrenFirst(tables: readonly string[], foreignKeys: readonly ForeignKey[]): string[] {
  const left = new Set(tables);
  const ordered: string[] = [];
  while (left.size > 0) {
    const next = [...left].filter(
      (table) =>
        !foreignKeys.some(({ child, parent }) => parent === table && child !== table && left.has(child)),
    );
    if (next.length === 0) throw new Error(`The foreign keys of ${[...left].join(', ')} go in a circle`);
    for (const table of next) left.delete(table);
    ordered.push(...next);
  }
  return ordered;
}

describe('an organization that moves', () => {
  test('is all the rows with its organization_id, and nothing that stays refers to them', async () => {
    const { organizationColumns, foreignKeys } = await readCatalogue();
    const moving = (await sql.query('SELECT organization_id AS id FROM inbound_ticket_events LIMIT 1'))
      .rows[0].id;
    // The audit log may name what is gone.
    const tables = [...organizationColumns.keys()].filter((table) => !isOfAuditLog(table));
    await withoutTriggers([...tables, 'organizations']);
    const moved = new Map<string, string[]>();
    for (const table of childrenFirst(tables, foreignKeys)) {
      const { rows } = await sql.query<{ id: string | null }>(
        `DELETE FROM ${table} t WHERE organization_id = $1 RETURNING to_jsonb(t) ->> 'id' AS id`,
        [moving],
      );
      expect(rows.length, table).toBeGreaterThan(0);
      moved.set(
        table,
        rows.flatMap(({ id }) => id ?? []),
      );
    }
    await sql.query('DELETE FROM organizations WHERE id = $1', [moving]);
    await sql.query('SET CONSTRAINTS ALL IMMEDIATE');

    const ids = new Set([moving, ...[...moved.values()].flat()]);
    const staying = ['organizations', 'accounts', 'vendor_domains', ...tables];
    for (const table of staying) {
      const { rows } = await sql.query<{ named: string[] }>(
        `SELECT regexp_split_to_array(to_jsonb(t)::text, '[^0-9a-f-]+') AS named FROM ${table} t`,
      );
      expect(
        rows.flatMap(({ named }) => named.filter((id) => ids.has(id))),
        table,
      ).toEqual([]);
    }
    // And the others have theirs.
    expect((await sql.query('SELECT count(*)::int AS left FROM grants')).rows[0].left).toBeGreaterThan(0);
  });
});
