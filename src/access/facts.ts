/** Reads the facts of many evaluations, in one statement. */
import type { Connection } from './connection.ts';
import type {
  AskerFacts,
  ChangeFacts,
  EngineerFacts,
  Facts,
  SessionFacts,
  SiteFacts,
  TicketFacts,
} from './decide.ts';
import type { Asker } from './evaluation.ts';
import { distinct, type Uses, useOf, usesOf } from './locks.ts';
import type { Named, Question } from './question.ts';

/** What was read for the questions of a round. */
export type RoundFacts = {
  /** The time of the database when they were read. */
  readonly readAt: Date;
  /** The facts of a service account that may evaluate access; null: it may not. Only if its rights are locked. */
  readonly askerOf: (asker: Asker) => AskerFacts | null;
  /** The facts of a question that this account asks. Only if the locks of the question are held. */
  readonly of: (question: Question, asker: AskerFacts, held: Held) => Facts;
};

/** What was read with a lock. */
export type Held = { readonly uses: Uses; readonly changes: ReadonlyMap<string, ChangeFacts> };

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

/** The ids of the change requests that the questions name. */
export function changesOf(questions: readonly Question[]): string[] {
  return distinct(idsOf(questions.flatMap(({ changeRequest }) => changeRequest ?? [])));
}

/** Reads these change requests, and locks them, as far as the locks of their tickets are held. */
export async function lockChangesOf(
  connection: Connection,
  changeIds: readonly string[],
  uses: Uses,
): Promise<Map<string, ChangeFacts>> {
  const locked = [...uses.values()].flatMap((ticket) => (ticket.locked ? ticket.ticketId : []));
  const { rows } = await connection.run<ChangeFacts>(lockChanges, [changeIds, distinct(locked)]);
  return new Map(rows.map((change) => [change.id, change]));
}

/** The most sessions of one ticket that are judged: the newest ones. Each of its active grants has one at most. */
const maxSessions = 100;

const milliseconds = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint`;

/** The session `s` as JSON, which has no times. */
const session = `json_build_object(
  'id', s.id, 'ticketId', s.ticket_id, 'engineerId', s.engineer_id, 'country', s.country,
  'lastUsedAt', ${milliseconds('s.last_used_at')}, 'idleSeconds', s.idle_seconds,
  'expiresAt', ${milliseconds('s.expires_at')}, 'dueAt', ${milliseconds('s.due_at')}, 'ended', s.ended_at IS NOT NULL,
  'grant', (SELECT json_build_object(
                     'id', g.id, 'active', g.state = 'ACTIVE', 'engineerId', g.engineer_id,
                     'expiresAt', ${milliseconds('g.expires_at')}, 'scope', g.scope_kind,
                     'conversationIds', g.conversation_ids)
              FROM grants g WHERE g.id = s.grant_id))`;

/** What a row refers to is looked up one by one: a plan that joins would read whole tables once they have grown. */
const readRows = {
  name: 'access_facts',
  text: `
    SELECT clock_timestamp() AS "readAt",
      (SELECT json_agg(json_build_object(
                'id', a.id, 'email', a.email, 'name', a.name, 'active', a.active, 'kind', a.kind,
                'subject', a.subject, 'issuer', a.subject_issuer,
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
                              FROM products p WHERE p.id = t.product_id),
                'open', (SELECT json_agg(${session})
                           FROM (SELECT * FROM support_sessions o WHERE o.ticket_id = t.id AND o.ended_at IS NULL
                                  ORDER BY o.id DESC LIMIT ${maxSessions}) AS s)))
         FROM tickets t
        WHERE t.key = ANY ($5::text[])
           OR t.id = ANY (ARRAY(SELECT n.ticket_id FROM support_sessions n WHERE n.id = ANY ($6::uuid[])))) AS tickets,
      (SELECT json_agg(${session}) FROM support_sessions s WHERE s.id = ANY ($6::uuid[])) AS sessions`,
};

type AccountRow = Omit<EngineerFacts, 'id'> & {
  id: string;
  kind: string;
  subject: string | null;
  issuer: string | null;
  capabilities: string[] | null;
  products: string[] | null;
  organizationId: string | null;
};
type SiteRow = SiteFacts & { url: string };
type TicketRow = TicketFacts & { open: SessionRow[] | null };
/** Times in milliseconds. */
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
  tickets: TicketRow[] | null;
  sessions: SessionRow[] | null;
};

/**
 * Reads what the questions name, except for changes, and who asks. One statement, which must come after that of the locks:
 * what is read of something whose lock is held stays true until the transaction ends.
 */
export async function readFacts(
  connection: Connection,
  questions: readonly Question[],
  askerIds: readonly string[],
): Promise<RoundFacts> {
  const engineers = questions.map(({ engineer }) => engineer);
  const sites = questions.map(({ site }) => site);
  const values = [
    distinct([...askerIds, ...idsOf(engineers)]),
    distinct(valuesOf(engineers, 'email')),
    distinct(idsOf(sites)),
    distinct(valuesOf(sites, 'url')),
    ...usesOf(questions),
  ];
  const { rows } = await connection.run<Rows>(readRows, values);
  const [row] = rows;
  if (row === undefined) throw new Error('A SELECT without a table returned no row');
  return lookUp(row);
}

function lookUp(row: Rows): RoundFacts {
  const accounts = indexed(row.accounts ?? [], ({ id, email }) => [id, email]);
  const sites = indexed(row.sites ?? [], ({ id, url }) => [id, url]);
  const tickets = indexed(row.tickets ?? [], ({ id }) => [id]);
  const named = indexed(row.sessions ?? [], ({ id }) => [id]);

  function sessionsOf({ use }: Question, ticket: TicketRow): SessionFacts[] {
    const one = named.get(use.value);
    if (use.by === 'key') return (ticket.open ?? []).map(toSession);
    return one?.ticketId === ticket.id ? [toSession(one)] : [];
  }
  return {
    readAt: row.readAt,
    askerOf: (asker) => toAsker(accounts.get(asker.id), asker),
    of(question, asker, { uses, changes }) {
      const { engineer, site, changeRequest } = question;
      const ticket = tickets.get(uses.get(useOf(question))?.ticketId ?? '') ?? null;
      return {
        asker,
        engineer: toEngineer(find(accounts, engineer)),
        site: find(sites, site) ?? null,
        ticket,
        sessions: ticket === null ? [] : sessionsOf(question, ticket),
        change: (changeRequest === null ? undefined : find(changes, changeRequest)) ?? null,
      };
    },
  };
}

function find<Row>(rows: ReadonlyMap<string, Row>, { by, value }: Named<string>): Row | undefined {
  return by === 'nothing' ? undefined : rows.get(value);
}

/** The account may have been bound to another subject since it was found by that of the token. */
function toAsker(account: AccountRow | undefined, { subject, issuer }: Asker): AskerFacts | null {
  if (account?.kind !== 'SERVICE_ACCOUNT' || !account.active) return null;
  if (account.subject !== subject || (account.issuer ?? issuer) !== issuer) return null;
  const { id, email, name, capabilities, products, organizationId } = account;
  if (capabilities?.includes('ACCESS_EVALUATION') !== true) return null;
  return { id, email, name, products: products ?? [], organizationId };
}

function toEngineer(account: AccountRow | undefined): EngineerFacts | null {
  if (account?.kind !== 'SUPPORT_ENGINEER') return null;
  const { id, email, name, active } = account;
  return { id, email, name, active };
}

function toSession({ lastUsedAt, expiresAt, dueAt, grant, ...row }: SessionRow): SessionFacts {
  return {
    ...row,
    lastUsedAt: new Date(lastUsedAt),
    expiresAt: new Date(expiresAt),
    dueAt: new Date(dueAt),
    grant: { ...grant, expiresAt: grant.expiresAt === null ? null : new Date(grant.expiresAt) },
  };
}

function indexed<Row>(rows: readonly Row[], keysOf: (row: Row) => string[]): Map<string, Row> {
  const index = new Map<string, Row>();
  for (const row of rows) for (const key of keysOf(row)) index.set(key, row);
  return index;
}

function valuesOf<Key extends string>(named: readonly Named<Key>[], by: Key | 'id'): string[] {
  return named.flatMap((one) => (one.by === by ? one.value : []));
}

function idsOf(named: readonly Named<string>[]): string[] {
  return valuesOf(named, 'id');
}
