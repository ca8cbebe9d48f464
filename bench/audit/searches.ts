/** What the log of an organization is searched for: by each documented filter, in the words of Latchkey's API and in SQL. */
import { auditActions } from '../../src/audit/actions.ts';
import type { GeneratedLog } from './generate.ts';

export type Search = {
  /** The condition, of entries `a` and of `$values`, which are texts. */
  readonly where: string;
  readonly values: (log: GeneratedLog) => readonly string[];
  /** `AuditLogFilter`. */
  readonly filter: (log: GeneratedLog) => Readonly<Record<string, unknown>>;
  /** The column that has the one value, as PostGraphile calls it: it needs no function for this search. */
  readonly column?: string;
};

const globalId = (type: string, id: string) => Buffer.from(`${type}:${id}`).toString('base64');

/** By one value of a column. */
const one = (
  name: string,
  column: string,
  value: (log: GeneratedLog) => string,
  given: { type?: string; as?: (value: string) => string } = {},
): Search => ({
  where: `a.${column} = ($values)[1]::${given.type ?? 'text'}`,
  values: (log) => [value(log)],
  filter: (log) => ({ [name]: given.as?.(value(log)) ?? value(log) }),
  column: column.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
});

/** By some values of an expression. */
const some = (
  name: string,
  expression: string,
  values: (log: GeneratedLog) => readonly string[],
  given: { type?: string; as?: (value: string) => string } = {},
): Search => ({
  where: `${expression} = ANY (($values)::${given.type ?? 'text'}[])`,
  values,
  filter: (log) => ({ [name]: values(log).map((value) => given.as?.(value) ?? value) }),
});

const byId = (name: string, type: string, column: string, value: (log: GeneratedLog) => string) =>
  one(name, column, value, { type: 'uuid', as: (id) => globalId(type, id) });
/** And one that is nowhere. */
const byIds = (name: string, type: string, column: string, value: (log: GeneratedLog) => string) =>
  some(name, `a.${column}`, (log) => [value(log), nowhere], {
    type: 'uuid',
    as: (id) => globalId(type, id),
  });
const nowhere = '00000000-0000-7000-8000-000000000000';
const enumValue = (action: string) => action.replace('.', '_').toUpperCase();

/** The moment after this share of the log. */
const at = ({ begin, end }: GeneratedLog, share: number) =>
  new Date(begin.getTime() + share * (end.getTime() - begin.getTime())).toISOString();
/** A bound of the order, as Latchkey derives it from a date, from the index on time. */
const bound = (side: '>=' | '<', moment: string, from: string, order: string) =>
  `a.txid ${side === '<' ? '<=' : '>='} (SELECT txid FROM audit_entries WHERE occurred_at ${side} (${moment})::timestamptz ${from} ORDER BY occurred_at ${order} LIMIT 1)`;
const since = `${bound('>=', '($values)[1]', `- interval '30 s'`, 'ASC')} AND a.occurred_at >= ($values)[1]::timestamptz`;
const before = (moment: string) =>
  `${bound('<', moment, `+ interval '30 s'`, 'DESC')} AND a.occurred_at < (${moment})::timestamptz`;

export const searches = {
  nothing: { where: '$values IS NOT NULL', values: () => [], filter: () => ({}) },
  organizationId: byId('organizationId', 'Organization', 'organization_id', ({ largest }) => largest),
  siteId: byId('siteId', 'Site', 'site_id', ({ entry }) => entry.siteId),
  siteIds: byIds('siteIds', 'Site', 'site_id', ({ entry }) => entry.siteId),
  supportSessionId: byId('supportSessionId', 'SupportSession', 'session_id', ({ entry }) => entry.sessionId),
  supportSessionIds: byIds(
    'supportSessionIds',
    'SupportSession',
    'session_id',
    ({ entry }) => entry.sessionId,
  ),
  grantId: byId('grantId', 'Grant', 'grant_id', ({ entry }) => entry.grantId),
  grantIds: byIds('grantIds', 'Grant', 'grant_id', ({ entry }) => entry.grantId),
  ticketId: byId('ticketId', 'Ticket', 'ticket_id', ({ entry }) => entry.ticketId),
  ticketIds: byIds('ticketIds', 'Ticket', 'ticket_id', ({ entry }) => entry.ticketId),
  ticketKeys: {
    where: 'a.ticket_id = ANY (ARRAY(SELECT t.id FROM tickets t WHERE t.key = ANY ($values)))',
    values: () => [searchedTicket],
    filter: () => ({ ticketKeys: [searchedTicket] }),
  },
  resourceIds: some('resourceIds', 'a.resource_id', ({ entry }) => [entry.resourceId, 'NOTHING-1']),
  resourceTypes: some('resourceTypes', 'a.resource_type', () => ['page', 'attachment']),
  actorEmail: one('actorEmail', 'actor_email', ({ entry }) => entry.engineer.email),
  actorEmails: some('actorEmails', 'a.actor_email', ({ entry }) => [entry.engineer.email, entry.admin.email]),
  actorEmailPrefixes: {
    where: 'EXISTS (SELECT FROM unnest($values) AS begin WHERE starts_with(a.actor_email, begin))',
    values: () => ['engineer-25'],
    filter: () => ({ actorEmailPrefixes: ['engineer-25'] }),
  },
  actorKind: one('actorKind', 'actor_kind', () => 'SYSTEM'),
  actorKinds: some('actorKinds', 'a.actor_kind', () => ['SYSTEM', 'OPERATOR']),
  action: one('action', 'action', () => 'grant.approve', { as: enumValue }),
  actions: some('actions', 'a.action', () => ['grant.approve', 'ticket.close'], { as: enumValue }),
  actionsOn: {
    ...some('actionsOn', 'a.action', () => auditActions.filter((action) => action.startsWith('grant.'))),
    filter: () => ({ actionsOn: ['GRANT'] }),
  },
  outcome: one('outcome', 'outcome', () => 'REFUSED', { type: 'audit_outcome' }),
  refusalCodes: {
    where: `a.outcome = 'REFUSED' AND a.refusal_code = ANY ($values)`,
    values: () => ['GRANT_NOT_ACTIVE'],
    filter: () => ({ refusalCodes: ['GRANT_NOT_ACTIVE'] }),
  },
  productKeys: some('productKeys', 'a.product_key', () => ['confluence']),
  engineerCountries: some('engineerCountries', `a.details->>'country'`, () => ['DE']),
  clientAddresses: {
    where: `a.client_address = ANY ($values::inet[]) AND a.actor_kind = 'USER'`,
    values: ({ entry }) => [entry.clientAddress],
    filter: ({ entry }) => ({ clientAddresses: [entry.clientAddress] }),
  },
  text: {
    where: `strpos(lower(a.actor_name || ' ' || COALESCE(a.actor_email, '') || ' ' || a.details::text), ($values)[1]) > 0`,
    values: () => ['board'],
    filter: () => ({ text: 'board' }),
  },
  from: { where: since, values: (log) => [at(log, 0.1)], filter: (log) => ({ from: at(log, 0.1) }) },
  until: {
    where: before('($values)[1]'),
    values: (log) => [at(log, 0.6)],
    filter: (log) => ({ until: at(log, 0.6) }),
  },
  'from and until': {
    where: `${since} AND ${before('($values)[2]')}`,
    values: (log) => [at(log, 0.2), at(log, 0.3)],
    filter: (log) => ({ from: at(log, 0.2), until: at(log, 0.3) }),
  },
} satisfies Record<string, Search>;

export type SearchName = keyof typeof searches;
export const searchNames = Object.keys(searches) as SearchName[];

/** The key that one ticket gets: those of a generated log are named by its entries alone. */
export const searchedTicket = 'SEARCHED-1';

export const searchOf = (name: SearchName): Search => searches[name];

/** The condition with its values in this parameter of a statement. */
export const whereOf = (name: SearchName, parameter: string): string =>
  searches[name].where.replaceAll('$values', `${parameter}::text[]`);

/** Whether PostGraphile cannot express it by its own conditions. */
export const needsFunction = (name: SearchName): boolean =>
  name !== 'nothing' && searchOf(name).column === undefined;

/** The name of a function that searches so, in SQL. */
export const functionOf = (name: SearchName): string =>
  `audit_by_${name.replaceAll(' ', '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;

export const pageSize = 50;

/** An entry's place in the log, and its id. */
export type Place = { readonly id: string; readonly txid: string; readonly seq: string };

/** What a server is asked: a page of a search, the first one or the one after a place. */
export type AskedPage = {
  readonly name: SearchName;
  readonly values: readonly string[];
  readonly after: Place | null;
};

export type FoundEntry = {
  readonly id: string;
  readonly occurredAt: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor: string;
};

/** In an organization's log that is given by an expression of SQL. Parameters: the values, and the place. */
export function pageSql({ name, after }: Pick<AskedPage, 'name' | 'after'>, organization: string): string {
  const beyond = after === null ? '' : 'AND (a.txid, a.seq) < ($3::bigint, $4::bigint)';
  return `
    SELECT a.id, a.occurred_at, a.action, a.outcome, a.actor_name FROM audit_entries a
     WHERE a.organization_id = ${organization} AND ${whereOf(name, '$2')} ${beyond}
     ORDER BY a.txid DESC, a.seq DESC LIMIT ${pageSize}`;
}

/** Of the statement above, the first of them whose log it is. */
export function pageValues(whose: string, { values, after }: AskedPage): unknown[] {
  return [whose, values, ...(after === null ? [] : [after.txid, after.seq])];
}

/** An action in one way of writing it: enums of GraphQL have another one than the log. */
export const normalAction = (action: string): string => action.toLowerCase().replaceAll('.', '_');

type Row = { id: string; occurred_at: Date; action: string; outcome: string; actor_name: string };

export const foundIn = (rows: readonly Row[]): FoundEntry[] =>
  rows.map(({ id, occurred_at, action, outcome, actor_name }) => ({
    ...{ id, occurredAt: occurred_at.toISOString(), action, outcome, actor: actor_name },
  }));

/** A month of an organization, counted by day and action. */
export type AskedSummary = {
  readonly organizationId: string;
  readonly from: string;
  readonly until: string;
};
export type Count = { readonly day: string; readonly action: string; readonly entries: number };

export const mostGroups = 1_000;

/** Parameters: whose log it is, and the dates. */
export const summarySql = (organization: string): string => `
  SELECT to_char(a.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, a.action, count(*)::int AS entries
    FROM audit_entries a
   WHERE a.organization_id = ${organization}
     AND ${bound('>=', '$2', `- interval '30 s'`, 'ASC')} AND ${bound('<', '$3', `+ interval '30 s'`, 'DESC')}
     AND a.occurred_at >= $2::timestamptz AND a.occurred_at < $3::timestamptz
   GROUP BY day, a.action ORDER BY entries DESC, day, a.action LIMIT ${mostGroups}`;
