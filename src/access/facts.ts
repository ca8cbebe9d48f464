/** Reads the facts of many evaluations, in one statement. */
import { type Connection, run } from './connection.ts';
import type {
  AskerFacts,
  ChangeFacts,
  EngineerFacts,
  Facts,
  SessionFacts,
  SiteFacts,
  TicketFacts,
} from './decide.ts';
import { distinct, type Uses, useOf } from './locks.ts';
import type { Named, Question } from './question.ts';

/** A question, and the service account that asks it. */
export type Asked = { readonly question: Question; readonly askerId: string };

/** The facts of every question of a round. */
export type RoundFacts = {
  /** The time of the database when they were read. */
  readonly readAt: Date;
  readonly of: (asked: Asked) => Facts;
};

/**
 * Changes are locked as well: each is allowed once, and the one that waits sees what became of it. Only those of tickets
 * whose locks are held, so that no other waits.
 */
const lockChanges = {
  name: 'access_changes',
  text: `
    SELECT id, ticket_id AS "ticketId", resource_type AS "resourceType", resource_id AS "resourceId",
           state::text AS state, valid_until AS "validUntil"
      FROM change_requests WHERE id = ANY ($1::uuid[]) AND ticket_id = ANY ($2::uuid[])
     ORDER BY id FOR UPDATE`,
};

/** Reads the change requests that the questions name, and locks them. No statement if they name none. */
export async function lockNamedChanges(
  connection: Connection,
  questions: readonly Question[],
  uses: Uses,
): Promise<Map<string, ChangeFacts>> {
  const ids = idsOf(questions.flatMap(({ changeRequest }) => changeRequest ?? []));
  if (ids.length === 0) return new Map();
  const { rows } = await run<ChangeFacts>(connection, lockChanges, [ids, ticketIdsOf(questions, uses)]);
  return new Map(rows.map((change) => [change.id, change]));
}

/** The most sessions of one ticket that are judged: the newest ones. Each of its active grants has one at most. */
const maxSessions = 100;

const milliseconds = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`;

/** What a row refers to is looked up one by one: a plan that joins would read whole tables once they have grown. */
const readRows = {
  name: 'access_facts',
  text: `
    SELECT clock_timestamp() AS "readAt",
      (SELECT json_agg(json_build_object(
                'id', a.id, 'email', a.email, 'name', a.name, 'active', a.active, 'kind', a.kind,
                'capabilities', a.capabilities, 'products', a.evaluated_products, 'organizationId', a.organization_id))
         FROM accounts a WHERE a.id = ANY ($1::uuid[]) OR a.email = ANY ($2::text[])) AS accounts,
      (SELECT json_agg(json_build_object(
                'id', s.id, 'url', s.url, 'organizationId', s.organization_id, 'active', s.status = 'ACTIVE',
                'dataResidencyRegion', s.data_residency_region, 'dataResidencyPinned', s.data_residency_pinned,
                'engineerCountries', coalesce(s.engineer_countries, '{}')))
         FROM sites s WHERE s.id = ANY ($3::uuid[]) OR s.url = ANY ($4::text[])) AS sites,
      (SELECT json_agg(json_build_object(
                'id', t.id, 'siteId', t.site_id, 'assigneeId', t.assignee_id, 'closed', t.status = 'CLOSED',
                'organizationId', (SELECT s.organization_id FROM sites s WHERE s.id = t.site_id),
                'product', (SELECT json_build_object('key', p.key, 'licensed', p.licensed)
                              FROM products p WHERE p.id = t.product_id)))
         FROM tickets t WHERE t.id = ANY ($5::uuid[])) AS tickets,
      (SELECT json_agg(json_build_object(
                'id', s.id, 'ticketId', s.ticket_id, 'engineerId', s.engineer_id, 'country', s.country,
                'lastUsedAt', ${milliseconds('s.last_used_at')}, 'idleSeconds', s.idle_seconds,
                'expiresAt', ${milliseconds('s.expires_at')}, 'dueAt', ${milliseconds('s.due_at')},
                'ended', s.ended_at IS NOT NULL,
                'grant', (SELECT json_build_object(
                                   'id', g.id, 'active', g.state = 'ACTIVE', 'engineerId', g.engineer_id,
                                   'expiresAt', ${milliseconds('g.expires_at')}, 'scope', g.scope_kind,
                                   'conversationIds', g.conversation_ids)
                            FROM grants g WHERE g.id = s.grant_id)))
         FROM (SELECT newest.* FROM unnest($6::uuid[]) AS named(ticket_id), LATERAL (
                 SELECT * FROM support_sessions o WHERE o.ticket_id = named.ticket_id AND o.ended_at IS NULL
                  ORDER BY o.id DESC LIMIT ${maxSessions}) AS newest
               UNION ALL
               SELECT * FROM support_sessions WHERE id = ANY ($7::uuid[])) AS s) AS sessions`,
};

type AccountRow = Omit<EngineerFacts, 'id'> & {
  id: string;
  kind: string;
  capabilities: string[] | null;
  products: string[] | null;
  organizationId: string | null;
};
type SiteRow = SiteFacts & { url: string };
/** Times in milliseconds: JSON has none. */
type SessionRow = Omit<SessionFacts, 'lastUsedAt' | 'expiresAt' | 'dueAt' | 'grant'> & {
  ticketId: string;
  lastUsedAt: number;
  expiresAt: number;
  dueAt: number;
  grant: Omit<SessionFacts['grant'], 'expiresAt'> & { expiresAt: number | null };
};
type Rows = {
  readAt: Date;
  accounts: AccountRow[] | null;
  sites: SiteRow[] | null;
  tickets: TicketFacts[] | null;
  sessions: SessionRow[] | null;
};

/**
 * Reads what the questions name, except for changes. Of tickets and sessions only those whose locks are held: what is
 * read of them stays true until the transaction ends. One statement.
 */
export async function readFacts(
  connection: Connection,
  asked: readonly Asked[],
  uses: Uses,
  changes: ReadonlyMap<string, ChangeFacts>,
): Promise<RoundFacts> {
  const questions = asked.map(({ question }) => question);
  const engineers = questions.map(({ engineer }) => engineer);
  const sites = questions.map(({ site }) => site);
  const byKey = questions.filter(({ use }) => use.by === 'key');
  const values = [
    distinct([...asked.map(({ askerId }) => askerId), ...idsOf(engineers)]),
    distinct(valuesOf(engineers, 'email')),
    distinct(idsOf(sites)),
    distinct(valuesOf(sites, 'url')),
    ticketIdsOf(questions, uses),
    ticketIdsOf(byKey, uses),
    distinct(idsOf(questions.map(({ use }) => use))),
  ];
  const { rows } = await run<Rows>(connection, readRows, values);
  const [row] = rows;
  if (row === undefined) throw new Error('A SELECT without a table returned no row');
  return { readAt: row.readAt, of: lookUp(row, uses, changes) };
}

function lookUp(row: Rows, uses: Uses, changes: ReadonlyMap<string, ChangeFacts>): RoundFacts['of'] {
  const accounts = indexed(row.accounts ?? [], ({ id, email }) => [id, email]);
  const sites = indexed(row.sites ?? [], ({ id, url }) => [id, url]);
  const tickets = indexed(row.tickets ?? [], ({ id }) => [id]);
  // A session that was named by its id and found on its ticket is there twice.
  const sessions = new Map((row.sessions ?? []).map((session) => [session.id, session]));
  const byTicket = Map.groupBy(sessions.values(), ({ ticketId }) => ticketId);
  return ({ question, askerId }) => {
    const { engineer, site, use, changeRequest } = question;
    const ticketId = uses.get(useOf(question))?.ticketId ?? '';
    const onTicket = byTicket.get(ticketId) ?? [];
    return {
      asker: toAsker(accounts.get(askerId)),
      engineer: toEngineer(find(accounts, engineer)),
      site: find(sites, site) ?? null,
      ticket: tickets.get(ticketId) ?? null,
      sessions: onTicket
        .filter(({ id, ended }) => (use.by === 'key' ? !ended : id === use.value))
        .map(toSession),
      change: (changeRequest === null ? undefined : find(changes, changeRequest)) ?? null,
    };
  };
}

function find<Row>(rows: ReadonlyMap<string, Row>, { by, value }: Named<string>): Row | undefined {
  return by === 'nothing' ? undefined : rows.get(value);
}

function toAsker(account: AccountRow | undefined): AskerFacts | null {
  if (account === undefined) return null;
  const { active, capabilities, products, organizationId } = account;
  const mayEvaluate = active && (capabilities ?? []).includes('ACCESS_EVALUATION');
  return { mayEvaluate, products: products ?? [], organizationId };
}

function toEngineer(account: AccountRow | undefined): EngineerFacts | null {
  if (account?.kind !== 'SUPPORT_ENGINEER') return null;
  const { id, email, name, active } = account;
  return { id, email, name, active };
}

function toSession({
  ticketId: _,
  lastUsedAt,
  expiresAt,
  dueAt,
  grant,
  ...session
}: SessionRow): SessionFacts {
  return {
    ...session,
    lastUsedAt: new Date(lastUsedAt),
    expiresAt: new Date(expiresAt),
    dueAt: new Date(dueAt),
    grant: { ...grant, expiresAt: grant.expiresAt === null ? null : new Date(grant.expiresAt) },
  };
}

function indexed<Row>(rows: readonly Row[], keysOf: (row: Row) => string[]): Map<string, Row> {
  return new Map(rows.flatMap((row) => keysOf(row).map((key) => [key, row])));
}

function valuesOf<Key extends string>(named: readonly Named<Key>[], by: Key | 'id'): string[] {
  return named.filter((one) => one.by === by).map(({ value }) => value);
}

function idsOf(named: readonly Named<string>[]): string[] {
  return valuesOf(named, 'id');
}

/** The tickets of these questions whose locks are held. */
function ticketIdsOf(questions: readonly Question[], uses: Uses): string[] {
  const tickets = questions.flatMap((question) => uses.get(useOf(question)) ?? []);
  return distinct(tickets.filter(({ locked }) => locked).map(({ ticketId }) => ticketId));
}
