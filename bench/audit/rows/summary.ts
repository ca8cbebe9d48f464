/** A month of an organization, counted by day and action. */
import { isDeepStrictEqual } from 'node:util';
import type { AskerHandlers } from '../../api/asker.ts';
import type { ServerHandlers } from '../../api/servers/server.ts';
import { tokenOf } from '../../decisions/asking.ts';
import { startProcess } from '../../realtime/processes.ts';
import { atMostBare } from '../../realtime/rows/goals.ts';
import type { Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import { type Count, mostGroups, normalAction, summarySql } from '../searches.ts';
import { type LogChoice, openLog, type ReadLog } from './log.ts';

const patience = 120_000;

const query = `query Month($filter: AuditLogFilter!) {
  auditSummary(groupBy: [DAY, ACTION], top: ${mostGroups}, filter: $filter) {
    isExact groups { day action counts { entries } } } }`;
type Answer = {
  data: {
    auditSummary: {
      isExact: boolean;
      groups: { day: string; action: string; counts: { entries: number } }[];
    };
  };
};

export function summaryOf(choice: LogChoice, quick: boolean): Row {
  return {
    name: 'summary',
    title: 'a month of one organization by day and action, one after the other over one connection',
    servers: ['latchkey', 'bare'],
    figures: [
      { name: 'summary', title: 'a summary, ms', digits: 1, goals: [atMostBare('summary', 2)] },
      { name: 'counted', title: '  entries that it counts', digits: 0 },
    ],
    measure: async (_, server) =>
      await measure(await openLog(choice), server, quick ? [300, 600] : [2_000, 4_000]),
  };
}

async function measure(
  read: ReadLog,
  name: ServerName,
  [warmUpMs, measuredMs]: [number, number],
): Promise<Sample> {
  const { organizationId, from, until, admin, entries } = read.summary;
  await using asker = startProcess<AskerHandlers>('../api/asker.ts');
  await using server = startProcess<ServerHandlers>(`../audit/servers/${name}.ts`);
  const { jwks, tokens } = read.tokens;
  const { url } = await server.ask('start', { databaseUrl: read.url, jwks, tokens }, patience);
  const isBare = name === 'bare';
  await asker.ask('open', { url: `${url}${isBare ? '/' : '/graphql'}`, count: 1 });
  const token = await (isBare ? read.tokens.of(admin) : tokenOf(url, admin));
  const body = isBare ? { organizationId, from, until } : { query, variables: { filter: { from, until } } };
  const text = await asker.ask('ask', { token, body }, patience);
  const answer = JSON.parse(text);
  const { rows: due } = await read.pool.query<Count>(summarySql('$1::uuid'), [organizationId, from, until]);
  const isSame = isDeepStrictEqual(ordered(isBare ? answer : countsIn(answer)), ordered(due));
  const requests = [{ token, body }];
  await asker.ask('flood', { requests, milliseconds: warmUpMs }, patience);
  const { p50 } = await asker.ask('flood', { requests, milliseconds: measuredMs }, patience);
  return {
    figures: { summary: p50, counted: entries },
    faults: isSame ? [] : [`The counts are not those of the statement: ${text.slice(0, 300)}`],
  };
}

function countsIn({ data }: Answer): Count[] {
  if (!data.auditSummary.isExact) throw new Error('The summary is not exact');
  return data.auditSummary.groups.map(({ day, action, counts }) => ({
    day,
    action,
    entries: counts.entries,
  }));
}

/** Of equal counts, enums have another order. */
function ordered(counts: readonly Count[]): string[] {
  return counts.map(({ day, action, entries }) => `${day} ${normalAction(action)} ${entries}`).toSorted();
}
