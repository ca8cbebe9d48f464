/** How many decisions of admins a server takes: each request is approved, and then revoked. */
import pg from 'pg';
import { createDevelopmentIssuer } from '../../../src/identity/development-issuer.ts';
import { insertOpenRequests } from '../../../test/support/rows.ts';
import { tokenOf } from '../../decisions/asking.ts';
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { startProcess } from '../../realtime/processes.ts';
import { atLeastBare } from '../../realtime/rows/goals.ts';
import type { Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import type { AskerHandlers } from '../asker.ts';
import type { Deciding } from '../deciding-sql.ts';
import type { ServerHandlers } from '../servers/server.ts';

const connections = 32;
const patience = 120_000;

const measuredServers = {
  latchkey: '../api/servers/latchkey.ts',
  bare: '../api/servers/bare-deciding-in-transaction.ts',
  'bare-in-one-statement': '../api/servers/bare-deciding-in-one-statement.ts',
} satisfies Partial<Record<ServerName, string>>;
type Measured = keyof typeof measuredServers;

/** @param quick decides on fewer requests */
export function decideOf(quick: boolean): Row {
  const count = quick ? 500 : 3_000;
  return {
    name: 'decide',
    title: `${count} requests approved and then revoked, over ${connections} connections`,
    servers: Object.keys(measuredServers) as Measured[],
    figures: [
      { name: 'decide', title: 'decisions a second', digits: 0, goals: [atLeastBare('decide', 0.6)] },
      { name: 'decide cpu', title: '  processor time of the server for each, µs', digits: 0 },
      { name: 'decide p99', title: '  99th percentile, ms', digits: 1 },
    ],
    measure: (infrastructure, server) => measure(infrastructure, server as Measured, count),
  };
}

async function measure(
  { createDatabase, people }: Infrastructure,
  name: Measured,
  count: number,
): Promise<Sample> {
  await using database = await createDatabase();
  const admins = people.admins.slice(0, connections);
  const [reporter] = admins;
  const [engineer] = people.engineers;
  if (reporter === undefined || engineer === undefined) throw new Error('There are no people');
  const sql = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    const place = { project: 'DECIDE', siteId: people.site.id, productId: people.site.productId };
    const on = { ...place, reporterId: reporter.id, engineerId: engineer.id };
    const grantIds = await insertOpenRequests({ sql }, on, count + warmUp, 'The board does not load.');
    await sql.query('ANALYZE');
    const issuer = await createDevelopmentIssuer();
    await using asker = startProcess<AskerHandlers>('../api/asker.ts');
    await using server = startProcess<ServerHandlers>(measuredServers[name]);
    const { issuer: issuedBy, audience, jwks } = issuer;
    const setting = { databaseUrl: database.url, jwks, tokens: { issuer: issuedBy, audience } };
    const { url } = await server.ask('start', setting, patience);
    const isLatchkey = name === 'latchkey';
    await asker.ask('open', { url: isLatchkey ? `${url}/graphql` : url, count: connections });
    const tokens = await Promise.all(
      admins.map(async ({ email }) =>
        isLatchkey ? await tokenOf(url, email) : (await issuer.issue(email)).token,
      ),
    );
    const requestsOf = (action: Deciding['action'], ids: readonly string[]) =>
      ids.map((grantId, at) => ({
        token: tokens[at % tokens.length] ?? '',
        body: isLatchkey ? mutation(action, grantId) : { action, grantId },
      }));
    const decide = async (ids: readonly string[]) => {
      const approved = await asker.ask('sendEach', requestsOf('APPROVE', ids), patience);
      const revoked = await asker.ask('sendEach', requestsOf('REVOKE', ids), patience);
      return {
        aSecond: 2 / (1 / approved.aSecond + 1 / revoked.aSecond),
        p99: Math.max(approved.p99, revoked.p99),
      };
    };
    await decide(grantIds.slice(0, warmUp));
    const before = await server.ask('cpu', undefined);
    const { aSecond, p99 } = await decide(grantIds.slice(warmUp));
    const cpu = (((await server.ask('cpu', undefined)) - before) * 1_000) / (2 * count);
    return {
      figures: { decide: aSecond, 'decide cpu': cpu, 'decide p99': p99 },
      faults: await missing(sql, grantIds.length),
    };
  } finally {
    await sql.end();
  }
}

/** Requests that are decided on before anything is measured. */
const warmUp = 500;

function mutation(action: Deciding['action'], grantId: string): object {
  const name = action === 'APPROVE' ? 'approveDataAccess' : 'revokeDataAccess';
  return {
    query: `mutation ($grantId: ID!) { ${name}(input: { grantId: $grantId }) {
      ... on Grant { state } ... on Error { code message } } }`,
    variables: { grantId: Buffer.from(`Grant:${grantId}`).toString('base64') },
  };
}

/** What a server should have written and has not, in words. */
async function missing(sql: pg.Pool, count: number): Promise<string[]> {
  const { rows } = await sql.query<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM grants WHERE state = 'REVOKED' AND version = 3) AS revoked,
            (SELECT count(*)::int FROM decisions) AS decisions,
            (SELECT count(*)::int FROM audit_entries WHERE action IN ('grant.approve', 'grant.revoke')) / 2 AS entries,
            (SELECT count(*)::int FROM events WHERE payload->>'kind' = 'grant') / 2 AS events`,
  );
  return Object.entries(rows[0] ?? {}).flatMap(([what, found]) =>
    found === count ? [] : [`${found} instead of ${count} ${what}`],
  );
}
