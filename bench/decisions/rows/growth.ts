/** Whether answers become slower as the tables grow: the same questions to a new database and to a grown one. */
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { type Process, startProcess } from '../../realtime/processes.ts';
import { atMost } from '../../realtime/rows/goals.ts';
import type { Row } from '../../realtime/rows/row.ts';
import type { AskerHandlers } from '../asker.ts';
import { flood, oneByOne, patience, singlePath, tokenOf } from '../asking.ts';
import { type Growth, grow } from '../grow.ts';
import type { ServerHandlers } from '../servers/setting.ts';
import { backendEmail, insertWork, type Work } from '../work.ts';

const sessions = 1_000;

type Filled = { url: string; work: Work[] };
let grown: Promise<Filled> | undefined;

export function growthTo(growth: Growth): Row {
  const inWords = `${sessions.toLocaleString('en')} to ${growth.grants.toLocaleString('en')} grants and ${growth.entries.toLocaleString('en')} audit entries`;
  return {
    name: 'growth',
    title: `decisions one by one, from ${inWords}`,
    servers: ['latchkey'],
    figures: [
      { name: 'small', title: 'decisions a second before', digits: 0 },
      { name: 'large', title: 'decisions a second after', digits: 0 },
      {
        name: 'times',
        title: 'time for a decision, after to before',
        digits: 2,
        goals: [atMost('times', 1.2, '×')],
      },
    ],
    async measure(infrastructure) {
      const small = await fill(infrastructure);
      // Its tables take minutes, so all rounds share it.
      grown ??= fill(infrastructure, growth);
      const large = await grown;
      await using asker = startProcess<AskerHandlers>('../decisions/asker.ts');
      const before = await decisionsASecond(asker, small);
      const after = await decisionsASecond(asker, large);
      return { figures: { small: before, large: after, times: before / after }, faults: [] };
    },
  };
}

/** The infrastructure drops the databases at its end. */
async function fill(infrastructure: Infrastructure, growth?: Growth): Promise<Filled> {
  const { url } = await infrastructure.createDatabase();
  const work = await insertWork(url, infrastructure.people, sessions);
  if (growth !== undefined) await grow(url, growth);
  return { url, work };
}

async function decisionsASecond(
  asker: Process<AskerHandlers>,
  { url: databaseUrl, work }: Filled,
): Promise<number> {
  await using measured = startProcess<ServerHandlers>('../decisions/servers/latchkey.ts');
  const { url } = await measured.ask('start', { databaseUrl }, patience);
  const token = await tokenOf(url, backendEmail);
  return await flood(asker, { ...oneByOne, url: `${url}${singlePath}`, token, work });
}
