/** Pages of the log by each documented filter: the first one, and one deep in the log, from every server. */
import { isDeepStrictEqual } from 'node:util';
import type { AskerHandlers, Request } from '../../api/asker.ts';
import type { ServerHandlers } from '../../api/servers/server.ts';
import { tokenOf } from '../../decisions/asking.ts';
import { type Process, startProcess } from '../../realtime/processes.ts';
import { atMost, atMostBare, belowEveryPeer } from '../../realtime/rows/goals.ts';
import type { Figure, Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import { bare, type Dialect, latchkey, postgraphile } from '../dialects.ts';
import { type AskedPage, foundIn, normalAction, pageSql, pageValues, type SearchName } from '../searches.ts';
import { depthOf, type LogChoice, openLog, type ReadLog } from './log.ts';

const patience = 300_000;

const servers = {
  latchkey: { file: '../audit/servers/latchkey.ts', dialect: latchkey },
  bare: { file: '../audit/servers/bare.ts', dialect: bare },
  postgraphile: { file: '../peers/api/postgraphile.ts', dialect: postgraphile },
} satisfies Partial<Record<ServerName, { file: string; dialect: Dialect }>>;
type Measured = keyof typeof servers;

/**
 * @param names which searches, in their order
 * @param quick measures each page for a fifth of the time
 */
export function searchesOf(choice: LogChoice, names: readonly SearchName[], quick: boolean): Row {
  return {
    name: 'searches',
    title: 'pages of 50 entries of one organization, one after the other over one connection',
    servers: Object.keys(servers) as Measured[],
    figures: names.flatMap(figuresOf),
    measure: async (_, server) =>
      await measure(await openLog(choice), server as Measured, names, quick ? [100, 200] : [500, 1_000]),
  };
}

const figuresOf = (name: SearchName): Figure[] => [
  {
    ...{ name, title: `${name}: the first page, ms`, digits: 2 },
    goals: [atMostBare(name, 3), belowEveryPeer(name)],
  },
  {
    ...{ name: `${name} deep`, title: '  a deep page, ms', digits: 2 },
    goals: [atMostBare(`${name} deep`, 3), belowEveryPeer(`${name} deep`)],
  },
  {
    ...{ name: `${name} depth`, title: '  the deep page by the first one, ×', digits: 2 },
    goals: [atMost(`${name} depth`, 2, '×')],
  },
];

async function measure(
  read: ReadLog,
  name: Measured,
  names: readonly SearchName[],
  [warmUpMs, measuredMs]: [number, number],
): Promise<Sample> {
  const { file, dialect } = servers[name];
  await using asker = startProcess<AskerHandlers>('../api/asker.ts');
  await using server = startProcess<ServerHandlers>(file);
  const { jwks, tokens } = read.tokens;
  const { url } = await server.ask('start', { databaseUrl: read.url, jwks, tokens }, patience);
  await asker.ask('open', { url: `${url}${dialect.path}`, count: 1 });
  // Latchkey accepts the tokens of its own issuer only.
  const token = await (name === 'latchkey' ? tokenOf(url, read.admin) : read.tokens.of(read.admin));
  const ask = async (body: object): Promise<unknown> =>
    JSON.parse(await asker.ask('ask', { token, body }, patience));
  const figures: Record<string, number> = {};
  const faults: string[] = [];
  for (const search of names) {
    const pages = read.pages.get(search);
    if (pages === undefined) continue;
    const timed = async (page: AskedPage): Promise<number> => {
      const body = await dialect.bodyOf(page, read.log, ask, () => depthOf(read, page));
      const difference = await differenceOf(read, dialect, page, () => ask(body));
      if (difference !== null) faults.push(difference);
      return await medianOf(asker, { token, body }, warmUpMs, measuredMs);
    };
    const first = await timed(pages.first);
    figures[search] = first;
    if (pages.deep === null) continue;
    const deep = await timed(pages.deep);
    figures[`${search} deep`] = deep;
    figures[`${search} depth`] = deep / first;
  }
  return { figures, faults };
}

/** Milliseconds from a request until its answer is there. */
async function medianOf(
  asker: Process<AskerHandlers>,
  request: Request,
  warmUpMs: number,
  measuredMs: number,
): Promise<number> {
  await asker.ask('flood', { requests: [request], milliseconds: warmUpMs }, patience);
  return (await asker.ask('flood', { requests: [request], milliseconds: measuredMs }, patience)).p50;
}

/**
 * Where the answer is not what the statement finds, in words; null: nowhere. A gateway leaves entries of who has read, now and then
 * one more: so both are asked again.
 */
async function differenceOf(
  { pool, log }: ReadLog,
  { read }: Dialect,
  page: AskedPage,
  ask: () => Promise<unknown>,
): Promise<string | null> {
  let said = '';
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = read(await ask()).map(comparable);
    const { rows } = await pool.query(pageSql(page, '$1::uuid'), pageValues(log.largest, page));
    const due = foundIn(rows).map(comparable);
    if (due.length === 0) return `${page.name}: there is nothing to find`;
    if (isDeepStrictEqual(answer, due)) return null;
    const at = due.findIndex((one, index) => !isDeepStrictEqual(one, answer[index]));
    said = `${page.name}: ${answer.length} entries instead of ${due.length}; ${JSON.stringify(answer[at])} instead of ${JSON.stringify(due[at])}`;
  }
  return said;
}

const comparable = (entry: ReturnType<typeof foundIn>[number]) => ({
  ...entry,
  action: normalAction(entry.action),
});
