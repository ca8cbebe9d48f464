/** How long an admin waits who approves as many requests at once as the API allows. */
import pg from 'pg';
import { insertOpenRequests } from '../../../test/support/rows.ts';
import { patience, tokenOf } from '../../decisions/asking.ts';
import type { ServerHandlers } from '../../decisions/servers/setting.ts';
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { startProcess } from '../../realtime/processes.ts';
import { atMost } from '../../realtime/rows/goals.ts';
import type { Row, Sample } from '../../realtime/rows/row.ts';
import { median } from '../../realtime/statistics.ts';

const size = 200;
/** One after the other. */
const bulks = 5;

export const bulk: Row = {
  name: 'bulk',
  title: `${bulks} bulks of ${size} approvals, one after the other`,
  servers: ['latchkey'],
  figures: [
    { name: 'bulk p50', title: 'ms for one, median', digits: 0 },
    { name: 'bulk max', title: 'ms for one, longest', digits: 0, goals: [atMost('bulk max', 1_500, 'ms')] },
  ],
  measure,
};

async function measure({ createDatabase, people }: Infrastructure): Promise<Sample> {
  await using database = await createDatabase();
  const [admin] = people.admins;
  const [engineer] = people.engineers;
  if (admin === undefined || engineer === undefined) throw new Error('There are no people');
  const grantIds = await insertRequests(database.url, {
    ...{ project: 'BULK', siteId: people.site.id, productId: people.site.productId },
    ...{ reporterId: admin.id, engineerId: engineer.id },
  });
  await using server = startProcess<ServerHandlers>('../decisions/servers/latchkey.ts');
  const { url } = await server.ask('start', { databaseUrl: database.url }, patience);
  const token = await tokenOf(url, admin.email);
  const times: number[] = [];
  const faults: string[] = [];
  for (let number = 0; number < bulks; number += 1) {
    const begun = performance.now();
    const answer = await approve(url, token, grantIds.slice(number * size, (number + 1) * size));
    times.push(performance.now() - begun);
    const approved = answer.split('"state":"ACTIVE"').length - 1;
    if (approved !== size) faults.push(`${approved} of ${size} were approved: ${answer.slice(0, 200)}`);
  }
  return { figures: { 'bulk p50': median(times), 'bulk max': Math.max(...times) }, faults };
}

async function insertRequests(
  databaseUrl: string,
  of: Parameters<typeof insertOpenRequests>[1],
): Promise<string[]> {
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    const ids = await insertOpenRequests({ sql }, of, bulks * size, 'The board does not load.');
    await sql.query('ANALYZE');
    return ids.map((id) => Buffer.from(`Grant:${id}`).toString('base64'));
  } finally {
    await sql.end();
  }
}

async function approve(url: string, token: string, grantIds: readonly string[]): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({
      query: `mutation ($grantIds: [ID!]!) { approveDataAccessInBulk(input: { grantIds: $grantIds }) {
        ... on BulkPayload { results { result { ... on Grant { state } ... on Error { message } } } } } }`,
      variables: { grantIds },
    }),
    signal: AbortSignal.timeout(patience),
  });
  return await response.text();
}
