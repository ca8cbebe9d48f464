/** The rules that the database enforces by itself, whatever the gateway's code does. */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import type { TestGateway } from '../support/gateway.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
/** One connection, in a transaction that is rolled back after each test. */
let sql: pg.PoolClient;
/** The ids of a ticket and of the people and places around it. */
let ids: Record<
  'ticket' | 'site' | 'otherSite' | 'product' | 'reporter' | 'admin' | 'engineer' | 'organization',
  string
>;
/** Grants in four states, made through the API. */
let grants: Record<'pending' | 'awaitingGuard' | 'active' | 'revoked', string>;

const local = (globalId: string | null) =>
  Buffer.from(globalId ?? '', 'base64')
    .toString()
    .split(':')[1] ?? '';

beforeAll(async () => {
  ({ gateway, world } = await startGatewayWithWorld());
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const pending = await fileTicket(gateway, world);
  const awaiting = await fileTicket(gateway, world, { site: 'restricted' });
  await done(admin, 'approveDataAccess', { ticketId: awaiting.ticketId });
  const active = await fileTicket(gateway, world);
  await done(admin, 'approveDataAccess', { ticketId: active.ticketId });
  const revoked = await fileTicket(gateway, world);
  await done(admin, 'approveDataAccess', { ticketId: revoked.ticketId });
  await done(admin, 'revokeDataAccess', { grantId: revoked.grantId });
  grants = {
    pending: local(pending.grantId),
    awaitingGuard: local(awaiting.grantId),
    active: local(active.grantId),
    revoked: local(revoked.grantId),
  };
  const accountOf = async (email: string): Promise<string> =>
    (await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email])).rows[0].id;
  ids = {
    ticket: local(pending.ticketId),
    site: local(world.acme.sites.main.id),
    otherSite: local(world.acme.sites.original.id),
    product: local(world.acme.sites.main.products.jira),
    reporter: await accountOf(world.acme.emails.reporter),
    admin: await accountOf(world.acme.emails.organizationAdmin),
    engineer: local(world.engineer.id),
    organization: local(world.acme.organizationId),
  };
  sql = await gateway.sql.connect();
});
beforeEach(async () => {
  await sql.query('ROLLBACK');
  await sql.query('BEGIN');
});
afterAll(async () => {
  await sql.query('ROLLBACK');
  sql.release();
  await gateway.dispose();
});

/** The constraint, or the message, with which the database refuses the statement; undefined if it accepts it. */
async function refusalOf(statement: string, values: unknown[] = []): Promise<string | undefined> {
  try {
    await sql.query(statement, values);
    return undefined;
  } catch (error) {
    const { constraint, message } = error as pg.DatabaseError;
    return constraint ?? message;
  }
}

const moment = '2026-03-02T10:00:00.000Z';
const later = '2026-03-02T11:00:00.000Z';
const latest = '2026-03-16T10:00:00.000Z';

/** Inserts a valid outstanding request on a new ticket, with these columns changed. */
async function insertGrant(columns: Record<string, unknown>): Promise<string | undefined> {
  const ticket = newId();
  await sql.query(
    `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
     VALUES ($1, 'RULES-1', 'It is slow', $2, $3, $4, $5)`,
    [ticket, ids.site, ids.product, ids.reporter, moment],
  );
  const row: Record<string, unknown> = {
    ...{
      id: newId(),
      ticket_id: ticket,
      site_id: ids.site,
      scope_kind: 'PRODUCT_DATA',
      conversation_ids: [],
    },
    ...{
      state: 'PENDING_APPROVAL',
      requested_by_id: ids.reporter,
      requested_at: moment,
      approval_due_at: latest,
    },
    version: 1,
    ...columns,
  };
  const names = Object.keys(row);
  return await refusalOf(
    `INSERT INTO grants (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')})`,
    Object.values(row),
  );
}

const approved = () => ({
  path: 'SUPPORT_PORTAL',
  customer_approved_at: later,
  customer_approved_by_id: ids.admin,
});
const activated = () => ({ ...approved(), activated_at: later });
const over = (end_reason: string) => ({ ended_at: latest, end_reason });

describe('a grant has the facts of its state', () => {
  test.each([
    ['PENDING_APPROVAL', () => ({})],
    ['PENDING_GUARD_APPROVAL', approved],
    ['ACTIVE', activated],
    ['DENIED', () => over('DENIED_BY_CUSTOMER')],
    ['DENIED', () => ({ ...approved(), ...over('DENIED_BY_GUARD') })],
    ['WITHDRAWN', () => over('WITHDRAWN_BY_ENGINEER')],
    ['EXPIRED', () => over('APPROVAL_TIMED_OUT')],
    ['REVOKED', () => ({ ...activated(), ...over('REVOKED_BY_CUSTOMER') })],
    ['ENDED', () => ({ ...activated(), ...over('TIME_ELAPSED') })],
  ])('%s, and is let in', async (state, facts) => {
    expect(await insertGrant({ state, ...facts() })).toBeUndefined();
  });

  test.each<[string, () => Record<string, unknown>, string]>([
    ['pending and approved', approved, 'grants_approved_states'],
    [
      'awaiting the Guard, not approved',
      () => ({ state: 'PENDING_GUARD_APPROVAL' }),
      'grants_approved_states',
    ],
    [
      'approved by nobody',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_by_id: null }),
      'grants_approval_is_whole',
    ],
    ['approved nowhere', () => ({ state: 'ACTIVE', ...activated(), path: null }), 'grants_approval_is_whole'],
    ['active since never', () => ({ state: 'ACTIVE', ...approved() }), 'grants_activated_states'],
    ['pending and activated', () => ({ activated_at: later }), 'grants_activated_states'],
    [
      'denied and activated',
      () => ({ state: 'DENIED', ...activated(), ...over('DENIED_BY_GUARD') }),
      'grants_activated_states',
    ],
    [
      'active and over',
      () => ({ state: 'ACTIVE', ...activated(), ...over('TIME_ELAPSED') }),
      'grants_end_reasons',
    ],
    ['revoked at no time', () => ({ state: 'REVOKED', ...activated() }), 'grants_final_states'],
    ['over without a reason', () => ({ state: 'DENIED', ended_at: latest }), 'grants_final_states'],
    ['ended by somebody and not over', () => ({ ended_by_id: ids.admin }), 'grants_final_states'],
    ['denied by time', () => ({ state: 'DENIED', ...over('TIME_ELAPSED') }), 'grants_end_reasons'],
    [
      'revoked by its engineer',
      () => ({ state: 'REVOKED', ...activated(), ...over('RELEASED_BY_ENGINEER') }),
      'grants_end_reasons',
    ],
    ['at version 0', () => ({ version: 0 }), 'grants_version'],
    [
      'with half of its terms',
      () => ({ guard_required: true, same_person_may_approve_twice: null }),
      'grants_terms_are_whole',
    ],
    [
      'to last zero seconds',
      () => ({ guard_required: true, same_person_may_approve_twice: false, max_grant_seconds: 0 }),
      'grants_max_grant',
    ],
    ['for conversations, naming none', () => ({ scope_kind: 'ROVO_CONVERSATIONS' }), 'grants_scope'],
    ['for product data, naming conversations', () => ({ conversation_ids: ['a'] }), 'grants_scope'],
    ['waiting for no time', () => ({ approval_due_at: moment }), 'grants_order_of_time'],
    [
      'approved before it was asked for',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_at: '2026-03-01' }),
      'grants_order_of_time',
    ],
    [
      'active before it was approved',
      () => ({ state: 'ACTIVE', ...activated(), activated_at: moment }),
      'grants_order_of_time',
    ],
    [
      'ending before it begins',
      () => ({ state: 'ACTIVE', ...activated(), expires_at: later }),
      'grants_order_of_time',
    ],
    [
      'over before it was active',
      () => ({ state: 'REVOKED', ...activated(), ...over('TICKET_CLOSED'), ended_at: moment }),
      'grants_order_of_time',
    ],
    ["on another site than its ticket's", () => ({ site_id: ids.otherSite }), 'grants_ticket_fkey'],
    ['of nobody known', () => ({ engineer_id: newId() }), 'is not of kind SUPPORT_ENGINEER'],
    ["of a customer's user", () => ({ engineer_id: ids.reporter }), 'is not of kind SUPPORT_ENGINEER'],
    [
      'approved by an engineer',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_by_id: ids.engineer }),
      'is not of kind USER',
    ],
    [
      'approved by somebody unknown',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_by_id: newId() }),
      'is not of kind USER',
    ],
    ['asked for by nobody known', () => ({ requested_by_id: newId() }), 'grants_requested_by_id_fkey'],
  ])('never %s', async (_, facts, refusal) => {
    expect(await insertGrant(facts())).toContain(refusal);
  });

  test('and the terms of its site if it is inserted without any, as by a gateway of the previous version', async () => {
    await sql.query(
      `UPDATE sites SET support_access_restricted = true, max_grant_seconds = 60, same_person_may_approve_twice = true
        WHERE id = $1`,
      [ids.site],
    );
    const id = newId();
    expect(await insertGrant({ id })).toBeUndefined();
    const { rows } = await sql.query(
      'SELECT guard_required, max_grant_seconds, same_person_may_approve_twice FROM grants WHERE id = $1',
      [id],
    );
    expect(rows).toEqual([
      { guard_required: true, max_grant_seconds: 60, same_person_may_approve_twice: true },
    ]);
  });

  test('and a ticket has at most one open request of each scope, and one open grant for product data', async () => {
    const again = (id: string, columns = '') =>
      refusalOf(
        `INSERT INTO grants SELECT (jsonb_populate_record(g, jsonb_build_object('id', $1::uuid ${columns}))).* FROM grants g WHERE id = $2`,
        [newId(), id],
      );
    const attempts: [string, string, string][] = [
      [grants.pending, '', 'grants_one_open_request'],
      [grants.awaitingGuard, '', 'grants_one_open_request'],
      [grants.active, '', 'grants_one_active_for_product_data'],
    ];
    for (const [id, columns, refusal] of attempts) {
      expect(await again(id, columns)).toBe(refusal);
      await sql.query('ROLLBACK; BEGIN');
    }
    const rovo = `, 'scope_kind', 'ROVO_CONVERSATIONS', 'conversation_ids', ARRAY['a']`;
    for (const id of [grants.pending, grants.active, grants.active])
      expect(await again(id, rovo)).toBeUndefined();
  });
});

test.each<[string, () => string, string]>([
  ['state', () => `state = 'ENDED', end_reason = 'TIME_ELAPSED'`, 'is final'],
  ['reason', () => `end_reason = 'TICKET_CLOSED'`, 'is final'],
  ['end', () => `ended_at = now()`, 'is final'],
  ['engineer', () => `engineer_id = NULL`, 'is final'],
  ['version', () => `version = version + 1`, 'is final'],
])('the %s of what is over does not change', async (_, set, refusal) => {
  expect(await refusalOf(`UPDATE grants SET ${set()} WHERE id = $1`, [grants.revoked])).toContain(refusal);
});

describe.each(['audit_entries', 'decisions'])('%s are only inserted, never changed or deleted', (table) => {
  test.each([
    `UPDATE ${table} SET id = id`,
    `UPDATE ${table} SET id = id WHERE false`,
    `DELETE FROM ${table}`,
    `TRUNCATE ${table}`,
    `TRUNCATE ${table} CASCADE`,
    'TRUNCATE accounts CASCADE',
    'TRUNCATE grants CASCADE',
  ])('%s', async (statement) => {
    // Truncating another table reaches this one only through a foreign key.
    const reaches = table === 'decisions' || !/accounts|grants/.test(statement);
    if (reaches) expect(await refusalOf(statement)).toBe(`${table} is append-only`);
    else expect(await refusalOf(statement)).toBe('decisions is append-only');
  });
});

test.each<[string, () => [string, unknown[]], string]>([
  [
    'a closed ticket without a closing time',
    () => [`UPDATE tickets SET status = 'CLOSED' WHERE id = $1`, [ids.ticket]],
    'tickets_closed_at',
  ],
  [
    'an open ticket with a closing time',
    () => ['UPDATE tickets SET closed_at = now() WHERE id = $1', [ids.ticket]],
    'tickets_closed_at',
  ],
  [
    'a ticket assigned to a user',
    () => ['UPDATE tickets SET assignee_id = $2 WHERE id = $1', [ids.ticket, ids.admin]],
    'is not of kind SUPPORT_ENGINEER',
  ],
  [
    'a ticket reported by an engineer',
    () => ['UPDATE tickets SET reporter_id = $2 WHERE id = $1', [ids.ticket, ids.engineer]],
    'is not of kind USER',
  ],
  [
    'a ticket about a product of another site',
    () => ['UPDATE tickets SET site_id = $2 WHERE id = $1', [ids.ticket, ids.otherSite]],
    '_fkey',
  ],
  [
    'a decision by an engineer',
    () => [
      `INSERT INTO decisions VALUES ($1, $2, 'CUSTOMER', 'APPROVED', $3, NULL, now())`,
      [newId(), grants.pending, ids.engineer],
    ],
    'is not of kind USER',
  ],
  [
    'a grant with other terms than at its opening',
    () => ['UPDATE grants SET guard_required = NOT guard_required WHERE id = $1', [grants.pending]],
    'the terms of grant',
  ],
  [
    'a grant with another limit than at its opening',
    () => ['UPDATE grants SET max_grant_seconds = 60 WHERE id = $1', [grants.active]],
    'the terms of grant',
  ],
  [
    'a role of an account that is not a member',
    () => [
      `INSERT INTO role_assignments (id, account_id, role, organization_id, created_at) SELECT $1, id, 'ORGANIZATION_ADMIN', $2, now()
       FROM accounts WHERE email = $3`,
      [newId(), ids.organization, world.globex.emails.reporter],
    ],
    'role_assignments_member_fkey',
  ],
  [
    'a product admin role over a whole site',
    () => [
      `INSERT INTO role_assignments (id, account_id, role, organization_id, site_id, created_at) VALUES ($1, $2, 'PRODUCT_ADMIN', $3, $4, now())`,
      [newId(), ids.reporter, ids.organization, ids.site],
    ],
    'role_assignments_coverage',
  ],
  [
    'a role held twice',
    () => [
      `INSERT INTO role_assignments (id, account_id, role, organization_id, created_at) VALUES ($1, $2, 'ORGANIZATION_ADMIN', $3, now())`,
      [newId(), ids.admin, ids.organization],
    ],
    'role_assignments_held_once',
  ],
  [
    'a role given directly and not synced',
    () => [`UPDATE role_assignments SET sync_state = 'PENDING_SYNC' WHERE account_id = $1`, [ids.admin]],
    'role_assignments_pending_is_scim',
  ],
  [
    'the deletion of a membership while roles depend on it',
    () => ['DELETE FROM memberships WHERE account_id = $1', [ids.admin]],
    'role_assignments_member_fkey',
  ],
  [
    'an engineer who becomes a user',
    () => [`UPDATE accounts SET kind = 'USER' WHERE id = $1`, [ids.engineer]],
    'cannot change',
  ],
  [
    'an email in capitals',
    () => [`UPDATE accounts SET email = upper(email) WHERE id = $1`, [ids.engineer]],
    'accounts_email_lower_case',
  ],
  [
    'a user with capabilities',
    () => [`UPDATE accounts SET capabilities = '{TICKETING}' WHERE id = $1`, [ids.reporter]],
    'accounts_service_only',
  ],
  [
    'a site where requests wait zero seconds',
    () => ['UPDATE sites SET request_wait_seconds = 0 WHERE id = $1', [ids.site]],
    'sites_request_wait',
  ],
  [
    'a site where grants last zero seconds',
    () => ['UPDATE sites SET max_grant_seconds = 0 WHERE id = $1', [ids.site]],
    'sites_max_grant',
  ],
  [
    'a site that is a path',
    () => [`UPDATE sites SET url = url || '/path' WHERE id = $1`, [ids.site]],
    'sites_url_form',
  ],
  [
    'a refusal without a code',
    () => [
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id, details)
     VALUES ($1, now(), 'grant.approve', 'REFUSED', 'SYSTEM', 'Latchkey', 'Grant', 'x', '{}')`,
      [newId()],
    ],
    'audit_entries_refusal',
  ],
  [
    'an audit entry with an invalid action',
    () => [
      `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id, details)
     VALUES ($1, now(), 'Approve!', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Grant', 'x', '{}')`,
      [newId()],
    ],
    'audit_entries_action_form',
  ],
])('there is never %s', async (_, statement, refusal) => {
  expect(await refusalOf(...statement())).toContain(refusal);
});
