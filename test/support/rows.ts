/** Inserts many rows at once, without the API, for tests that read them. */
import type pg from 'pg';
import { newId } from '../../src/platform/ids.ts';
import type { TestGateway } from './gateway.ts';

type Database = { readonly sql: Pick<pg.Pool, 'query'> };

/** The global id of an object of this type, and its database id. */
export const globalId = (type: string, id: string): string => Buffer.from(`${type}:${id}`).toString('base64');
export const rawId = (id: string): string =>
  Buffer.from(id, 'base64').toString().split(':').slice(1).join(':');

async function insert(gateway: Database, table: string, rows: readonly object[]): Promise<void> {
  await gateway.sql.query(
    `INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`,
    [JSON.stringify(rows)],
  );
}

export async function insertOrganizations(gateway: TestGateway, count: number): Promise<void> {
  const rows = times(count, (at) => ({ id: newId(), name: `Organization ${at}`, has_guard: false }));
  await insert(gateway, 'organizations', rows.map(created));
}

export async function insertSites(
  gateway: TestGateway,
  organizationId: string,
  count: number,
): Promise<void> {
  const rows = times(count, (at) => ({
    ...{
      id: newId(),
      organization_id: organizationId,
      url: `https://filler-${at}.example`,
      name: `Site ${at}`,
    },
    ...{ status: 'ACTIVE', experience: 'CENTRALIZED', support_access_restricted: false },
    ...{ data_residency_region: 'EU', request_wait_seconds: 1_209_600 },
    ...{ same_person_may_approve_twice: false, relayed_consent_counts: true },
    ...{ data_residency_pinned: false, engineer_countries: [] },
    ...{ session_idle_seconds: 1_800, max_session_seconds: 28_800 },
  }));
  await insert(gateway, 'sites', rows.map(created));
}

export async function insertProducts(gateway: TestGateway, siteId: string, count: number): Promise<void> {
  const rows = times(count, (at) => ({
    ...{ id: newId(), site_id: siteId, key: `filler-${at}`, name: `Product ${at}`, licensed: true },
  }));
  await insert(gateway, 'products', rows.map(created));
}

/** Members of the organization who administer all of it. */
export async function insertAdmins(
  gateway: TestGateway,
  organizationId: string,
  count: number,
): Promise<void> {
  const accounts = times(count, (at) => ({
    ...{
      id: newId(),
      kind: 'USER',
      email: `filler-${at}@example.example`,
      name: `Admin ${at}`,
      active: true,
    },
    capabilities: [],
  }));
  const members = accounts.map(({ id }) => ({ organization_id: organizationId, account_id: id }));
  const roles = members.map((member) => ({
    ...{ ...member, id: newId(), role: 'ORGANIZATION_ADMIN', origin: 'DIRECT', sync_state: 'SYNCED' },
  }));
  await insert(gateway, 'accounts', accounts.map(created));
  await insert(gateway, 'memberships', members.map(created));
  await insert(gateway, 'role_assignments', roles.map(created));
}

/** Entries in the audit log of the organization. */
export async function insertAuditEntries(
  gateway: Database,
  organizationId: string,
  count: number,
): Promise<void> {
  await gateway.sql.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                organization_id, details)
     SELECT id, now(), 'organization.create', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Organization', $2, ($2::text)::uuid, '{}'
       FROM unnest($1::uuid[]) AS id`,
    [times(count, () => newId()), organizationId],
  );
}

/** Events of this service account's ticketing system that wait for their tickets. Returns their ids in the API. */
export async function insertInboundTicketEvents(
  gateway: Database,
  integrationEmail: string,
  count: number,
): Promise<string[]> {
  const { rows: accounts } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [
    integrationEmail,
  ]);
  const now = new Date();
  const rows = times(count, () => newId()).map((id) => ({
    ...{ id, integration_id: accounts[0].id, webhook_id: id, external_id: id, type: 'CLOSED' },
    ...{ occurred_at: now, moment: now.toISOString(), content: { status: 'CLOSED' }, received_at: now },
    ...{ state: 'WAITING', reason: 'NO_TICKET_YET', kept_at: now, attempt: 1 },
  }));
  await insert(gateway, 'inbound_ticket_events', rows);
  return rows.map(({ id }) => globalId('InboundTicketEvent', id));
}

/** Changes of the status of a ticket, in its organization's audit log. */
export async function insertStatusChanges(
  gateway: Database,
  of: { organizationId: string; ticketId: string },
  count: number,
): Promise<void> {
  await gateway.sql.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                organization_id, ticket_id, details)
     SELECT id, now(), 'ticket.update_status', 'SUCCEEDED', 'SERVICE_ACCOUNT', 'Desk', 'Ticket', $2, $3, ($2::text)::uuid,
            '{"from": "OPEN", "to": "RESOLVED"}'
       FROM unnest($1::uuid[]) AS id`,
    [times(count, () => newId()), of.ticketId, of.organizationId],
  );
}

/** Approves the requests with these ids. */
export async function activateGrants(
  gateway: Database,
  grantIds: readonly string[],
  approverId: string,
): Promise<void> {
  await gateway.sql.query(
    `WITH approval AS (
       INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, decided_at)
       SELECT gen_random_uuid(), id, 'CUSTOMER', 'APPROVED', $2, requested_at FROM grants WHERE id = ANY ($1::uuid[]))
     UPDATE grants SET state = 'ACTIVE', path = 'ADMIN_CONSOLE', customer_approved_at = requested_at,
                       customer_approved_by_id = $2, activated_at = requested_at, version = version + 1
      WHERE id = ANY ($1::uuid[])`,
    [grantIds, approverId],
  );
}

/** Sessions under an active grant that its engineer has ended. Returns the ids of them, in order. */
export async function insertSessions(gateway: Database, grantId: string, count: number): Promise<string[]> {
  const ids = times(count, () => newId());
  await gateway.sql.query(
    `INSERT INTO support_sessions (id, grant_id, ticket_id, site_id, organization_id, engineer_id, reason, note, country,
            started_at, last_used_at, idle_seconds, expires_at, due_at, ended_at, end_reason, ended_by_id, version)
     SELECT session.id, g.id, g.ticket_id, g.site_id, s.organization_id, g.engineer_id, 'GATHER_LOGS', 'To read them', 'DE',
            now(), now(), 1800, now() + interval '8 hours', now() + interval '30 minutes', now(), 'ENDED_BY_ENGINEER',
            g.engineer_id, 2
       FROM unnest($1::uuid[]) AS session(id), grants g JOIN sites s ON s.id = g.site_id WHERE g.id = $2`,
    [ids, grantId],
  );
  return ids;
}

/** An open session under each of these active grants. */
export async function insertOpenSessions(gateway: Database, grantIds: readonly string[]): Promise<void> {
  await gateway.sql.query(
    `INSERT INTO support_sessions (id, grant_id, ticket_id, site_id, organization_id, engineer_id, reason, note, country,
            started_at, last_used_at, idle_seconds, expires_at, due_at, version)
     SELECT session.id, g.id, g.ticket_id, g.site_id, s.organization_id, g.engineer_id, 'GATHER_LOGS', 'To read them',
            'DE', now(), now(), 28800, now() + interval '8 hours', now() + interval '8 hours', 1
       FROM unnest($1::uuid[], $2::uuid[]) AS session(id, grant_id)
       JOIN grants g ON g.id = session.grant_id JOIN sites s ON s.id = g.site_id`,
    [grantIds.map(() => newId()), grantIds],
  );
}

/** What happened in a support session. */
export async function insertActions(gateway: Database, sessionId: string, count: number): Promise<void> {
  await gateway.sql.query(
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                organization_id, session_id, details)
     SELECT entry.id, now(), 'page.read', 'SUCCEEDED', 'SUPPORT_ENGINEER', 'Erin', 'page', '1', s.organization_id, s.id, '{}'
       FROM unnest($1::uuid[]) AS entry(id), support_sessions s WHERE s.id = $2`,
    [times(count, () => newId()), sessionId],
  );
}

/** Changes that an operator has proposed, and that wait for an organization admin. */
export async function insertProposedChanges(
  gateway: Database,
  organizationId: string,
  operatorEmail: string,
  count: number,
): Promise<void> {
  const { rows: operators } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [
    operatorEmail,
  ]);
  const now = Date.now();
  const rows = times(count, (at) => ({
    ...{ id: newId(), organization_id: organizationId, kind: 'SYNC_ROLE', about: `sync ${newId()}` },
    ...{ input: { roleAssignmentId: newId() }, before: {}, after: {}, summary: `Syncs role ${at}` },
    ...{ proposed_by_id: operators[0].id, proposed_at: new Date(now), needs: 'ORGANIZATION_ADMIN' },
    ...{ expires_at: new Date(now + 86_400_000), state: 'WAITING', version: 1 },
  }));
  await insert(gateway, 'proposed_changes', rows);
}

/** A requested deletion of Rovo's data for each of so many sites of the organization. */
export async function insertDeletions(
  gateway: Database,
  organizationId: string,
  requestedById: string,
  count: number,
): Promise<void> {
  const { rows: sites } = await gateway.sql.query(
    'SELECT id FROM sites WHERE organization_id = $1 ORDER BY id DESC LIMIT $2',
    [organizationId, count],
  );
  const rows = sites.map(({ id: siteId }) => ({
    ...{ id: newId(), organization_id: organizationId, site_id: siteId, requested_by_id: requestedById },
    ...{ requested_at: new Date(), state: 'REQUESTED', version: 1 },
  }));
  await insert(gateway, 'rovo_data_deletions', rows);
}

/** An invitation of each of these addresses, sent by this organization admin. Returns their global ids. */
export async function insertInvitations(
  gateway: Database,
  organizationId: string,
  invitedBy: string,
  addresses: readonly string[],
): Promise<string[]> {
  const { rows: admins } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [invitedBy]);
  const now = Date.now();
  const rows = addresses.map((email) => ({
    ...{ id: newId(), organization_id: organizationId, email, name: 'Invited', state: 'WAITING' },
    ...{ invited_by_id: admins[0].id, created_at: new Date(now), expires_at: new Date(now + 86_400_000) },
  }));
  await insert(gateway, 'invitations', rows);
  return rows.map(({ id }) => globalId('Invitation', id));
}

/** Streams of the organization's audit log, from its beginning: paused, or not due within any test. Returns their global ids. */
export async function insertAuditStreams(
  gateway: Database,
  organizationId: string,
  createdBy: string,
  count: number,
  state: 'ACTIVE' | 'PAUSED' = 'PAUSED',
): Promise<string[]> {
  const { rows: people } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [createdBy]);
  const ids = times(count, () => newId());
  const of = { organization_id: organizationId };
  const streams = ids.map((id) => ({
    ...{ id, ...of, name: 'SIEM', url: 'https://siem.customer.example/', format: 'RECORD', filter: {} },
    ...{ max_batch_bytes: 20_000, state, created_by_id: people[0].id, version: 1 },
  }));
  await insert(gateway, 'audit_streams', streams.map(created));
  await insert(
    gateway,
    'audit_stream_secrets',
    ids.map((id) => ({ id: newId(), ...of, stream_id: id, secret: `whsec_${id}` })),
  );
  await insert(
    gateway,
    'audit_stream_progress',
    ids.map((id) => ({
      ...{ stream_id: id, ...of, position: 0, generation: 1, attempts: 0, batch_ends: [] },
      ...{ due_at: '2100-01-01T00:00:00Z', head_size: 0 },
    })),
  );
  return ids.map((id) => globalId('AuditStream', id));
}

/** Withdrawn requests on a ticket. */
export async function insertWithdrawnGrants(
  gateway: TestGateway,
  of: { ticketId: string; siteId: string; requestedById: string },
  count: number,
): Promise<void> {
  const now = new Date();
  const rows = times(count, () => ({
    ...{ id: newId(), ticket_id: of.ticketId, site_id: of.siteId, requested_by_id: of.requestedById },
    ...{
      scope_kind: 'PRODUCT_DATA',
      conversation_ids: [],
      state: 'WITHDRAWN',
      requested_at: now,
      version: 2,
    },
    ...{
      approval_due_at: new Date(now.getTime() + 60_000),
      ended_at: now,
      end_reason: 'WITHDRAWN_BY_ENGINEER',
    },
  }));
  await insert(gateway, 'grants', rows);
}

/** Change requests on a ticket that their engineer has withdrawn. */
export async function insertWithdrawnChangeRequests(
  gateway: Database,
  of: { organizationId: string; ticketId: string; siteId: string; requestedById: string },
  count: number,
): Promise<void> {
  const now = new Date();
  const rows = times(count, () => ({
    ...{ id: newId(), organization_id: of.organizationId, ticket_id: of.ticketId, site_id: of.siteId },
    ...{ kind: 'SETTINGS', resource_type: 'project', resource_id: 'ACME', description: 'Switch it on' },
    ...{ justification: 'It is off', requested_by_id: of.requestedById, requested_at: now, version: 2 },
    valid_until: new Date(now.getTime() + 60_000),
    ...{
      state: 'WITHDRAWN',
      ended_at: now,
      ended_by_id: of.requestedById,
      end_reason: 'WITHDRAWN_BY_ENGINEER',
    },
  }));
  await insert(gateway, 'change_requests', rows);
}

/** Inserts open requests, each on a ticket of its own. Returns the ids of the grants, in order. */
export async function insertOpenRequests(
  gateway: Database,
  of: { project: string; siteId: string; productId: string; reporterId: string; engineerId: string | null },
  count: number,
  justification: string,
): Promise<string[]> {
  const now = new Date();
  const tickets = times(count, (at) => ({
    ...{ id: newId(), key: `${of.project}-${at + 1}`, summary: `Ticket ${at}`, status: 'OPEN', version: 1 },
    ...{
      site_id: of.siteId,
      product_id: of.productId,
      reporter_id: of.reporterId,
      assignee_id: of.engineerId,
    },
  }));
  const grants = tickets.map((ticket) => ({
    ...{ id: newId(), ticket_id: ticket.id, site_id: of.siteId, requested_by_id: of.reporterId },
    ...{ scope_kind: 'PRODUCT_DATA', conversation_ids: [], state: 'PENDING_APPROVAL', version: 1 },
    ...{ engineer_id: of.engineerId, justification },
    ...{ requested_at: now, approval_due_at: new Date(now.getTime() + 3_600_000) },
  }));
  await insert(gateway, 'tickets', tickets.map(created));
  await insert(gateway, 'grants', grants);
  return grants.map(({ id }) => id);
}

function times<Row>(count: number, make: (at: number) => Row): Row[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function created<Row extends object>(row: Row): Row & { created_at: Date } {
  return { ...row, created_at: new Date() };
}
