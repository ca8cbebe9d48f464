/** Engineers at work: tickets with active grants and open support sessions, and the backend that asks about them. */
import pg from 'pg';
import { newId } from '../../src/platform/ids.ts';
import type { People } from '../realtime/people.ts';

export const backendEmail = 'jira@bench.example';
const siteUrl = 'https://acme.example';

/** A ticket with the engineer who works on it, under a grant. */
export type Work = { key: string; engineerEmail: string; grantId: string };

const insert = (table: string): string =>
  `INSERT INTO ${table} SELECT (jsonb_populate_record(known, row)).* FROM jsonb_array_elements($1::jsonb) AS row, (SELECT NULL::${table} AS known) AS no_row`;

/** Inserts an open session of each of the first engineers, on a ticket of their own. */
export async function insertWork(databaseUrl: string, people: People, count: number): Promise<Work[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { organizationId, site, admins } = people;
    const now = Date.now();
    const at = (hours: number): string => new Date(now + hours * 3_600_000).toISOString();
    const reporter = admins[0]?.id;
    const work = people.engineers.slice(0, count).map((engineer, number) => ({
      ...{ engineer, key: `BENCH-${number + 1}`, ticketId: newId(), grantId: newId() },
    }));
    const tickets = work.map(({ engineer, key, ticketId }) => ({
      ...{ id: ticketId, key, summary: 'It is slow', site_id: site.id, product_id: site.productId },
      ...{ reporter_id: reporter, assignee_id: engineer.id, status: 'OPEN', version: 1, created_at: at(-2) },
    }));
    const grants = work.map(({ engineer, ticketId, grantId }) => ({
      ...{
        id: grantId,
        ticket_id: ticketId,
        site_id: site.id,
        scope_kind: 'PRODUCT_DATA',
        conversation_ids: [],
      },
      ...{ state: 'ACTIVE', path: 'SUPPORT_PORTAL', engineer_id: engineer.id, requested_by_id: engineer.id },
      ...{ requested_at: at(-2), approval_due_at: at(24), guard_required: false, version: 2 },
      ...{
        same_person_may_approve_twice: false,
        customer_approved_at: at(-1),
        customer_approved_by_id: reporter,
      },
      activated_at: at(-1),
    }));
    const sessions = work.map(({ engineer, ticketId, grantId }) => ({
      ...{
        id: newId(),
        grant_id: grantId,
        ticket_id: ticketId,
        site_id: site.id,
        organization_id: organizationId,
      },
      ...{
        engineer_id: engineer.id,
        reason: 'INVESTIGATE_PROBLEM',
        note: 'Looks',
        country: 'DE',
        version: 1,
      },
      ...{ started_at: at(-1), last_used_at: at(0), idle_seconds: 36_000, due_at: at(8), expires_at: at(8) },
    }));
    const decisions = work.map(({ grantId }) => ({
      ...{ id: newId(), grant_id: grantId, stage: 'CUSTOMER', outcome: 'APPROVED', decided_by_id: reporter },
      decided_at: at(-1),
    }));
    // The rules of the database are checked at the commit.
    await client.query('BEGIN');
    await client.query(insert('tickets'), [JSON.stringify(tickets)]);
    await client.query(insert('grants'), [JSON.stringify(grants)]);
    await client.query(insert('decisions'), [JSON.stringify(decisions)]);
    await client.query('COMMIT');
    await client.query(insert('support_sessions'), [JSON.stringify(sessions)]);
    await client.query(
      `INSERT INTO accounts (id, kind, email, name, capabilities, evaluated_products, created_at)
       VALUES ($1, 'SERVICE_ACCOUNT', $2, 'Jira', '{ACCESS_EVALUATION}', '{jira}', now())`,
      [newId(), backendEmail],
    );
    await client.query('ANALYZE');
    return work.map(({ engineer, key, grantId }) => ({ key, grantId, engineerEmail: engineer.email }));
  } finally {
    await client.end();
  }
}

/** A question about one work item. */
export function questionAbout(
  { key, engineerEmail }: Pick<Work, 'key' | 'engineerEmail'>,
  item: number,
): object {
  return {
    subject: { type: 'support_engineer', id: engineerEmail },
    action: { name: 'work_item.read' },
    resource: { type: 'work_item', id: `ACME-${item}`, properties: { site: siteUrl, product: 'jira' } },
    context: { ticket: key },
  };
}
