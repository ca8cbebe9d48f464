/** Hand-written SQL for a decision of an admin: who they are and what they may decide, and every row that it writes. */

export type Deciding = { email: string; grantId: string; action: 'APPROVE' | 'REVOKE' };

type Statement = { name: string; text: string; values: unknown[] };

/** The grant, locked, if the viewer administers its organization and it waits for this. Parameters: email, grant. */
const decided = (state: string) => `
  SELECT g.id, g.ticket_id, g.site_id, g.engineer_id, g.version, g.organization_id, v.id AS viewer_id, v.name, v.email
    FROM grants g JOIN tickets t ON t.id = g.ticket_id
    JOIN role_assignments r ON r.organization_id = g.organization_id AND r.role = 'ORGANIZATION_ADMIN' AND r.sync_state = 'SYNCED'
    JOIN accounts v ON v.id = r.account_id
   WHERE g.id = $2::uuid AND g.state = '${state}' AND t.status <> 'CLOSED' AND v.email = $1::text AND v.active
     FOR UPDATE OF g`;

const changes = {
  APPROVE: {
    from: 'PENDING_APPROVAL',
    set: `state = 'ACTIVE', path = 'SUPPORT_PORTAL', customer_approved_at = now(), customer_approved_by_id = d.viewer_id,
          activated_at = now(), version = g.version + 1`,
    decides: true,
  },
  REVOKE: {
    from: 'ACTIVE',
    set: `state = 'REVOKED', ended_at = now(), end_reason = 'REVOKED_BY_CUSTOMER', ended_by_id = d.viewer_id, version = g.version + 1`,
    decides: false,
  },
} as const;

/** The writes, each of what `d` is: the row of the grant that was read. */
function writesOf(action: Deciding['action']): string[] {
  const { set, decides } = changes[action];
  const verb = action.toLowerCase();
  return [
    `UPDATE grants g SET ${set} FROM d WHERE g.id = d.id`,
    ...(decides
      ? [
          `INSERT INTO decisions (id, organization_id, grant_id, stage, outcome, decided_by_id, decided_at)
             SELECT uuidv7(), d.organization_id, d.id, 'CUSTOMER', 'APPROVED', d.viewer_id, now() FROM d`,
        ]
      : []),
    `INSERT INTO audit_entries (id, occurred_at, action, outcome, actor_id, actor_kind, actor_email, actor_name, resource_type, resource_id,
                                organization_id, site_id, ticket_id, grant_id, details, client_address)
       SELECT uuidv7(), now(), 'grant.${verb}', 'SUCCEEDED', d.viewer_id, 'USER', d.email, d.name, 'grant', d.id::text,
              d.organization_id, d.site_id, d.ticket_id, d.id, '{}', '127.0.0.1' FROM d`,
    `INSERT INTO events (id, organization_id, type, occurred_at, payload)
       SELECT uuidv7(), d.organization_id, '${verb.toUpperCase()}D', now(), jsonb_build_object('kind', 'grant', 'grantId', d.id,
              'audience', jsonb_build_object('organizationId', d.organization_id, 'engineerIds', jsonb_build_array(d.engineer_id))) FROM d`,
  ];
}

/** One for each table: the read first. */
export function statementsOf({ email, grantId, action }: Deciding): [Statement, ...Statement[]] {
  const { from } = changes[action];
  const row = `WITH d AS (
    SELECT g.*, v.id AS viewer_id, v.name, v.email
      FROM grants g JOIN accounts v ON v.email = $1::text WHERE g.id = $2::uuid)`;
  const values = [email, grantId];
  return [
    { name: `${action} read`, text: decided(from), values },
    ...writesOf(action).map((write, at) => ({ name: `${action} ${at}`, text: `${row} ${write}`, values })),
  ];
}

/** All of it. It returns a row if the decision was made. */
export function inOneStatement({ email, grantId, action }: Deciding): Statement {
  const writes = writesOf(action).map((write, at) => `w${at} AS (${write})`);
  return {
    name: action,
    text: `WITH d AS (${decided(changes[action].from)}), ${writes.join(', ')} SELECT d.id FROM d`,
    values: [email, grantId],
  };
}
