/** What is measured of a server: answers a second, one by one and in batches, and how long one takes at half of that. */
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { startProcess } from '../../realtime/processes.ts';
import { atLeastBare, atMostBare, holds } from '../../realtime/rows/goals.ts';
import type { Goal, Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import type { AskerHandlers } from '../asker.ts';
import { flood, oneByOne, patience, singlePath, tokenOf } from '../asking.ts';
import type { ServerHandlers } from '../servers/setting.ts';
import { backendEmail, insertWork } from '../work.ts';

const sessions = 1_000;
const batch = 20;
const pacedMs = 6_000;

const timesOneByOne = (times: number): Goal => ({
  title: `≥ ${times}× one by one`,
  isMet: (of) => holds((many, one) => many >= times * one, of('batch', 'latchkey'), of('single', 'latchkey')),
});

/** Half of what Latchkey answered in this round, in decisions a second: both servers are timed at it. */
let halfLoad: number | undefined;

export const decisions: Row = {
  name: 'decisions',
  title: `${oneByOne.connections} connections, ${sessions} open sessions`,
  servers: ['latchkey', 'bare'],
  figures: [
    {
      name: 'single',
      title: 'decisions a second, one by one',
      digits: 0,
      goals: [atLeastBare('single', 0.5)],
    },
    {
      name: 'batch',
      title: `decisions a second, in batches of ${batch}`,
      digits: 0,
      goals: [timesOneByOne(5)],
    },
    { name: 'p50', title: "ms at half of Latchkey's load, median", digits: 2 },
    { name: 'p99', title: "ms at half of Latchkey's load, p99", digits: 2, goals: [atMostBare('p99', 3)] },
  ],
  measure,
};

async function measure(infrastructure: Infrastructure, server: ServerName): Promise<Sample> {
  await using database = await infrastructure.createDatabase();
  const work = await insertWork(database.url, infrastructure.people, sessions);
  await using measured = startProcess<ServerHandlers>(`../decisions/servers/${server}.ts`);
  await using asker = startProcess<AskerHandlers>('../decisions/asker.ts');
  const { url } = await measured.ask('start', { databaseUrl: database.url }, patience);
  const token = server === 'latchkey' ? await tokenOf(url, backendEmail) : 'none';
  const asking = { ...oneByOne, token, work };

  const single = await flood(asker, { ...asking, url: `${url}${singlePath}` });
  if (server === 'latchkey') halfLoad = single / 2;
  const times = await asker.ask('pace', { rate: halfLoad ?? single / 2, milliseconds: pacedMs }, patience);
  const figures = { single, ...times };
  if (server !== 'latchkey') return { figures, faults: [] };
  const many = await flood(asker, { ...asking, url: `${url}/access/v1/evaluations`, batch });
  return { figures: { ...figures, batch: many }, faults: [] };
}
