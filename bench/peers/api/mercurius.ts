/** Mercurius on Fastify, compiled just in time, with loaders, as its documentation recommends. Its schema is a part of Latchkey's. */
import fastify from 'fastify';
import { createLocalJWKSet, jwtVerify } from 'jose';
import mercurius, { type MercuriusContext } from 'mercurius';
import pg from 'pg';
import { serve } from '../../api/servers/server.ts';

declare module 'mercurius' {
  interface MercuriusContext {
    viewer: { id: string; kind: string };
  }
}

const schema = `
  scalar DateTime
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type Account { id: ID! name: String! }
  type Site { id: ID! name: String! }
  type Product { id: ID! name: String! }
  type Ticket { id: ID! key: String! summary: String! status: String! reporter: Account! assignee: Account site: Site! product: Product!
    grants(first: Int!): GrantConnection! }
  type Decision { stage: String! outcome: String! decidedAt: DateTime! decidedBy: Account! }
  type Grant { id: ID! state: String! requestedAt: DateTime! approvalDueAt: DateTime! endedAt: DateTime engineer: Account ticket: Ticket!
    decisions: [Decision!]! }
  type GrantEdge { cursor: String! node: Grant! }
  type GrantConnection { edges: [GrantEdge!]! pageInfo: PageInfo! }
  enum GrantState { PENDING_APPROVAL PENDING_GUARD_APPROVAL ACTIVE DENIED WITHDRAWN EXPIRED REVOKED ENDED }
  input GrantFilter { siteId: ID states: [GrantState!] }
  type AuditActor { name: String! }
  type AuditEntry { id: ID! occurredAt: DateTime! action: String! outcome: String! actor: AuditActor! }
  type AuditEntryEdge { cursor: String! node: AuditEntry! }
  type AuditEntryConnection { edges: [AuditEntryEdge!]! pageInfo: PageInfo! }
  input AuditLogFilter { actorEmail: String from: DateTime until: DateTime }
  type Query {
    grants(first: Int!, filter: GrantFilter): GrantConnection!
    ticket(key: String!): Ticket
    auditLog(first: Int!, after: String, filter: AuditLogFilter): AuditEntryConnection!
  }
`;

type Row = Record<string, string> & { id: string };
type Loading<Params = unknown> = { obj: Row; params: Params }[];
const places = `(SELECT organization_id FROM role_assignments WHERE account_id = $1 AND role = 'ORGANIZATION_ADMIN')`;

serve(async ({ databaseUrl, jwks, tokens }) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
  const keys = createLocalJWKSet(jwks);
  const rowsOf = async (name: string, text: string, values: unknown[]): Promise<Row[]> =>
    (await pool.query<Row>({ name, text, values })).rows;

  async function viewerOf(authorization = ''): Promise<Row> {
    const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, tokens);
    const [viewer] = await rowsOf('viewer', 'SELECT id, kind FROM accounts WHERE email = $1 AND active', [
      payload['email'],
    ]);
    if (viewer === undefined) throw new Error('UNAUTHENTICATED');
    return viewer;
  }

  /** The rows of a table with these ids, in their order. */
  const byId =
    (table: string, columns: string, key: string) =>
    async (queries: Loading): Promise<(Row | null)[]> => {
      const ids = queries.map(({ obj }) => obj[key]);
      const rows = await rowsOf(
        `${table} by id`,
        `SELECT ${columns} FROM ${table} WHERE id = ANY ($1::uuid[])`,
        [[...new Set(ids)]],
      );
      const known = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => known.get(id ?? '') ?? null);
    };
  const account = (key: string) => byId('accounts', 'id, name', key);

  const app = fastify();
  await app.register(mercurius, {
    schema,
    jit: 1,
    context: async ({ headers }) => ({ viewer: await viewerOf(headers.authorization) }),
    resolvers: {
      Query: {
        async grants(_root: unknown, { first, filter }, { viewer }: MercuriusContext) {
          const rows = await rowsOf(
            'grants',
            `SELECT g.* FROM grants g JOIN sites s ON s.id = g.site_id
              WHERE g.site_id = $2 AND g.state = ANY ($3::grant_state[]) AND s.organization_id IN ${places} ORDER BY g.id DESC LIMIT $4`,
            [viewer.id, rawId(filter.siteId), filter.states, first + 1],
          );
          return connectionOf(rows, first);
        },
        async ticket(_root: unknown, { key }, { viewer }: MercuriusContext) {
          const [row] = await rowsOf(
            'ticket',
            `SELECT t.* FROM tickets t JOIN sites s ON s.id = t.site_id WHERE t.key = $2 AND s.organization_id IN ${places}`,
            [viewer.id, key],
          );
          return row ?? null;
        },
        async auditLog(_root: unknown, { first, after, filter }, { viewer }: MercuriusContext) {
          const [txid, seq] =
            after == null ? [null, null] : Buffer.from(after, 'base64').toString().split(':');
          const { actorEmail = null, from = null, until = null } = filter ?? {};
          const conditions = [
            ...(viewer.kind === 'OPERATOR' ? [] : [`organization_id IN ${places}`]),
            ...(actorEmail === null ? [] : ['actor_email = $2']),
            ...(from === null ? [] : ['occurred_at >= $3']),
            ...(until === null ? [] : ['occurred_at < $4']),
            ...(after == null ? [] : ['(txid, seq) < ($5, $6)']),
          ];
          const values = [viewer.id, actorEmail, from, until, txid, seq, first + 1];
          // Each parameter needs a type, also where it is not used.
          const types = `$1::uuid IS NOT NULL AND ($2::text, $3::timestamptz, $4::timestamptz, $5::bigint, $6::bigint) IS DISTINCT FROM NULL`;
          const rows = await rowsOf(
            `audit ${conditions.length} ${conditions.join(' ').length}`,
            `SELECT id, txid, seq, occurred_at, action, outcome, actor_name FROM audit_entries
              WHERE ${[types, ...conditions].join(' AND ')} ORDER BY txid DESC, seq DESC LIMIT $7`,
            values,
          );
          return connectionOf(rows, first, ({ txid, seq }) => `${txid}:${seq}`);
        },
      },
      Grant: {
        requestedAt: timeIn('requested_at'),
        approvalDueAt: timeIn('approval_due_at'),
        endedAt: timeIn('ended_at'),
      },
      Decision: { decidedAt: timeIn('decided_at') },
      AuditEntry: {
        occurredAt: timeIn('occurred_at'),
        action: ({ action }: Row) => action?.toUpperCase().replaceAll('.', '_'),
        actor: ({ actor_name: name }: Row) => ({ name }),
      },
    },
    loaders: {
      Grant: {
        engineer: account('engineer_id'),
        ticket: byId('tickets', '*', 'ticket_id'),
        async decisions(queries: Loading) {
          const rows = await rowsOf(
            'decisions',
            'SELECT * FROM decisions WHERE grant_id = ANY ($1::uuid[]) ORDER BY decided_at, id',
            [queries.map(({ obj }) => obj.id)],
          );
          const of = Map.groupBy(rows, ({ grant_id }) => grant_id);
          return queries.map(({ obj }) => of.get(obj.id) ?? []);
        },
      },
      Decision: { decidedBy: account('decided_by_id') },
      Ticket: {
        reporter: account('reporter_id'),
        assignee: account('assignee_id'),
        site: byId('sites', 'id, name', 'site_id'),
        product: byId('products', 'id, name', 'product_id'),
        async grants(queries: Loading<{ first: number }>) {
          const first = queries[0]?.params.first ?? 0;
          const rows = await rowsOf(
            'grants of tickets',
            `SELECT g.* FROM unnest($1::uuid[]) AS one(id),
                    LATERAL (SELECT * FROM grants WHERE ticket_id = one.id ORDER BY id DESC LIMIT $2) AS g`,
            [queries.map(({ obj }) => obj.id), first + 1],
          );
          const of = Map.groupBy(rows, ({ ticket_id }) => ticket_id);
          return queries.map(({ obj }) => connectionOf(of.get(obj.id) ?? [], first));
        },
      },
    },
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url };
});

function timeIn(column: string) {
  return (row: Record<string, unknown>) => {
    const value = row[column];
    return value instanceof Date ? value.toISOString() : null;
  };
}

const rawId = (globalId: string) => Buffer.from(globalId, 'base64').toString().split(':')[1];

function connectionOf(rows: Row[], first: number, place: (row: Row) => string = ({ id }) => id) {
  const edges = rows
    .slice(0, first)
    .map((node) => ({ cursor: Buffer.from(place(node)).toString('base64'), node }));
  return {
    edges,
    pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor ?? null },
  };
}
