/** How each server is asked for a page of the log, and how its answers are read. */
import type { GeneratedLog } from './generate.ts';
import {
  type AskedPage,
  type FoundEntry,
  functionOf,
  needsFunction,
  pageSize,
  searchOf,
} from './searches.ts';

/** Sends a body, and resolves to the JSON of the answer. */
type Ask = (body: object) => Promise<unknown>;

export type Dialect = {
  readonly path: string;
  /**
   * The body for a page; for a deep one, the server may be asked where it begins.
   *
   * @param depth counts after how many entries that is by now: gateways leave entries of who has read
   */
  bodyOf(page: AskedPage, log: GeneratedLog, ask: Ask, depth: () => Promise<number>): Promise<object>;
  read(answer: unknown): FoundEntry[];
};

export const bare: Dialect = {
  path: '/',
  bodyOf: async ({ name, values, after }) => ({ name, values, after }),
  read: (answer) => answer as FoundEntry[],
};

type Named<Name extends string, Entries> = { data: Record<Name, Entries> };
type Latchkeys = {
  edges: { node: Omit<FoundEntry, 'actor'> & { actor: { name: string } } }[];
  pageInfo: { endCursor: string };
};

const auditLog = `query Audit($first: Int!, $after: String, $filter: AuditLogFilter) {
  auditLog(first: $first, after: $after, filter: $filter) {
    edges { node { id occurredAt action outcome actor { name } } }
    pageInfo { hasNextPage endCursor } } }`;

export const latchkey: Dialect = {
  path: '/graphql',
  async bodyOf({ name, after: place }, log, ask) {
    const filter = searchOf(name).filter(log);
    const bodyAfter = (first: number, after: string | null) => ({
      query: auditLog,
      variables: { first, after, filter },
    });
    if (place === null) return bodyAfter(pageSize, null);
    // A cursor names what was asked for, and the entry.
    const { data } = (await ask(bodyAfter(1, null))) as Named<'auditLog', Latchkeys>;
    const [asked = ''] = Buffer.from(data.auditLog.pageInfo.endCursor, 'base64url').toString().split(':');
    return bodyAfter(pageSize, Buffer.from(`${asked}:${place.id}`).toString('base64url'));
  },
  read(answer) {
    const { data } = answer as Named<'auditLog', Latchkeys>;
    return data.auditLog.edges.map(({ node: { id, occurredAt, action, outcome, actor } }) => ({
      ...{ id: Buffer.from(id, 'base64').toString().split(':')[1] ?? '', occurredAt },
      ...{ action, outcome, actor: actor.name },
    }));
  },
};

type PostGraphiles = {
  nodes: { rowId: string; occurredAt: string; action: string; outcome: string; actorName: string }[];
  pageInfo: { endCursor: string };
};

const found = 'nodes { rowId occurredAt action outcome actorName } pageInfo { hasNextPage endCursor }';
const byConditions = `query Audit($first: Int!, $offset: Int, $after: Cursor, $condition: AuditEntryCondition) {
  found: allAuditEntries(first: $first, offset: $offset, after: $after, condition: $condition, orderBy: [TXID_DESC, SEQ_DESC]) { ${found} } }`;
const byFunction = (
  name: string,
) => `query Audit($first: Int!, $offset: Int, $after: Cursor, $log: UUID!, $among: [String]!) {
  found: ${name}(first: $first, offset: $offset, after: $after, log: $log, among: $among) { ${found} } }`;

export const postgraphile: Dialect = {
  path: '/graphql',
  async bodyOf({ name, values, after: place }, { largest }, ask, depth) {
    const [only] = values;
    const { column } = searchOf(name);
    const condition = { organizationId: largest, ...(column === undefined ? {} : { [column]: only }) };
    const camel = functionOf(name).replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    const [query, asked] = needsFunction(name)
      ? [byFunction(camel), { log: largest, among: values }]
      : [byConditions, { condition }];
    const body = (first: number, where: object) => ({ query, variables: { ...asked, first, ...where } });
    if (place === null) return body(pageSize, {});
    const { data } = (await ask(body(1, { offset: (await depth()) - 1 }))) as Named<'found', PostGraphiles>;
    return body(pageSize, { after: data.found.pageInfo.endCursor });
  },
  read(answer) {
    const { data } = answer as Named<'found', PostGraphiles>;
    return data.found.nodes.map(({ rowId: id, occurredAt, action, outcome, actorName: actor }) => ({
      ...{ id, occurredAt: new Date(occurredAt).toISOString(), action, outcome, actor },
    }));
  },
};
