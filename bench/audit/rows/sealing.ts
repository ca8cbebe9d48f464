/**
 * What sealing costs those who append: entries a second, each by the question of a backend, which is the fastest way to write one.
 * Commands take several times as long for each entry, so that they feel less of it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { AskerHandlers } from '../../decisions/asker.ts';
import { flood, oneByOne, singlePath, tokenOf } from '../../decisions/asking.ts';
import { backendEmail, insertWork } from '../../decisions/work.ts';
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { startProcess } from '../../realtime/processes.ts';
import { holds } from '../../realtime/rows/goals.ts';
import type { Goal, Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import type { GatewayHandlers } from '../gateway.ts';

const patience = 120_000;
const sessions = 1_000;

const almostAsWithout: Goal = {
  title: '≥ 0.9× without sealing',
  isMet: (of) =>
    holds(
      (sealed, unsealed) => sealed >= 0.9 * unsealed,
      of('appended', 'latchkey'),
      of('appended', 'latchkey-unsealed'),
    ),
};

export const sealing: Row = {
  name: 'sealing',
  title: `${oneByOne.connections} connections, ${sessions} open sessions`,
  servers: ['latchkey', 'latchkey-unsealed'],
  figures: [
    { name: 'appended', title: 'entries appended a second', digits: 0, goals: [almostAsWithout] },
    { name: 'sealed', title: '  of them sealed by then, %', digits: 0 },
    { name: 'behind', title: '  s after that until all are', digits: 1 },
  ],
  measure,
};

async function measure({ createDatabase, people }: Infrastructure, name: ServerName): Promise<Sample> {
  const isUnsealed = name === 'latchkey-unsealed';
  await using database = await createDatabase();
  const work = await insertWork(database.url, people, sessions);
  await using gateway = startProcess<GatewayHandlers>('../audit/gateway.ts');
  await using asker = startProcess<AskerHandlers>('../decisions/asker.ts');
  const url = await gateway.ask('start', { databaseUrl: database.url, isUnsealed }, patience);
  const token = await tokenOf(url, backendEmail);
  const appended = await flood(asker, { ...oneByOne, token, work, url: `${url}${singlePath}` });
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const ended = performance.now();
    const { written, sealed } = await lengthsOf(client);
    if (isUnsealed)
      return { figures: { appended }, faults: sealed === 0 ? [] : ['It has sealed nevertheless'] };
    for (let now = sealed; now < written; now = (await lengthsOf(client)).sealed) {
      if (performance.now() - ended > patience) return { figures: {}, faults: ['Sealing does not keep up'] };
      await wait(50);
    }
    const behind = (performance.now() - ended) / 1_000;
    return { figures: { appended, sealed: (100 * sealed) / written, behind }, faults: [] };
  } finally {
    await client.end();
  }
}

async function lengthsOf(client: pg.Client): Promise<{ written: number; sealed: number }> {
  const { rows } = await client.query<{ written: number; sealed: number }>(
    `SELECT (SELECT count(*) FROM audit_entries)::int AS written,
            COALESCE((SELECT sum(size) FROM (SELECT max(size) AS size FROM audit_checkpoints GROUP BY organization_id) AS logs), 0)::int AS sealed`,
  );
  return rows[0] ?? { written: 0, sealed: 0 };
}
