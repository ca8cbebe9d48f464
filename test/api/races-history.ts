/** Checks that rows, audit log and events of every grant are one legal history. */
import { expect } from 'vitest';
import type { Json, Person, TestGateway } from '../support/gateway.ts';

/** The outcome of one of many concurrent mutations. */
export type Outcome = { done: Json } | { refused: string } | { unavailable: string };

/** Like `attempt`, for a mutation whose whole operation may fail. */
export async function tryTo(person: Person, name: string, input: Record<string, unknown>): Promise<Outcome> {
  const capitalized = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const { data, errors } = await person.send(
    `mutation Try($input: ${capitalized}Input!) { result: ${name}(input: $input) {
       __typename ... on Node { id } ... on Error { code } } }`,
    { input },
  );
  if (errors.length > 0) return { unavailable: String(errors[0]?.extensions['code']) };
  const { result } = data;
  return 'code' in result ? { refused: result.code } : { done: result };
}

/** For each state, the earlier states and the events that lead to it. */
const legal: Record<string, readonly [from: string, event: string][]> = {
  PENDING_APPROVAL: [
    ['', 'REQUESTED'],
    ['PENDING_APPROVAL', 'WAIT_SHORTENED'],
    ['PENDING_GUARD_APPROVAL', 'APPROVAL_LAPSED'],
  ],
  PENDING_GUARD_APPROVAL: [
    ['PENDING_APPROVAL', 'AWAITING_GUARD'],
    ['PENDING_GUARD_APPROVAL', 'WAIT_SHORTENED'],
  ],
  ACTIVE: [
    ['PENDING_APPROVAL', 'ACTIVATED'],
    ['PENDING_GUARD_APPROVAL', 'ACTIVATED'],
  ],
  DENIED: [
    ['PENDING_APPROVAL', 'DENIED'],
    ['PENDING_GUARD_APPROVAL', 'DENIED'],
  ],
  WITHDRAWN: [
    ['PENDING_APPROVAL', 'WITHDRAWN'],
    ['PENDING_GUARD_APPROVAL', 'WITHDRAWN'],
  ],
  EXPIRED: [
    ['PENDING_APPROVAL', 'EXPIRED'],
    ['PENDING_GUARD_APPROVAL', 'EXPIRED'],
  ],
  REVOKED: [['ACTIVE', 'REVOKED']],
  ENDED: [['ACTIVE', 'ENDED']],
};

/** The decision that each event must have recorded. */
const decisionsOf: Record<string, (from: string) => string | null> = {
  AWAITING_GUARD: () => 'CUSTOMER APPROVED',
  ACTIVATED: (from) => (from === 'PENDING_GUARD_APPROVAL' ? 'GUARD APPROVED' : 'CUSTOMER APPROVED'),
};

/**
 * Checks every grant of the database: its versions have no gap in the order of the stream, every step is legal
 * and has one audit entry, and the last step leads to the grant's present state.
 *
 * @returns the number of steps
 */
export async function expectLegalHistories({ sql }: Pick<TestGateway, 'sql'>): Promise<number> {
  const { rows: grants } = await sql.query(`
    SELECT g.id, g.state, g.version, coalesce(told.events, '[]') AS events, coalesce(known.recorded, '[]') AS recorded,
           coalesce(decided.decisions, '[]') AS decisions
      FROM grants g
      LEFT JOIN (SELECT e.payload->>'grantId' AS grant_id,
                        json_agg(json_build_object('type', e.type, 'version', e.payload->'grantVersion',
                          'state', e.payload->'grant'->'state') ORDER BY e.txid, e.seq) AS events
                   FROM events e GROUP BY 1) AS told ON told.grant_id = g.id::text
      LEFT JOIN (SELECT a.grant_id, json_agg((a.details->>'version')::int ORDER BY a.txid, a.seq) AS recorded
                   FROM audit_entries a WHERE a.outcome = 'SUCCEEDED' AND a.details ? 'version' GROUP BY 1) AS known ON known.grant_id = g.id
      LEFT JOIN (SELECT d.grant_id, json_agg(d.stage || ' ' || d.outcome ORDER BY d.decided_at, d.id) AS decisions
                   FROM decisions d GROUP BY 1) AS decided ON decided.grant_id = g.id`);
  let steps = 0;
  for (const { id, state, version, events, recorded, decisions } of grants) {
    const oneToLast = Array.from({ length: version }, (_, index) => index + 1);
    expect({ id, versions: events.map((event: Json) => event.version), recorded }).toEqual({
      ...{ id, versions: oneToLast, recorded: oneToLast },
    });
    const approvals: string[] = [];
    let stands = '';
    for (const { type, state: next } of events) {
      const step = `${stands} -${type}-> ${next}`;
      if (type === 'REASSIGNED') expect(step).toBe(`${stands} -REASSIGNED-> ${stands}`);
      else {
        const allowed = legal[next] ?? [];
        expect(allowed.map(([from, event]) => `${from} -${event}-> ${next}`)).toContain(step);
      }
      const decision = decisionsOf[type]?.(stands) ?? null;
      if (decision !== null) approvals.push(decision);
      stands = next;
      steps += 1;
    }
    expect({ id, state }).toEqual({ id, state: stands });
    expect(decisions.filter((decision: string) => decision.endsWith('APPROVED'))).toEqual(approvals);
    expect(decisions.filter((decision: string) => decision.endsWith('DENIED'))).toHaveLength(
      state === 'DENIED' ? 1 : 0,
    );
  }
  await expectAtMostOneOpen(sql);
  return steps;
}

/** Checks that no ticket ever had two open requests of one scope, or two active grants of product data. */
async function expectAtMostOneOpen(sql: TestGateway['sql']): Promise<void> {
  const { rows } = await sql.query(`
    SELECT e.payload->'grant' AS grant FROM events e WHERE e.payload->>'kind' = 'grant' ORDER BY e.txid, e.seq`);
  const open = new Map<string, string>();
  for (const { grant } of rows) {
    const pending = ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL'].includes(grant.state);
    const slots = [
      [`${grant.ticketId} ${grant.scopeKind} pending`, pending],
      [`${grant.ticketId} active`, grant.state === 'ACTIVE' && grant.scopeKind === 'PRODUCT_DATA'],
    ] as const;
    for (const [slot, taken] of slots) {
      const holder = open.get(slot);
      if (taken) expect({ slot, holder: holder ?? grant.id }).toEqual({ slot, holder: grant.id });
      if (taken) open.set(slot, grant.id);
      else if (holder === grant.id) open.delete(slot);
    }
  }
}
