/** PostGraphile with row security: it makes its schema from the tables, and PostgreSQL decides who sees which row. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/node';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { serve } from '../../api/servers/server.ts';

/** What an administrator of a database adds for PostGraphile: policies, and a function for each search it cannot express. */
const prepare = `
  DO $$ BEGIN CREATE ROLE bench_viewer; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
  GRANT USAGE ON SCHEMA public TO bench_viewer;
  GRANT SELECT ON grants, tickets, accounts, sites, products, decisions, audit_entries, role_assignments TO bench_viewer;
  CREATE FUNCTION viewer_places() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT r.organization_id FROM role_assignments r JOIN accounts a ON a.id = r.account_id
     WHERE a.email = current_setting('bench.viewer') AND a.active AND r.role = 'ORGANIZATION_ADMIN' $$;
  CREATE FUNCTION viewer_is_operator() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT EXISTS (SELECT FROM accounts WHERE email = current_setting('bench.viewer') AND active AND kind = 'OPERATOR') $$;
  COMMENT ON TABLE tickets IS '@unique key';
  COMMENT ON FUNCTION viewer_places() IS '@behavior -*';
  COMMENT ON FUNCTION viewer_is_operator() IS '@behavior -*';
  ALTER TABLE sites ENABLE ROW LEVEL SECURITY;
  CREATE POLICY seen ON sites TO bench_viewer USING (organization_id IN (SELECT viewer_places()));
  ALTER TABLE grants ENABLE ROW LEVEL SECURITY;
  CREATE POLICY seen ON grants TO bench_viewer USING (site_id IN (SELECT id FROM sites));
  ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;
  CREATE POLICY seen ON tickets TO bench_viewer USING (site_id IN (SELECT id FROM sites));
  ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
  CREATE POLICY seen ON audit_entries TO bench_viewer
    USING (organization_id IN (SELECT viewer_places()) OR (SELECT viewer_is_operator()));
  CREATE FUNCTION audit_search(actor text, since timestamptz, until timestamptz) RETURNS SETOF audit_entries LANGUAGE sql STABLE AS $$
    SELECT * FROM audit_entries a WHERE (actor IS NULL OR a.actor_email = actor) AND a.occurred_at >= since AND a.occurred_at < until
     ORDER BY a.txid DESC, a.seq DESC $$;
  GRANT EXECUTE ON FUNCTION viewer_places(), viewer_is_operator(), audit_search(text, timestamptz, timestamptz) TO bench_viewer;
`;

serve(async ({ databaseUrl, jwks, tokens }) => {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query(`SELECT to_regproc('viewer_places') IS NULL AS missing`);
  if (rows[0]?.missing === true) await client.query(prepare);
  await client.end();

  const keys = createLocalJWKSet(jwks);
  const pgl = postgraphile({
    extends: [PostGraphileAmberPreset],
    // It hides the grants of a ticket, because it looks for an index on both columns of their foreign key.
    disablePlugins: ['PgIndexBehaviorsPlugin'],
    pgServices: [
      makePgService({ connectionString: databaseUrl, schemas: ['public'], poolConfig: { max: 20 } }),
    ],
    grafserv: { graphqlPath: '/graphql', graphiql: false },
    grafast: {
      explain: false,
      async context({ node }) {
        const authorization = node?.req.headers.authorization ?? '';
        const { payload } = await jwtVerify(authorization.slice('Bearer '.length), keys, tokens);
        return { pgSettings: { role: 'bench_viewer', 'bench.viewer': String(payload['email']) } };
      },
    },
  });
  const serving = pgl.createServ(grafserv);
  const server = createServer();
  await serving.addTo(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}` };
});
