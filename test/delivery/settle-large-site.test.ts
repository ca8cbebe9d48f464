/**
 * A very large site is deactivated, and the gateway that settles it is killed: another one goes on. Nothing is usable from
 * the deactivation on, revocations there and elsewhere go on meanwhile, and everything is recorded and told once.
 */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import pg from 'pg';
import { expect, test } from 'vitest';
import { openEvaluationDatabase } from '../../src/access/connection.ts';
import { createEvaluator } from '../../src/access/evaluator.ts';
import { anywhere } from '../../src/organizations/residency.ts';
import { newId } from '../../src/platform/ids.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { generousDatabaseDeadlines, generousMs } from '../support/deadlines.ts';
import type { Json } from '../support/gateway.ts';
import { createTestDatabase, gatewayUrl } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { activateGrants, globalId, insertOpenRequests, insertOpenSessions, rawId } from '../support/rows.ts';
import { fullSize } from '../support/size.ts';
import { startDeployment } from './deployment.ts';

const count = 20_000;
const minutes = 60_000;

/** `grant` is null when the subscription has started. */
type ToldOf = {
  id: string;
  cursor: string;
  type: string;
  occurredAt: string;
  grant: { id: string; state: string } | null;
};

const ends: TypedDocumentNode<{ grantEvents: ToldOf }, { after?: string | null }> = parse(`
  subscription Ends($after: String) {
    grantEvents(after: $after, filter: { types: [ENDED] }) { id cursor type occurredAt grant { id state } }
  }`);

/** The longest of these durations and the median, in milliseconds. */
function spread(durations: readonly number[]): string {
  const sorted = durations.toSorted((one, other) => one - other).map(Math.round);
  return `median ${sorted[Math.floor(sorted.length / 2)]} ms, longest ${sorted.at(-1)} ms of ${sorted.length}`;
}

async function timed<Result>(into: number[], run: () => Promise<Result>): Promise<Result> {
  const since = performance.now();
  const result = await run();
  into.push(performance.now() - since);
  return result;
}

test.runIf(fullSize)(
  `a site with ${count} open grants in use is deactivated, and its gateway killed`,
  { timeout: 30 * minutes },
  async () => {
    await using stack = new AsyncDisposableStack();
    const made = stack.adopt(await createTestDatabase(), (one) => one.dispose());
    const redis = stack.adopt(await startRedis(), (server) => server.stop());
    const deployment = stack.use(await startDeployment({ databaseUrl: made.url, redisUrl: redis.url }));
    const { world, gateways } = deployment;
    const [first, second] = gateways;
    const sql = stack.adopt(new pg.Pool({ connectionString: made.url, max: 4 }), (pool) => pool.end());
    sql.on('error', () => undefined);

    const { rows: accounts } = await sql.query('SELECT id, email FROM accounts');
    const idOf = (email: string): string => accounts.find((account) => account.email === email)?.id;
    const engineerId = idOf(world.engineer.email);
    const fill = async (customer: 'acme' | 'globex', project: string, many: number) => {
      const { sites, emails } = world[customer];
      const of = { siteId: rawId(sites.main.id), productId: rawId(sites.main.products.jira) };
      const people = { reporterId: idOf(emails.reporter), engineerId };
      const ids = await insertOpenRequests({ sql }, { project, ...of, ...people }, many, 'It does not load');
      await activateGrants({ sql }, ids, idOf(emails.organizationAdmin));
      await insertOpenSessions({ sql }, ids);
      return ids;
    };
    const grants = await fill('acme', 'LARGE', count);
    const elsewhere = await fill('globex', 'OTHER', 500);
    await sql.query('VACUUM ANALYZE');

    const ask = async (port: number, email: string, query: string, variables: object): Promise<Json> => {
      const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${await deployment.tokenOf(email)}`,
        },
        body: JSON.stringify({ query, variables }),
      });
      return ((await answer.json()) as Json).data;
    };
    const change = (port: number, email: string, name: string, input: object): Promise<Json> =>
      ask(
        port,
        email,
        `mutation ($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) {
           done: ${name}(input: $input) { __typename ... on Error { code } } }`,
        { input },
      ).then(({ done }) => done);

    const received: ToldOf['grant'][] = [];
    const started = Promise.withResolvers<void>();
    const toldOfAll = (async () => {
      const told = new Set<string>();
      const client = deployment.clientOf(world.acme.emails.organizationAdmin, second.port);
      const eventOf = ({ grantEvents }: { grantEvents: ToldOf }) => {
        started.resolve();
        return grantEvents;
      };
      for await (const { grant } of client.subscribeWithResume({ document: ends, eventOf })) {
        if (grant === null) continue;
        received.push(grant);
        if (told.add(grant.id).size === count) return;
      }
    })();
    await started.promise;

    // A backend asks about an engineer at work, all the time.
    const logger = createLogger('silent');
    const database = stack.adopt(
      openEvaluationDatabase({ url: gatewayUrl(made.url), logger, deadlines: generousDatabaseDeadlines }),
      (one) => one.dispose(),
    );
    const backend = { id: newId(), issuer: 'large', subject: 'jira' };
    await sql.query(
      `INSERT INTO accounts (id, kind, email, name, subject, subject_issuer, capabilities, evaluated_products, created_at)
       VALUES ($1, 'SERVICE_ACCOUNT', 'large@vendor.example', 'Jira', $2, $3, '{ACCESS_EVALUATION}', '{jira}', now())`,
      [backend.id, backend.subject, backend.issuer],
    );
    const clock = (readAt?: Date) => readAt ?? new Date();
    const limits = { waitMs: generousMs };
    const announce = () => undefined;
    const evaluate = createEvaluator({ database, clock, announce, vendor: anywhere, limits });
    const asked: { begunAt: number; allowed: boolean }[] = [];
    let isOver = false;
    const asking = (async () => {
      while (!isOver) {
        const begunAt = performance.now();
        const answers = await evaluate(
          [
            {
              evaluation: {
                subject: { type: 'support_engineer', id: world.engineer.email },
                action: { name: 'work_item.read' },
                resource: {
                  ...{ type: 'work_item', id: 'LARGE-1' },
                  properties: { site: world.acme.sites.main.url, product: 'jira' },
                },
                context: { ticket: `LARGE-${1 + (asked.length % count)}` },
              },
            },
          ],
          'execute_all',
          backend,
        );
        asked.push({ begunAt, allowed: answers?.[0]?.decision === true });
      }
    })();

    const quiet: number[] = [];
    const revoke = (into: number[], port: number, customer: 'acme' | 'globex', grantId: string | undefined) =>
      timed(into, () =>
        change(port, world[customer].emails.organizationAdmin, 'revokeDataAccess', {
          grantId: globalId('Grant', grantId ?? ''),
        }),
      );
    const others = elsewhere.values();
    for (let at = 0; at < 20; at += 1)
      expect((await revoke(quiet, second.port, 'globex', others.next().value)).code).toBeUndefined();

    const ended: number[] = [];
    const since = performance.now();
    const input = { siteId: world.acme.sites.main.id };
    const operator = world.operator.email;
    const answer = await timed(ended, () => change(first.port, operator, 'deactivateSite', input));
    expect(answer).toEqual({ __typename: 'Site' });
    const endedAt = performance.now();

    const left = async (): Promise<number> =>
      (
        await sql.query(`SELECT count(*)::int FROM grants WHERE site_id = $1 AND ended_at IS NULL`, [
          rawId(input.siteId),
        ])
      ).rows[0].count;
    while ((await left()) > count * 0.9);
    const leftAtKill = await left();
    await first.kill();
    expect(leftAtKill).toBeGreaterThan(0);

    const there: number[] = [];
    const besides: number[] = [];
    const targets = grants.toReversed().values();
    while ((await left()) > 0) {
      expect((await revoke(there, second.port, 'acme', targets.next().value)).code).toBe('ALREADY_OVER');
      const other = others.next().value;
      if (other !== undefined)
        expect((await revoke(besides, second.port, 'globex', other)).code).toBeUndefined();
    }
    const recorded = performance.now();
    await toldOfAll;
    const told = performance.now();
    isOver = true;
    await asking;

    expect(asked.some(({ allowed }) => allowed)).toBe(true);
    expect(asked.filter(({ begunAt, allowed }) => allowed && begunAt > endedAt)).toEqual([]);
    expect(received).toHaveLength(count);
    expect(new Set(received.map((grant) => grant?.state))).toEqual(new Set(['ENDED']));
    const { rows } = await sql.query(
      `SELECT action, actor_email AS by, count(*)::int, count(DISTINCT coalesce(session_id, grant_id))::int AS things
         FROM audit_entries WHERE site_id = $1 AND action IN ('grant.end', 'support_session.end') AND outcome = 'SUCCEEDED'
        GROUP BY action, actor_email ORDER BY action`,
      [rawId(input.siteId)],
    );
    expect(rows).toEqual([
      { action: 'grant.end', by: operator, count, things: count },
      { action: 'support_session.end', by: operator, count, things: count },
    ]);
    let back: Json;
    do back = await change(second.port, operator, 'reactivateSite', input);
    while (back.code === 'NOT_SETTLED_YET');
    expect(back).toEqual({ __typename: 'Site' });
    expect(await left()).toBe(0);

    const seconds = (until: number) => `${((until - since) / 1_000).toFixed(1)} s`;
    const report = [
      `deactivateSite: ${spread(ended)}; killed with ${leftAtKill} of ${count} grants open`,
      `all recorded after ${seconds(recorded)}, all told after ${seconds(told)}`,
      `revocations, quiet: ${spread(quiet)}; on that site: ${spread(there)}; elsewhere: ${spread(besides)}`,
      `evaluations: ${asked.length}`,
    ];
    process.stdout.write(`${report.join('\n')}\n`);
  },
);
