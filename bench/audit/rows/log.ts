/** The log that is read in a run, and the questions about it with the places of deep pages. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDevelopmentIssuer } from '../../../src/identity/development-issuer.ts';
import type { Setting } from '../../api/servers/server.ts';
import { say } from '../../realtime/rounds.ts';
import type { GeneratedLog } from '../generate.ts';
import { keepLog, openKeptLog } from '../kept-log.ts';
import {
  type AskedPage,
  type AskedSummary,
  functionOf,
  mostGroups,
  needsFunction,
  type Place,
  pageSize,
  type SearchName,
  searchedTicket,
  searchNames,
  searchOf,
  whereOf,
} from '../searches.ts';

export type LogChoice = {
  /** That of `npm run bench:log -- --folder`; undefined: one is made, and deleted afterwards. */
  readonly folder: string | undefined;
  readonly entries: number;
};

/** A page of each search, and the deepest one that there is, if it has more than one. */
type Pages = { readonly first: AskedPage; readonly deep: AskedPage | null };

export type ReadLog = {
  readonly log: GeneratedLog;
  readonly url: string;
  readonly pool: pg.Pool;
  /** Who administers the organization whose log is searched. */
  readonly admin: string;
  readonly pages: ReadonlyMap<SearchName, Pages>;
  /** A month of an organization, and who administers that. */
  readonly summary: AskedSummary & { readonly admin: string; readonly entries: number };
  readonly tokens: Pick<Setting, 'jwks' | 'tokens'> & { of(email: string): Promise<string> };
};

/** No page is asked for that begins after more entries than this. */
const deepest = 1_000_000;
const day = 86_400_000;

let opened: Promise<ReadLog & AsyncDisposable> | undefined;

/** The same for all rows and rounds. */
export function openLog(choice: LogChoice): Promise<ReadLog> {
  opened ??= open(choice);
  return opened;
}

export async function closeLog(): Promise<void> {
  // A row has said why there is none.
  const log = await opened?.catch(() => undefined);
  await log?.[Symbol.asyncDispose]();
}

async function open({ folder: given, entries }: LogChoice): Promise<ReadLog & AsyncDisposable> {
  await using begun = new AsyncDisposableStack();
  const folder = given ?? join(await mkdtemp(join(tmpdir(), 'latchkey-bench-log-')), 'log');
  if (given === undefined) {
    begun.defer(() => rm(join(folder, '..'), { recursive: true, force: true, maxRetries: 10 }));
    await keepLog(folder, { entries });
  }
  const { url, log, stop } = await openKeptLog(folder);
  begun.defer(stop);
  const pool = begun.adopt(new pg.Pool({ connectionString: url, max: 1 }), (one) => one.end());
  await pool.query('SET jit = off');
  await nameTicket(pool, log);
  await addFunctions(pool);
  const pages = new Map<SearchName, Pages>();
  for (const name of searchNames) pages.set(name, await pagesOf(pool, log, name));
  const depths: string[] = [];
  for (const [name, { deep }] of pages)
    if (deep !== null) depths.push(`${name} ${await depthOf({ pool, log }, deep)}`);
  say(`A log of ${log.entries} entries. Deep pages begin after: ${depths.join(', ')}`);
  const issuer = await createDevelopmentIssuer();
  const tokens = {
    ...{ jwks: issuer.jwks, tokens: { issuer: issuer.issuer, audience: issuer.audience } },
    of: async (email: string) => (await issuer.issue(email)).token,
  };
  const [admin, summary] = [await adminOf(pool, log.largest), await monthOf(pool, log)];
  const running = begun.move();
  return {
    ...{ log, url, pool, admin, pages, summary, tokens },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Gives the ticket of the entry that is searched for a row, and a key. */
async function nameTicket(pool: pg.Pool, { entry, largest }: GeneratedLog): Promise<void> {
  await pool.query(
    `INSERT INTO tickets (id, organization_id, key, summary, site_id, product_id, reporter_id, status, version, created_at)
     SELECT $1::uuid, $2::uuid, $3, 'It is slow', p.site_id, p.id, m.account_id, 'OPEN', 1, now()
       FROM products p, memberships m
      WHERE p.site_id = $4::uuid AND m.organization_id = $2::uuid LIMIT 1 ON CONFLICT DO NOTHING`,
    [entry.ticketId, largest, searchedTicket, entry.siteId],
  );
}

/** A function for each search that PostGraphile cannot express, as its administrator would write it. */
async function addFunctions(pool: pg.Pool): Promise<void> {
  for (const name of searchNames.filter(needsFunction))
    await pool.query(
      `CREATE OR REPLACE FUNCTION ${functionOf(name)}(log uuid, among text[]) RETURNS SETOF audit_entries LANGUAGE sql STABLE AS $$
         SELECT a.* FROM audit_entries a WHERE a.organization_id = log AND ${whereOf(name, 'among')}
          ORDER BY a.txid DESC, a.seq DESC $$`,
    );
}

async function pagesOf(pool: pg.Pool, log: GeneratedLog, name: SearchName): Promise<Pages> {
  const values = searchOf(name).values(log);
  const from = `FROM audit_entries a WHERE a.organization_id = $1 AND ${whereOf(name, '$2')}`;
  const { rows: counted } = await pool.query<{ count: number }>(`SELECT count(*)::int ${from}`, [
    log.largest,
    values,
  ]);
  const first = { name, values, after: null };
  const count = counted[0]?.count ?? 0;
  if (count === 0) throw new Error(`The search by ${name} finds nothing`);
  const depth = Math.min(deepest, count - pageSize);
  if (depth < pageSize) return { first, deep: null };
  const { rows } = await pool.query<Place>(
    `SELECT a.id, a.txid, a.seq ${from} ORDER BY a.txid DESC, a.seq DESC OFFSET $3 LIMIT 1`,
    [log.largest, values, depth - 1],
  );
  const [after] = rows;
  if (after === undefined) throw new Error(`The search by ${name} has no page after ${depth} entries`);
  return { first, deep: { name, values, after } };
}

/** How many entries that fit are on the pages before this one. */
export async function depthOf(
  { pool, log }: Pick<ReadLog, 'pool' | 'log'>,
  { name, values, after }: AskedPage,
): Promise<number> {
  const { rows } = await pool.query<{ depth: number }>(
    `SELECT count(*)::int AS depth FROM audit_entries a
      WHERE a.organization_id = $1 AND ${whereOf(name, '$2')} AND (a.txid, a.seq) >= ($3::bigint, $4::bigint)`,
    [log.largest, values, after?.txid, after?.seq],
  );
  return rows[0]?.depth ?? 0;
}

/** A month of the organization that has most entries in it, among those that are counted as a whole. */
async function monthOf(pool: pg.Pool, { begin, end }: GeneratedLog): Promise<ReadLog['summary']> {
  const middle = new Date((begin.getTime() + end.getTime()) / 2);
  const dates = { from: middle.toISOString(), until: new Date(middle.getTime() + 30 * day).toISOString() };
  const { rows } = await pool.query<{ id: string; entries: number; groups: number }>(
    `SELECT organization_id AS id, count(*)::int AS entries,
            count(DISTINCT (date_trunc('day', occurred_at AT TIME ZONE 'UTC'), action))::int AS groups FROM audit_entries
      WHERE occurred_at >= $1 AND occurred_at < $2 AND organization_id IS NOT NULL
      GROUP BY organization_id HAVING count(*) <= 100000 ORDER BY entries DESC LIMIT 1`,
    [dates.from, dates.until],
  );
  const [found] = rows;
  if (found === undefined) throw new Error('No organization has entries in the month');
  if (found.groups > mostGroups) throw new Error('There are too many groups');
  const { id: organizationId, entries } = found;
  return { organizationId, ...dates, entries, admin: await adminOf(pool, organizationId) };
}

async function adminOf(pool: pg.Pool, organizationId: string): Promise<string> {
  const { rows } = await pool.query<{ email: string }>(
    `SELECT a.email FROM role_assignments r JOIN accounts a ON a.id = r.account_id
      WHERE r.organization_id = $1 AND r.role = 'ORGANIZATION_ADMIN' ORDER BY a.email LIMIT 1`,
    [organizationId],
  );
  return rows[0]?.email ?? '';
}
