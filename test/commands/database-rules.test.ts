/** The rules that the database enforces by itself, whatever the gateway's code does. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import type { TestGateway } from '../support/gateway.ts';
import { gatewayUrl } from '../support/postgres.ts';
import { done, fileTicket, startGatewayWithWorld, type World } from '../support/world.ts';

let gateway: TestGateway;
let world: World;
/** One connection as the role of the gateway, in a transaction that is rolled back after each test. */
let sql: pg.Client;
/** What the gateway has logged. */
const logged: string[] = [];
/** The ids of a ticket with a request, of one without, and of the people and places around them. */
let ids: Record<
  | (
      | 'ticket'
      | 'unasked'
      | 'site'
      | 'otherSite'
      | 'otherProduct'
      | 'deactivatedSite'
      | 'product'
      | 'sibling'
      | 'productThere'
    )
  | ('reporter' | 'admin' | 'engineer' | 'otherEngineer' | 'organization'),
  string
>;
/** Grants in four states, made through the API. */
let grants: Record<'pending' | 'awaitingGuard' | 'active' | 'revoked', string>;

const local = (globalId: string | null) =>
  Buffer.from(globalId ?? '', 'base64')
    .toString()
    .split(':')[1] ?? '';

beforeAll(async () => {
  const logger = createLogger('error', { write: (line) => void logged.push(line) });
  ({ gateway, world } = await startGatewayWithWorld({ logger }));
  const admin = await gateway.as(world.acme.emails.organizationAdmin);
  const pending = await fileTicket(gateway, world);
  const unasked = await fileTicket(gateway, world, { site: 'original' });
  await done(admin, 'denyDataAccess', { grantId: unasked.grantId });
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
    unasked: local(unasked.ticketId),
    site: local(world.acme.sites.main.id),
    otherSite: local(world.acme.sites.original.id),
    otherProduct: local(world.acme.sites.original.products.jira),
    deactivatedSite: local(world.acme.sites.deactivated.id),
    product: local(world.acme.sites.main.products.jira),
    sibling: local(world.acme.sites.main.products.confluence),
    productThere: local(world.acme.sites.deactivated.products.jira),
    reporter: await accountOf(world.acme.emails.reporter),
    admin: await accountOf(world.acme.emails.organizationAdmin),
    engineer: local(world.engineer.id),
    otherEngineer: local(world.otherEngineer.id),
    organization: local(world.acme.organizationId),
  };
  sql = new pg.Client(gatewayUrl(gateway.databaseUrl));
  await sql.connect();
});
beforeEach(async () => {
  await sql.query('ROLLBACK');
  await sql.query('BEGIN');
});
afterAll(async () => {
  await sql.end();
  await gateway.dispose();
});

/** The constraint, or the message, with which the database refuses the statement; undefined if it accepts it. */
async function refusalOf(
  statement: string,
  values: unknown[] = [],
  client: pg.ClientBase = sql,
): Promise<string | undefined> {
  try {
    await client.query(statement, values);
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
    ['of nobody known', () => ({ engineer_id: newId() }), 'grants_engineer_id_kind'],
    ["of a customer's user", () => ({ engineer_id: ids.reporter }), 'grants_engineer_id_kind'],
    [
      'approved by an engineer',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_by_id: ids.engineer }),
      'grants_customer_approved_by_id_kind',
    ],
    [
      'approved by somebody unknown',
      () => ({ state: 'ACTIVE', ...activated(), customer_approved_by_id: newId() }),
      'grants_customer_approved_by_id_kind',
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

test.each([
  ['state', `state = 'ENDED', end_reason = 'TIME_ELAPSED', version = version + 1`],
  ['reason', `end_reason = 'TICKET_CLOSED', version = version + 1`],
  ['end', 'ended_at = now(), version = version + 1'],
  ['engineer', 'engineer_id = NULL, version = version + 1'],
  ['version', 'version = version + 1'],
])('the %s of what is over does not change', async (_, set) => {
  const refusal = await refusalOf(`UPDATE grants SET ${set} WHERE id = $1`, [grants.revoked]);
  expect(refusal).toBe('grants_end_is_final');
});

describe('a change is one version, and leaves what it is about', () => {
  test.each([
    ['ticket', 'ticket_id = gen_random_uuid()'],
    ['site', 'site_id = gen_random_uuid()'],
    ['scope', `scope_kind = 'ROVO_CONVERSATIONS', conversation_ids = ARRAY['a']`],
    ['conversations', `conversation_ids = ARRAY['a']`],
    ['requester', 'requested_by_id = gen_random_uuid()'],
    ['id', 'id = gen_random_uuid()'],
  ])('the %s of a grant', async (_, set) => {
    const change = `UPDATE grants SET ${set}, version = version + 1 WHERE id = $1`;
    expect(await refusalOf(change, [grants.pending])).toBe('grants_subject_is_final');
  });

  test.each([
    ['id', 'id = gen_random_uuid()'],
    ['key', `key = 'RULES-2'`],
    ['site', 'site_id = gen_random_uuid()'],
    ['reporter', 'reporter_id = gen_random_uuid()'],
  ])('the %s of a ticket', async (_, set) => {
    const change = `UPDATE tickets SET ${set}, version = version + 1 WHERE id = $1`;
    expect(await refusalOf(change, [ids.ticket])).toBe('tickets_subject_is_final');
  });

  test.each(['version', 'version + 2', 'version - 1', '1'])('a version that becomes %s', async (version) => {
    for (const [table, id] of [
      ['grants', grants.active],
      ['tickets', ids.ticket],
    ]) {
      const refusal = await refusalOf(`UPDATE ${table} SET version = ${version} WHERE id = $1`, [id]);
      expect(refusal).toBe(`${table}_version_step`);
      await sql.query('ROLLBACK; BEGIN');
    }
  });
});

/** The rules between an open grant and its ticket, site and product. They are checked when a transaction commits. */
describe('a change request', () => {
  const asked = () => ({
    ...{ id: newId(), ticket_id: ids.ticket, site_id: ids.site, organization_id: ids.organization },
    ...{ kind: 'SETTINGS', resource_type: 'project', resource_id: 'ACME', description: 'Switch it on' },
    ...{
      justification: 'It is off',
      requested_by_id: ids.engineer,
      requested_at: moment,
      valid_until: latest,
    },
    ...{ state: 'PENDING_CONSENT', version: 1 },
  });
  const decided = () => ({ decided_by_id: ids.admin, decided_at: later });
  const over = () => ({ ended_at: later, ended_by_id: ids.admin });
  const begun = () => ({ ...decided(), allowed_at: later, session_id: newId() });
  const insert = (columns: object) =>
    refusalOf('INSERT INTO change_requests SELECT * FROM jsonb_populate_record(NULL::change_requests, $1)', [
      JSON.stringify({ ...asked(), ...columns }),
    ]);

  test.each<[string, () => object, string | undefined]>([
    ['awaits the consent', () => ({}), undefined],
    ['is consented to', () => ({ state: 'CONSENTED', ...decided() }), undefined],
    ['has expired', () => ({ state: 'EXPIRED', ended_at: latest, end_reason: 'TIME_ELAPSED' }), undefined],
    ['has a decision before it was made', () => ({ ...decided() }), 'decided_states'],
    ['was consented to by nobody', () => ({ state: 'CONSENTED' }), 'decided_states'],
    [
      'was begun without a consent',
      () => ({ ...begun(), state: 'IN_PROGRESS', decided_by_id: null, decided_at: null }),
      'decided_states',
    ],
    [
      'was begun in no session',
      () => ({ ...begun(), state: 'IN_PROGRESS', session_id: null }),
      'allowed_states',
    ],
    ['is completed without a result', () => ({ ...begun(), ...over(), state: 'COMPLETED' }), 'result'],
    [
      'is refused and open',
      () => ({ ...decided(), state: 'REFUSED', end_reason: 'REFUSED_BY_CUSTOMER', ended_by_id: ids.admin }),
      'final_states',
    ],
    ['is refused for no reason', () => ({ ...decided(), ...over(), state: 'REFUSED' }), 'end_reason'],
    [
      'is refused with its ticket',
      () => ({ ...decided(), ...over(), state: 'REFUSED', end_reason: 'TICKET_CLOSED' }),
      'end_reason',
    ],
    [
      'is withdrawn by the customer',
      () => ({ ...over(), state: 'WITHDRAWN', end_reason: 'CONSENT_REVOKED' }),
      'end_reason',
    ],
    ['is withdrawn for no reason', () => ({ ...over(), state: 'WITHDRAWN' }), 'end_reason'],
    ['has expired for no reason', () => ({ state: 'EXPIRED', ended_at: latest }), 'end_reason'],
    ['awaits the consent with a reason to end', () => ({ end_reason: 'TICKET_CLOSED' }), 'end_reason'],
    [
      'has expired by a person',
      () => ({ ...over(), state: 'EXPIRED', end_reason: 'TIME_ELAPSED' }),
      'ended_by',
    ],
    [
      'is withdrawn by nobody',
      () => ({ state: 'WITHDRAWN', end_reason: 'TICKET_CLOSED', ended_at: later }),
      'ended_by',
    ],
    [
      'was consented to after its end',
      () => ({ state: 'CONSENTED', ...decided(), decided_at: latest }),
      'in_time',
    ],
    ['was begun after its end', () => ({ ...begun(), state: 'IN_PROGRESS', allowed_at: latest }), 'in_time'],
  ])('that %s', async (_, columns, rule) => {
    expect(await insert(columns())).toBe(rule === undefined ? undefined : `change_requests_${rule}`);
  });

  const change = (assignments: string) =>
    refusalOf(`UPDATE change_requests SET ${assignments} WHERE ticket_id = $1`, [ids.ticket]);
  const next = 'version = version + 1';
  const withdrawn = `state = 'WITHDRAWN', end_reason = 'TICKET_CLOSED', ended_at = requested_at, ended_by_id = requested_by_id`;
  const begins = `state = 'IN_PROGRESS', decided_by_id = requested_by_id, decided_at = requested_at, allowed_at = requested_at,
    session_id = id`;

  test.each<[string, string | undefined]>([
    [`${next}, ${withdrawn}`, undefined],
    [`${next}, ${begins}`, 'steps'],
    [next, 'steps'],
    [`${next}, ${withdrawn}, valid_until = valid_until + interval '1 day'`, 'subject_is_final'],
    [`${next}, ${withdrawn}, resource_id = 'GLOBEX'`, 'subject_is_final'],
    [`version = version + 2, ${withdrawn}`, 'version_step'],
    [withdrawn, 'version_step'],
  ])('that awaits the consent gets %s', async (assignments, rule) => {
    expect(await insert({})).toBeUndefined();
    expect(await change(assignments)).toBe(rule === undefined ? undefined : `change_requests_${rule}`);
  });

  test.each<[string, string]>([
    ["state = 'PENDING_CONSENT', decided_by_id = NULL, decided_at = NULL", 'decision_is_final'],
    ['decided_by_id = requested_by_id', 'decision_is_final'],
    [
      "state = 'COMPLETED', allowed_at = decided_at, session_id = id, result = 'APPLIED', ended_at = decided_at, ended_by_id = decided_by_id",
      'steps',
    ],
  ])('is consented to and cannot get %s', async (assignments, rule) => {
    expect(await insert({ state: 'CONSENTED', ...decided() })).toBeUndefined();
    expect(await change(`${next}, ${assignments}`)).toBe(`change_requests_${rule}`);
  });

  test('that is over stays over', async () => {
    expect(await insert({ state: 'EXPIRED', ended_at: latest, end_reason: 'TIME_ELAPSED' })).toBeUndefined();
    expect(await change(`${next}, state = 'PENDING_CONSENT', ended_at = NULL, end_reason = NULL`)).toBe(
      'change_requests_end_is_final',
    );
  });
});

describe('a transaction does not commit', () => {
  /** The rule that the statements break together, in this order; undefined if none. */
  async function refusalAtCommit(...statements: [string, ...unknown[]][]): Promise<string | undefined> {
    for (const [statement, ...values] of statements) await sql.query(statement, values);
    return await refusalOf('SET CONSTRAINTS ALL IMMEDIATE');
  }

  const closeTicket = (): [string, ...unknown[]] => [
    `UPDATE tickets SET status = 'CLOSED', closed_at = now(), version = version + 1 WHERE id = $1`,
    ids.ticket,
  ];
  const assign = (engineer: string | null): [string, ...unknown[]] => [
    'UPDATE tickets SET assignee_id = $2, version = version + 1 WHERE id = $1',
    ...[ids.ticket, engineer],
  ];
  const reassign = (engineer: string | null): [string, ...unknown[]] => [
    'UPDATE grants SET engineer_id = $2, version = version + 1 WHERE id = $1',
    ...[grants.pending, engineer],
  ];
  const endAll = (): [string, ...unknown[]] => [
    `UPDATE grants SET state = (CASE state WHEN 'ACTIVE' THEN 'ENDED' ELSE 'WITHDRAWN' END)::grant_state, ended_at = now(),
            end_reason = 'SITE_DEACTIVATED', version = version + 1 WHERE ended_at IS NULL AND site_id = $1`,
    ids.site,
  ];
  const deactivate = (): [string, ...unknown[]] => [
    `UPDATE sites SET status = 'DEACTIVATED' WHERE id = $1`,
    ids.site,
  ];
  const unlicense = (): [string, ...unknown[]] => [
    'UPDATE products SET licensed = false WHERE id = $1',
    ids.product,
  ];

  const changeProduct = (): [string, ...unknown[]] => [
    'UPDATE tickets SET product_id = $2, version = version + 1 WHERE id = $1',
    ...[ids.ticket, ids.sibling],
  ];
  const leaveUnsettled = (table: 'sites' | 'products'): [string, ...unknown[]] => [
    `UPDATE ${table} SET ${table === 'sites' ? `status = 'DEACTIVATED'` : 'licensed = false'}, unsettled_since = now(),
            unsettled_by_id = $2 WHERE id = $1`,
    ...[table === 'sites' ? ids.site : ids.product, ids.admin],
  ];
  const takeMark = (table: 'sites' | 'products'): [string, ...unknown[]] => [
    `UPDATE ${table} SET unsettled_since = NULL, unsettled_by_id = NULL WHERE id = $1`,
    table === 'sites' ? ids.site : ids.product,
  ];

  test.each<[string, () => [string, ...unknown[]][], string]>([
    ['that gives a ticket with one another product', () => [changeProduct()], 'tickets_product_ends_grants'],
    ['that closes a ticket with an open grant', () => [closeTicket()], 'grants_open_ticket'],
    [
      'that approves a grant on an unsettled site',
      () => [
        leaveUnsettled('sites'),
        activate(grants.pending),
        decide(grants.pending, 'CUSTOMER', 'APPROVED', ids.admin),
      ],
      'grants_active_site',
    ],
    [
      'that opens one there',
      () => [
        leaveUnsettled('sites'),
        [
          `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                               approval_due_at, engineer_id, version)
           SELECT gen_random_uuid(), id, site_id, 'ROVO_CONVERSATIONS', '{a}', 'PENDING_APPROVAL', reporter_id, now(),
                  now() + interval '1 day', assignee_id, 1 FROM tickets WHERE id = $1`,
          ids.ticket,
        ],
      ],
      'grants_active_site',
    ],
    [
      'that approves one for an unsettled product',
      () => [
        leaveUnsettled('products'),
        activate(grants.pending),
        decide(grants.pending, 'CUSTOMER', 'APPROVED', ids.admin),
      ],
      'grants_licensed_product',
    ],
    ['that deactivates a site with one', () => [deactivate()], 'grants_active_site'],
    ['that ends the licence of a product with one', () => [unlicense()], 'grants_licensed_product'],
    ['that assigns an engineer without it', () => [assign(ids.otherEngineer)], 'grants_assigned_engineer'],
    ['that assigns nobody', () => [assign(null)], 'grants_assigned_engineer'],
    ['that gives it to somebody else', () => [reassign(ids.otherEngineer)], 'grants_assigned_engineer'],
    ['that takes it from everybody', () => [reassign(null)], 'grants_assigned_engineer'],
  ])('%s', async (_, statements, rule) => {
    expect(await refusalAtCommit(...statements())).toBe(rule);
  });

  test.each<[string, () => [string, ...unknown[]][], string]>([
    [
      'that takes the mark from a site with one',
      () => [leaveUnsettled('sites'), takeMark('sites')],
      'sites_settled',
    ],
    [
      'that brings an unsettled site back',
      () => [leaveUnsettled('sites'), [`UPDATE sites SET status = 'ACTIVE' WHERE id = $1`, ids.site]],
      'sites_unsettled',
    ],
    [
      'that brings it back with the mark',
      () => [
        leaveUnsettled('sites'),
        [
          `UPDATE sites SET status = 'ACTIVE', unsettled_since = NULL, unsettled_by_id = NULL WHERE id = $1`,
          ids.site,
        ],
      ],
      'sites_settled',
    ],
    [
      'that changes the mark of a site',
      () => [
        leaveUnsettled('sites'),
        [`UPDATE sites SET unsettled_since = unsettled_since + interval '1 day' WHERE id = $1`, ids.site],
      ],
      'sites_unsettled_since_their_end',
    ],
    [
      'that marks a site that was deactivated before',
      () => [
        [
          'UPDATE sites SET unsettled_since = now(), unsettled_by_id = $2 WHERE id = $1',
          ...[ids.deactivatedSite, ids.admin],
        ],
      ],
      'sites_unsettled_since_their_end',
    ],
    [
      'that marks an active site',
      () => [
        ['UPDATE sites SET unsettled_since = now(), unsettled_by_id = $2 WHERE id = $1', ids.site, ids.admin],
      ],
      'sites_unsettled',
    ],
    [
      'that takes the mark from a product with one',
      () => [leaveUnsettled('products'), takeMark('products')],
      'products_settled',
    ],
    [
      'that licenses it again with the mark',
      () => [
        leaveUnsettled('products'),
        [
          'UPDATE products SET licensed = true, unsettled_since = NULL, unsettled_by_id = NULL WHERE id = $1',
          ids.product,
        ],
      ],
      'products_settled',
    ],
  ])('%s, nor does it go on', async (_, statements, rule) => {
    const [last, ...first] = statements().toReversed();
    for (const [statement, ...values] of first.toReversed()) await sql.query(statement, values);
    const [statement = '', ...values] = last ?? [];
    expect(await refusalOf(String(statement), values)).toBe(rule);
  });

  test.each<[string, () => [string, ...unknown[]][]]>([
    ['gives a ticket another product and ends its grants', () => [changeProduct(), endAll()]],
    ['closes a ticket and ends its grants', () => [closeTicket(), endAll()]],
    ['ends the grants and closes the ticket', () => [endAll(), closeTicket()]],
    ['deactivates a site and ends its grants', () => [deactivate(), endAll()]],
    ['ends a licence and the grants', () => [unlicense(), endAll()]],
    ['leaves a site unsettled', () => [leaveUnsettled('sites')]],
    ['leaves a product unsettled', () => [leaveUnsettled('products')]],
    ['settles a site', () => [leaveUnsettled('sites'), endAll(), takeMark('sites')]],
    [
      'passes the grants of an unsettled site on',
      () => [leaveUnsettled('sites'), assign(ids.otherEngineer), reassign(ids.otherEngineer)],
    ],
    ['assigns an engineer with the grants', () => [assign(ids.otherEngineer), reassign(ids.otherEngineer)]],
    ['gives the grants to the next engineer first', () => [reassign(null), assign(null)]],
  ])('but one that %s does', async (_, statements) => {
    expect(await refusalAtCommit(...statements())).toBeUndefined();
  });

  const activate = (id: string, by = ids.admin): [string, ...unknown[]] => [
    `UPDATE grants SET state = 'ACTIVE', path = 'SUPPORT_PORTAL', customer_approved_at = now(),
            customer_approved_by_id = $2, activated_at = now(), version = version + 1 WHERE id = $1`,
    ...[id, by],
  ];
  const decide = (
    id: string,
    stage: string,
    outcome: string,
    by: string,
    at = 'now()',
  ): [string, ...unknown[]] => [
    `INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, decided_at)
     VALUES (gen_random_uuid(), $1, $2::approval_stage, $3::decision_outcome, $4, ${at})`,
    ...[id, stage, outcome, by],
  ];
  const later = `now() + interval '1 minute'`;

  test.each<[string, () => [string, ...unknown[]][], string | undefined]>([
    ['nobody', () => [activate(grants.pending)], 'grants_customer_approval'],
    [
      'its approver',
      () => [activate(grants.pending), decide(grants.pending, 'CUSTOMER', 'APPROVED', ids.admin)],
      undefined,
    ],
    [
      'somebody else than its approver',
      () => [activate(grants.pending), decide(grants.pending, 'CUSTOMER', 'APPROVED', ids.reporter)],
      'grants_customer_approval',
    ],
    [
      'its approver, whom somebody has overruled',
      () => [
        activate(grants.pending),
        decide(grants.pending, 'CUSTOMER', 'APPROVED', ids.admin),
        decide(grants.pending, 'CUSTOMER', 'DENIED', ids.reporter, later),
      ],
      'grants_customer_approval',
    ],
    [
      'its approver before, and denied now',
      () => [decide(grants.active, 'CUSTOMER', 'DENIED', ids.reporter, later)],
      'grants_customer_approval',
    ],
    ['the customer and not the Guard', () => [activate(grants.awaitingGuard)], 'grants_guard_approval'],
    [
      'one person for both',
      () => [activate(grants.awaitingGuard), decide(grants.awaitingGuard, 'GUARD', 'APPROVED', ids.admin)],
      'grants_guard_approval',
    ],
    [
      'the customer, and denied by the Guard',
      () => [activate(grants.awaitingGuard), decide(grants.awaitingGuard, 'GUARD', 'DENIED', ids.reporter)],
      'grants_guard_approval',
    ],
    [
      'the customer and another person for the Guard',
      () => [activate(grants.awaitingGuard), decide(grants.awaitingGuard, 'GUARD', 'APPROVED', ids.reporter)],
      undefined,
    ],
  ])(
    'with a grant that is active and was approved by %s, unless that is what it needs',
    async (_, statements, rule) => {
      expect(await refusalAtCommit(...statements())).toBe(rule);
    },
  );

  test.each<[string, () => [string, unknown[]], string]>([
    [
      'a closed ticket',
      () => [
        `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, status, created_at, closed_at)
         VALUES ($1, 'RULES-3', 'It is slow', $2, $3, $4, 'CLOSED', now(), now())`,
        [ids.site, ids.product],
      ],
      'grants_open_ticket',
    ],
    [
      'a deactivated site',
      () => [
        `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
         VALUES ($1, 'RULES-3', 'It is slow', $2, $3, $4, now())`,
        [ids.deactivatedSite, ids.productThere],
      ],
      'grants_active_site',
    ],
    [
      'a product that is not licensed',
      () => [
        `WITH product AS (INSERT INTO products SELECT $3, $2, 'bamboo', 'Bamboo', false, now() RETURNING id)
         INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
         SELECT $1, 'RULES-3', 'It is slow', $2, id, $4, now() FROM product`,
        [ids.site, newId()],
      ],
      'grants_licensed_product',
    ],
  ])('that opens a grant on %s', async (_, insertTicket, rule) => {
    const ticket = newId();
    const [statement, place] = insertTicket();
    await sql.query(statement, [ticket, ...place, ids.reporter]);
    expect(
      await refusalAtCommit([
        `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                             approval_due_at, version)
         VALUES (gen_random_uuid(), $1, $2, 'PRODUCT_DATA', '{}', 'PENDING_APPROVAL', $3, now(), now() + interval '1 day', 1)`,
        ...[ticket, place[0], ids.reporter],
      ]),
    ).toBe(rule);
  });

  test.each<[string, () => [string, ...unknown[]], string]>([
    ['closes the ticket', () => [closeTicket()[0], ids.unasked], 'grants_open_ticket'],
    ['assigns somebody else', () => [assign(null)[0], ids.unasked, null], 'grants_assigned_engineer'],
    ['deactivates the site', () => [deactivate()[0], ids.otherSite], 'grants_active_site'],
    ['ends the licence', () => [unlicense()[0], ids.otherProduct], 'grants_licensed_product'],
  ])('that opens a grant while another one %s', async (_, change, rule) => {
    const other = await gateway.sql.connect();
    onTestFinished(() => other.release(true));
    await other.query('BEGIN');
    await other.query(
      `INSERT INTO grants (id, ticket_id, site_id, scope_kind, conversation_ids, state, requested_by_id, requested_at,
                           approval_due_at, engineer_id, version)
       SELECT gen_random_uuid(), id, site_id, 'ROVO_CONVERSATIONS', '{a}', 'PENDING_APPROVAL', reporter_id, now(),
              now() + interval '1 day', assignee_id, 1 FROM tickets WHERE id = $1`,
      [ids.unasked],
    );
    await other.query('SET CONSTRAINTS ALL IMMEDIATE');
    const [statement, ...values] = change();
    await sql.query(statement, values);
    const committed = refusalOf('COMMIT');
    await vi.waitFor(async () => {
      const { rows } = await gateway.sql.query('SELECT FROM pg_locks WHERE NOT granted');
      expect(rows).not.toEqual([]);
    });
    await other.query('COMMIT');
    expect(await committed).toBe(rule);
    await gateway.sql.query(
      `UPDATE grants SET state = 'WITHDRAWN', ended_at = now(), end_reason = 'TICKET_CLOSED', version = version + 1
        WHERE ticket_id = $1 AND ended_at IS NULL`,
      [ids.unasked],
    );
  });
});

describe('the place of an audit entry and of an event in their order', () => {
  const entries = `INSERT INTO audit_entries
       (id, txid, seq, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id, details)
     SELECT gen_random_uuid(), 1, 100 - n, now(), 'grant.approve', 'SUCCEEDED', 'SYSTEM', 'Latchkey', 'Grant', n::text, '{}'
       FROM generate_series(1, 50) AS n
     RETURNING txid, seq, pg_current_xact_id()::text AS now, resource_id AS n`;
  const events = `INSERT INTO events (id, txid, seq, type, occurred_at, payload)
     SELECT gen_random_uuid(), 1, 100 - n, n::text, now(), '{}' FROM generate_series(1, 50) AS n
     RETURNING txid, seq, pg_current_xact_id()::text AS now, type AS n`;

  test.each([
    ['an entry', entries],
    ['an event', events],
  ])('is not chosen by whoever inserts %s', async (_, insert) => {
    const { rows } = await sql.query<{ txid: string; seq: string; now: string; n: string }>(insert);
    expect(rows.map(({ txid }) => txid)).toEqual(rows.map(({ now }) => now));
    const inOrder = rows.toSorted((a, b) => Number(a.seq) - Number(b.seq)).map(({ n }) => Number(n));
    expect(inOrder).toEqual(Array.from({ length: 50 }, (_element, index) => index + 1));
    const again = await sql.query<{ seq: string }>(insert);
    expect(Number(again.rows[0]?.seq)).toBeGreaterThan(Math.max(...rows.map(({ seq }) => Number(seq))));
  });

  test('does not change, nor does anything else of an event', async () => {
    expect(await refusalOf('UPDATE events SET txid = 1')).toBe('events_are_final');
    await sql.query('ROLLBACK; BEGIN');
    expect(await refusalOf(`UPDATE events SET payload = '{}'`)).toBe('events_are_final');
  });
});

describe('a command that breaks a rule', () => {
  /** Changes what the next commands write to grants, as a defect would. */
  async function breakGrants(change: string): Promise<void> {
    await gateway.sql.query(`
      CREATE FUNCTION defect() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        ${change};
        RETURN NEW;
      END $$;
      CREATE TRIGGER a_defect BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION defect()`);
    onTestFinished(async () => {
      await gateway.sql.query('DROP FUNCTION defect CASCADE');
    });
  }

  test.each([
    ['in a statement', () => 'NEW.version := 7', 'grants_version_step'],
    ['in its commit', () => `NEW.engineer_id := '${ids.otherEngineer}'`, 'grants_assigned_engineer'],
  ])('%s fails as a defect, and the log names the rule', async (_, change, rule) => {
    const { grantId } = await fileTicket(gateway, world);
    await breakGrants(change());
    const admin = await gateway.as(world.acme.emails.organizationAdmin);
    const approve = `mutation ($input: ApproveDataAccessInput!) { approveDataAccess(input: $input) { __typename } }`;
    logged.length = 0;
    const { errors } = await admin.send(approve, { input: { grantId } });
    expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    const failures = logged.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
    expect(failures).toMatchObject([
      { errorId: errors[0]?.extensions['errorId'], err: { brokenRule: rule } },
    ]);
  });
});

describe.each(['audit_entries', 'decisions'])('%s are only inserted, never changed or deleted', (table) => {
  const statements = [
    `UPDATE ${table} SET id = id`,
    `UPDATE ${table} SET id = id WHERE false`,
    `DELETE FROM ${table}`,
    `TRUNCATE ${table}`,
    `TRUNCATE ${table} CASCADE`,
  ];
  test.each(statements)('by a gateway: %s', async (statement) => {
    expect(await refusalOf(statement)).toBe(`permission denied for table ${table}`);
  });

  test.each([...statements, 'TRUNCATE accounts CASCADE', 'TRUNCATE grants CASCADE'])(
    'by a superuser: %s',
    async (statement) => {
      // Truncating another table reaches this one only through a foreign key.
      const reached = table === 'decisions' || !/accounts|grants/.test(statement) ? table : 'decisions';
      const superuser = await gateway.sql.connect();
      onTestFinished(() => superuser.release());
      expect(await refusalOf(statement, [], superuser)).toBe(`${reached} is append-only`);
    },
  );
});

describe('a proposed change', () => {
  /** Inserts one that waits for a confirmation, with these columns changed. */
  async function propose(columns: Record<string, unknown> = {}): Promise<string | undefined> {
    const row = {
      ...{ id: newId(), organization_id: ids.organization, kind: 'REMOVE_ROLE', about: 'a role' },
      ...{ input: {}, before: {}, after: {}, summary: 'Remove a role', proposed_by_id: ids.admin },
      ...{ proposed_at: moment, needs: 'GUARD_ADMIN', expires_at: latest, state: 'WAITING', version: 1 },
      ...columns,
    };
    return await refusalOf(
      'INSERT INTO proposed_changes SELECT * FROM jsonb_populate_record($1::proposed_changes, $2)',
      [null, JSON.stringify(row)],
    );
  }
  const settledAt = { settled_at: later };
  const bySecond = () => ({ ...settledAt, settled_by_id: ids.reporter });

  test.each<[string, () => Record<string, unknown>, string | undefined]>([
    ['that waits', () => ({}), undefined],
    ['that another person has confirmed', () => ({ state: 'APPLIED', ...bySecond() }), undefined],
    ['that is due at no time', () => ({ expires_at: null }), 'proposed_changes_due'],
    ['that takes effect and expires by time', () => ({ effective_at: latest }), 'proposed_changes_due'],
    ['that is due at once', () => ({ expires_at: moment }), 'proposed_changes_due_later'],
    ['that waits and is settled', () => settledAt, 'proposed_changes_settled_at'],
    ['that is settled at no time', () => ({ state: 'EXPIRED' }), 'proposed_changes_settled_at'],
    ['withdrawn by nobody', () => ({ state: 'WITHDRAWN', ...settledAt }), 'proposed_changes_settled_by'],
    ['declined by nobody', () => ({ state: 'DECLINED', ...settledAt }), 'proposed_changes_settled_by'],
    ['that a person let expire', () => ({ state: 'EXPIRED', ...bySecond() }), 'proposed_changes_settled_by'],
    ['that nobody confirmed', () => ({ state: 'APPLIED', ...settledAt }), 'proposed_changes_settled_by'],
    [
      'that one person proposed and confirmed',
      () => ({ state: 'APPLIED', ...settledAt, settled_by_id: ids.admin }),
      'proposed_changes_two_people',
    ],
    ['at version 0', () => ({ version: 0 }), 'proposed_changes_version'],
  ])('%s is let in, or refused by its rule', async (_, columns, rule) => {
    expect(await propose(columns())).toBe(rule);
  });

  test('of one thing waits once', async () => {
    expect(await propose()).toBeUndefined();
    expect(await propose({ state: 'APPLIED', ...bySecond() })).toBeUndefined();
    expect(await propose()).toBe('proposed_changes_waiting_once');
  });

  test.each([
    `UPDATE proposed_changes SET input = '{"a": 1}'`,
    `UPDATE proposed_changes SET needs = 'ORGANIZATION_ADMIN'`,
    `UPDATE proposed_changes SET expires_at = expires_at + interval '1 day'`,
    'UPDATE proposed_changes SET proposed_by_id = settled_by_id',
    'DELETE FROM proposed_changes',
  ])('is not changed in any way but by its end: %s', async (statement) => {
    await propose();
    expect(await refusalOf(statement)).toContain('can be settled once, and changes in no other way');
  });

  test('ends once', async () => {
    const id = newId();
    await propose({ id });
    const end = `UPDATE proposed_changes SET state = 'DECLINED', settled_by_id = $2, settled_at = now(), version = version + 1
                  WHERE id = $1`;
    expect(await refusalOf(end, [id, ids.reporter])).toBeUndefined();
    expect(await refusalOf(end, [id, ids.reporter])).toContain('can be settled once');
  });
});

test.each<[string, () => [string, unknown[]], string]>([
  [
    'a closed ticket without a closing time',
    () => [`UPDATE tickets SET status = 'CLOSED', version = version + 1 WHERE id = $1`, [ids.ticket]],
    'tickets_closed_at',
  ],
  [
    'an open ticket with a closing time',
    () => ['UPDATE tickets SET closed_at = now(), version = version + 1 WHERE id = $1', [ids.ticket]],
    'tickets_closed_at',
  ],
  [
    'a ticket assigned to a user',
    () => [
      'UPDATE tickets SET assignee_id = $2, version = version + 1 WHERE id = $1',
      [ids.ticket, ids.admin],
    ],
    'tickets_assignee_id_kind',
  ],
  [
    'a ticket reported by an engineer',
    () => [
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
       VALUES ($1, 'RULES-4', 'It is slow', $2, $3, $4, now())`,
      [newId(), ids.site, ids.product, ids.engineer],
    ],
    'tickets_reporter_id_kind',
  ],
  [
    'a ticket about a product of another site',
    () => [
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at)
       VALUES ($1, 'RULES-4', 'It is slow', $2, $3, $4, now())`,
      [newId(), ids.otherSite, ids.product, ids.reporter],
    ],
    'tickets_product_fkey',
  ],
  [
    'a decision by an engineer',
    () => [
      `INSERT INTO decisions VALUES ($1, $2, 'CUSTOMER', 'APPROVED', $3, NULL, now())`,
      [newId(), grants.pending, ids.engineer],
    ],
    'decisions_decided_by_id_kind',
  ],
  [
    'a grant with other terms than at its opening',
    () => ['UPDATE grants SET guard_required = NOT guard_required WHERE id = $1', [grants.pending]],
    'grants_terms_are_final',
  ],
  [
    'a grant with another limit than at its opening',
    () => ['UPDATE grants SET max_grant_seconds = 60 WHERE id = $1', [grants.active]],
    'grants_terms_are_final',
  ],
  [
    'a request that waits for longer than it was opened for',
    () => [
      `UPDATE grants SET approval_due_at = approval_due_at + interval '1 ms', version = version + 1 WHERE id = $1`,
      [grants.pending],
    ],
    'grants_wait_only_shortens',
  ],
  [
    'a former admin since no time',
    () => ['UPDATE organizations SET former_admin_id = $2 WHERE id = $1', [ids.organization, ids.admin]],
    'organizations_former_admin',
  ],
  [
    'a decision relayed by a person',
    () => [
      `INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, decided_at, relayed_by_id)
       VALUES ($1, $2, 'CUSTOMER', 'APPROVED', $3, now(), $3)`,
      [newId(), grants.pending, ids.admin],
    ],
    'decisions_relayed_by_id_kind',
  ],
  [
    "a Guard admin's decision that is relayed",
    () => [
      `INSERT INTO decisions (id, grant_id, stage, outcome, decided_by_id, decided_at, relayed_by_id)
       SELECT $1, $2, 'GUARD', 'APPROVED', $3, now(), id FROM accounts WHERE email = $4`,
      [newId(), grants.awaitingGuard, ids.admin, world.services.ticketing],
    ],
    'decisions_relayed',
  ],
  [
    'a relayed consent that does not say what came of it',
    () => [
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at, consent_relayed_by_id)
       SELECT $1, 'RULES-2', 'It is slow', $2, $3, $4, now(), id FROM accounts WHERE email = $5`,
      [newId(), ids.site, ids.product, ids.reporter, world.services.ticketing],
    ],
    'tickets_relayed_consent',
  ],
  [
    'a consent that a person relayed',
    () => [
      `INSERT INTO tickets (id, key, summary, site_id, product_id, reporter_id, created_at, consent_relayed_by_id,
                            relayed_consent)
       VALUES ($1, 'RULES-2', 'It is slow', $2, $3, $4, now(), $4, 'COUNTED')`,
      [newId(), ids.site, ids.product, ids.reporter],
    ],
    'tickets_consent_relayed_by_id_kind',
  ],
  [
    'a consent that is relayed after the filing of the ticket',
    () => [
      `UPDATE tickets SET consent_relayed_by_id = accounts.id, relayed_consent = 'COUNTED', version = version + 1
         FROM accounts WHERE tickets.id = $1 AND accounts.email = $2`,
      [ids.ticket, world.services.ticketing],
    ],
    'tickets_relayed_consent_is_final',
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
    'an auditor of a single site',
    () => [
      `INSERT INTO role_assignments (id, account_id, role, organization_id, site_id, created_at) VALUES ($1, $2, 'AUDITOR', $3, $4, now())`,
      [newId(), ids.reporter, ids.organization, ids.site],
    ],
    'role_assignments_auditor_coverage',
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
    'accounts_kind_is_final',
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

describe('of the tickets and events of a ticketing system, the database refuses', () => {
  const [ticket, event] = [newId(), newId()];

  /** Inserts a ticket that a service account's system calls by an id, with these columns changed. */
  const insertTicket = (columns: Record<string, unknown> = {}) => {
    const row = {
      ...{
        id: ticket,
        key: 'RULES-5',
        summary: 'It is slow',
        status: 'OPEN',
        version: 1,
        created_at: moment,
      },
      ...{ site_id: ids.site, product_id: ids.product, reporter_id: ids.reporter },
      ...{ integration_id: integration, external_id: '4711', status_moment: 'b', assignment_moment: 'b' },
      ...columns,
    };
    return refusalOf('INSERT INTO tickets SELECT * FROM jsonb_populate_record(NULL::tickets, $1)', [
      JSON.stringify(row),
    ]);
  };

  const insertEvent = (columns: Record<string, unknown> = {}) => {
    const row = {
      ...{ id: event, integration_id: integration, webhook_id: 'msg', type: 'CLOSED', external_id: '4711' },
      ...{
        occurred_at: moment,
        moment: 'a',
        content: {},
        state: 'RECEIVED',
        received_at: moment,
        attempt: 1,
      },
      ...columns,
    };
    return refusalOf(
      'INSERT INTO inbound_ticket_events SELECT * FROM jsonb_populate_record(NULL::inbound_ticket_events, $1)',
      [JSON.stringify(row)],
    );
  };

  let integration: string;
  beforeAll(async () => {
    const email = world.services.ticketing;
    const { rows } = await gateway.sql.query('SELECT id FROM accounts WHERE email = $1', [email]);
    integration = rows[0].id;
  });

  test.each<[string, string, () => Record<string, unknown>]>([
    ['an id of nobody', 'tickets_external_id_is_whole', () => ({ integration_id: null })],
    ['an empty id', 'tickets_external_id', () => ({ external_id: '' })],
    ['an id of a person', 'tickets_integration_id_kind', () => ({ integration_id: ids.reporter })],
    [
      ...(['a moment without an id', 'tickets_moments'] as const),
      () => ({ integration_id: null, external_id: null }),
    ],
  ])('a ticket with %s', async (_, rule, columns) => {
    expect(await insertTicket(columns())).toBe(rule);
  });

  test('two tickets with the same id, but not of two systems', async () => {
    expect(await insertTicket()).toBeUndefined();
    const again = { id: newId(), key: 'RULES-6' };
    expect(await insertTicket(again)).toBe('tickets_integration_id_external_id_key');
  });

  test.each([
    ['another id', `external_id = '4712'`, 'tickets_external_id_is_final'],
    ['an older status', `status_moment = 'a'`, 'tickets_moments_grow'],
    ['no status', 'status_moment = NULL', 'tickets_moments_grow'],
    ['an older assignment', `assignment_moment = 'a'`, 'tickets_moments_grow'],
    ['no assignment', 'assignment_moment = NULL', 'tickets_moments_grow'],
    ['a later one of both', `status_moment = 'c', assignment_moment = 'c'`, undefined],
  ])('%s of a ticket, unless it is later', async (_, set, rule) => {
    expect(await insertTicket()).toBeUndefined();
    const change = `UPDATE tickets SET ${set}, version = version + 1 WHERE id = $1`;
    expect(await refusalOf(change, [ticket])).toBe(rule);
  });

  test.each<[string, string | undefined, Record<string, unknown>]>([
    ['that waits for no reason', 'inbound_ticket_events_reason', { state: 'WAITING', kept_at: moment }],
    ['kept since never', 'inbound_ticket_events_reason', { state: 'KEPT', reason: 'SITE_UNKNOWN' }],
    [
      'applied, with a reason why not',
      'inbound_ticket_events_reason',
      { reason: 'SITE_UNKNOWN', kept_at: moment },
    ],
    [
      ...(['refused without a code', 'inbound_ticket_events_refusal_code'] as const),
      { state: 'KEPT', reason: 'REFUSED', kept_at: moment },
    ],
    ['with a code of no refusal', 'inbound_ticket_events_refusal_code', { refusal_code: 'FORBIDDEN' }],
    ['without an id', 'inbound_ticket_events_texts', { webhook_id: '' }],
    ['never tried', 'inbound_ticket_events_attempt', { attempt: 0 }],
    ['unless it is whole', undefined, {}],
  ])('an event %s', async (_, rule, columns) => {
    expect(await insertEvent(columns)).toBe(rule);
  });

  test('an event that comes twice, that changes, or that is not applied any more', async () => {
    expect(await insertEvent()).toBeUndefined();
    const change = `UPDATE inbound_ticket_events SET content = '{"status": "CLOSED"}' WHERE id = $1`;
    await sql.query('SAVEPOINT one');
    expect(await refusalOf(change, [event])).toBe('inbound_ticket_events_content_is_final');
    await sql.query('ROLLBACK TO one');
    expect(await insertEvent({ id: newId() })).toBe('inbound_ticket_events_integration_id_webhook_id_key');
    await sql.query('ROLLBACK TO one');
    await sql.query(`UPDATE inbound_ticket_events SET state = 'APPLIED' WHERE id = $1`, [event]);
    const undo = `UPDATE inbound_ticket_events SET state = 'RECEIVED' WHERE id = $1`;
    expect(await refusalOf(undo, [event])).toBe('inbound_ticket_events_application_is_final');
  });
});

test.each<[string, string, string | undefined]>([
  ['whose idle limit is its absolute limit', 'session_idle_seconds = max_session_seconds', undefined],
  ['whose idle limit never counts', 'session_idle_seconds = max_session_seconds + 1', 'sites_session_limits'],
  ['with countries', `engineer_countries = '{DE,IE}'`, undefined],
  ['without countries', `engineer_countries = '{}'`, undefined],
  ['with NULL for countries', 'engineer_countries = NULL', 'sites_engineer_countries'],
  ['with NULL for a country', `engineer_countries = '{DE,NULL}'`, 'sites_engineer_countries'],
  ['with a country in lower case', `engineer_countries = '{de}'`, 'sites_engineer_countries'],
  ['with two countries in one', `engineer_countries = ARRAY['DE,IE,']`, 'sites_engineer_countries'],
  [
    'with more countries than there are',
    `engineer_countries = array_fill('DE'::text, '{251}')`,
    'sites_engineer_countries',
  ],
])('a site %s: %s', async (_, change, rule) => {
  expect(await refusalOf(`UPDATE sites SET ${change} WHERE id = $1`, [ids.site])).toBe(rule);
});

describe("a deletion of Rovo's data", () => {
  const insert = (columns: Record<string, unknown> = {}) =>
    refusalOf(
      `INSERT INTO rovo_data_deletions SELECT * FROM jsonb_populate_record(NULL::rovo_data_deletions, $1)`,
      [
        JSON.stringify({
          ...{ id: newId(), organization_id: ids.organization, site_id: ids.site, version: 1 },
          ...{ requested_by_id: ids.admin, requested_at: moment, state: 'REQUESTED', ...columns },
        }),
      ],
    );
  const started = { state: 'IN_PROGRESS', started_at: moment };

  test.each<[string, Record<string, unknown>]>([
    ['requested', {}],
    ['of the whole organization', { site_id: null, reason: 'We move' }],
    ['in progress', started],
    ['failed', { ...started, state: 'FAILED', failure_reason: 'No space' }],
    ['completed', { ...started, state: 'COMPLETED', ended_at: later }],
    ['withdrawn', { state: 'WITHDRAWN', ended_at: later }],
  ])('is accepted: %s', async (_, columns) => {
    expect(await insert(columns)).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['in progress, and never began', { state: 'IN_PROGRESS' }, 'started_states'],
    ['completed, and never began', { state: 'COMPLETED', ended_at: later }, 'started_states'],
    ['withdrawn after it began', { ...started, state: 'WITHDRAWN', ended_at: later }, 'started_states'],
    ['completed, and never ended', { ...started, state: 'COMPLETED' }, 'final_states'],
    ['in progress, and over', { ...started, ended_at: later }, 'final_states'],
    ['that failed for a reason, and is in progress', { ...started, failure_reason: 'No' }, 'failure'],
    ['that began before it was requested', { ...started, requested_at: later }, 'order_of_time'],
    ['with an empty reason', { reason: '' }, 'texts'],
    ['of version 0', { version: 0 }, 'version'],
    ['of a site elsewhere', { organization_id: newId() }, 'site_fkey'],
  ])('is refused: %s', async (_, columns, rule) => {
    const refused = await insert(columns);
    expect(refused).toMatch(
      rule === 'site_fkey'
        ? /^rovo_data_deletions_(site|organization_id)_fkey$/
        : `rovo_data_deletions_${rule}`,
    );
  });

  test('is open once for the organization, and once for a site', async () => {
    expect(await insert({ site_id: null })).toBeUndefined();
    expect(await insert({ ...started, state: 'FAILED' })).toBeUndefined();
    expect(await insert({ site_id: ids.otherSite })).toBeUndefined();
    await sql.query('SAVEPOINT before');
    for (const siteId of [null, ids.site]) {
      expect(await insert({ site_id: siteId })).toBe('rovo_data_deletions_open_once');
      await sql.query('ROLLBACK TO SAVEPOINT before');
    }
    expect(await insert({ state: 'WITHDRAWN', ended_at: later })).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['another site', {}, 'site_id = NULL', 'subject_is_final'],
    ['another reason', {}, `reason = 'Other'`, 'subject_is_final'],
    ['a step without a version', {}, `state = 'IN_PROGRESS', started_at = now()`, 'version_step'],
    [
      'a step after its end',
      { state: 'WITHDRAWN', ended_at: later },
      'ended_at = NULL, version = version + 1',
      'end_is_final',
    ],
  ])('does not get %s', async (_, columns, change, rule) => {
    await insert(columns);
    expect(await refusalOf(`UPDATE rovo_data_deletions SET ${change}`)).toBe(`rovo_data_deletions_${rule}`);
  });
});

describe('an invitation', () => {
  const insert = (columns: Record<string, unknown> = {}) =>
    refusalOf(`INSERT INTO invitations SELECT * FROM jsonb_populate_record(NULL::invitations, $1)`, [
      JSON.stringify({
        ...{ id: newId(), organization_id: ids.organization, email: 'new@acme.example', name: 'New' },
        ...{ invited_by_id: ids.admin, created_at: moment, expires_at: later, state: 'WAITING', ...columns },
      }),
    ]);

  test.each<[string, Record<string, unknown>]>([
    ['waiting', {}],
    ['accepted', { state: 'ACCEPTED', ended_at: moment }],
    ['expired', { state: 'EXPIRED', ended_at: later }],
  ])('is accepted: %s', async (_, columns) => {
    expect(await insert(columns)).toBeUndefined();
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['with capitals in its address', { email: 'New@acme.example' }, 'email_lower_case'],
    ['without an address', { email: '' }, 'email_lower_case'],
    ['that expires as it is sent', { expires_at: moment }, 'order_of_time'],
    [
      'accepted after its time',
      { expires_at: moment, created_at: '2026-03-02T09:00:00.000Z', state: 'ACCEPTED', ended_at: later },
      'ended_in_time',
    ],
    ['waiting, and over', { ended_at: later }, 'final_states'],
    ['withdrawn, and never over', { state: 'WITHDRAWN' }, 'final_states'],
  ])('is refused: %s', async (_, columns, rule) => {
    expect(await insert(columns)).toBe(`invitations_${rule}`);
  });

  test('waits once for an address and an organization', async () => {
    expect(await insert()).toBeUndefined();
    expect(await insert({ state: 'WITHDRAWN', ended_at: moment })).toBeUndefined();
    expect(await insert()).toBe('invitations_wait_once');
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['another address', {}, `email = 'other@acme.example'`, 'subject_is_final'],
    ['more time', {}, `expires_at = expires_at + interval '1 day'`, 'subject_is_final'],
    ['a step after its end', { state: 'WITHDRAWN', ended_at: moment }, `state = 'ACCEPTED'`, 'end_is_final'],
  ])('does not get %s', async (_, columns, change, rule) => {
    await insert(columns);
    expect(await refusalOf(`UPDATE invitations SET ${change}`)).toBe(`invitations_${rule}`);
  });
});
