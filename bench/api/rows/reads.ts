/** What consoles and analysts read, from every server: answers a second, processor time, and statements. */
import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import { createDevelopmentIssuer } from '../../../src/identity/development-issuer.ts';
import type { Infrastructure } from '../../realtime/infrastructure.ts';
import { type Process, startProcess } from '../../realtime/processes.ts';
import { atLeastBare, atMost, timesTheBestPeer } from '../../realtime/rows/goals.ts';
import type { Figure, Row, Sample } from '../../realtime/rows/row.ts';
import type { ServerName } from '../../realtime/servers.ts';
import type { AskerHandlers, Request } from '../asker.ts';
import { fillCaseload, type Questions, type Size } from '../caseload.ts';
import { bare } from '../dialects/bare.ts';
import { graphql } from '../dialects/graphql.ts';
import { postgraphile } from '../dialects/postgraphile.ts';
import type { Answer, Dialect, Question, QuestionKind } from '../questions.ts';
import type { ServerHandlers, Setting } from '../servers/server.ts';

const connections = 32;
const patience = 120_000;
/** Of each kind, compared with the answers of the bare server. */
const compared = 5;

const kinds = {
  outstanding: 'outstanding requests of a site',
  ticket: "a ticket's page",
  auditActor: 'audit log: by actor and period',
  auditPeriod: 'audit log: a month long ago',
  auditDeep: 'audit log: 20,000 entries deep',
} satisfies Record<QuestionKind, string>;
const kindNames = Object.keys(kinds) as QuestionKind[];

const measuredServers = {
  latchkey: { file: '../api/servers/latchkey.ts', dialect: graphql },
  bare: { file: '../api/servers/bare-with-token.ts', dialect: bare },
  'bare-without-token': { file: '../api/servers/bare-without-token.ts', dialect: bare },
  mercurius: { file: '../peers/api/mercurius.ts', dialect: graphql },
  postgraphile: { file: '../peers/api/postgraphile.ts', dialect: postgraphile },
} satisfies Partial<Record<ServerName, { file: string; dialect: Dialect }>>;
type Measured = keyof typeof measuredServers;

/** @param quick measures each figure for a third of the time */
export function readsOf(size: Size, quick: boolean): Row {
  return {
    name: 'reads',
    title: `${connections} connections, ${size.grants.toLocaleString('en')} grants, ${size.entries.toLocaleString('en')} audit entries`,
    servers: Object.keys(measuredServers) as Measured[],
    figures: [...kindNames.flatMap(figuresOf), ...startFigures],
    measure: (infrastructure, server) =>
      measure(infrastructure, server as Measured, size, quick ? [1_000, 2_000] : [3_000, 6_000]),
  };
}

function figuresOf(kind: QuestionKind): Figure[] {
  const isAudit = kind.startsWith('audit');
  const goals = isAudit ? [atLeastBare(kind, 0.8)] : [timesTheBestPeer(kind, 1.1), atLeastBare(kind, 0.5)];
  return [
    { name: kind, title: `${kinds[kind]}, answers a second`, digits: 0, goals },
    { name: `${kind} cpu`, title: '  processor time of the server for each, µs', digits: 0 },
    { name: `${kind} statements`, title: '  statements for each', digits: 1 },
  ];
}

const startFigures: Figure[] = [
  {
    ...{ name: 'start', title: 'from the start of the process to its first answer, ms', digits: 0 },
    goals: [atMost('start', 2_000, 'ms')],
  },
  {
    ...{ name: 'memory', title: 'resident memory after that, MB', digits: 0 },
    goals: [atMost('memory', 150, 'MB')],
  },
];

type Filled = {
  databaseUrl: string;
  questions: Questions;
  tokenOf: (email: string) => Promise<string>;
} & Pick<Setting, 'jwks' | 'tokens'>;
/** All servers of all rounds read the same database. The infrastructure drops it at its end. */
let filled: Promise<Filled> | undefined;
/** The answers of the bare server to the questions that are compared. */
const expected = new Map<QuestionKind, Answer[]>();

async function fill(infrastructure: Infrastructure, size: Size): Promise<Filled> {
  const { url: databaseUrl } = await infrastructure.createDatabase();
  const questions = await fillCaseload(databaseUrl, size);
  const issuer = await createDevelopmentIssuer();
  return {
    ...{ databaseUrl, questions, jwks: issuer.jwks },
    tokens: { issuer: issuer.issuer, audience: issuer.audience },
    tokenOf: async (email) => (await issuer.issue(email)).token,
  };
}

async function measure(
  infrastructure: Infrastructure,
  name: Measured,
  size: Size,
  [warmUpMs, measuredMs]: [number, number],
): Promise<Sample> {
  filled ??= fill(infrastructure, size);
  const { databaseUrl, questions, jwks, tokens, tokenOf } = await filled;
  const { file, dialect } = measuredServers[name];
  await using asker = startProcess<AskerHandlers>('../api/asker.ts');
  await using database = await watchDatabase(databaseUrl);
  const begun = performance.now();
  await using server = startProcess<ServerHandlers>(file);
  const { url } = await server.ask('start', { databaseUrl, jwks, tokens }, patience);
  await asker.ask('open', { url: `${url}${dialect.path}`, count: connections });
  const credentials = name === 'latchkey' ? signIn(url) : tokenOf;
  const [first] = await requestsOf(questions.ticket.slice(0, 1), dialect, asker, credentials, database);
  if (first !== undefined) await asker.ask('ask', first, patience);
  const figures: Record<string, number> = { start: performance.now() - begun };
  figures['memory'] = (await server.ask('memory', undefined, patience)) / 1e6;
  const faults: string[] = [];
  for (const kind of kindNames) {
    const requests = await requestsOf(questions[kind], dialect, asker, credentials, database);
    faults.push(...(await differences(kind, asker, dialect, requests.slice(0, compared))));
    await asker.ask('flood', { requests, milliseconds: warmUpMs }, patience);
    const before = { cpu: await server.ask('cpu', undefined), statements: await database.countStatements() };
    const { answers, aSecond } = await asker.ask('flood', { requests, milliseconds: measuredMs }, patience);
    figures[kind] = aSecond;
    figures[`${kind} cpu`] = (((await server.ask('cpu', undefined)) - before.cpu) * 1_000) / answers;
    figures[`${kind} statements`] = ((await database.countStatements()) - before.statements) / answers;
  }
  return { figures, faults };
}

/** Latchkey accepts the tokens of its own issuer only. */
function signIn(url: string): (email: string) => Promise<string> {
  return async (email) => {
    const response = await fetch(`${url}/dev/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email }),
    });
    if (!response.ok) throw new Error(`No token for ${email}: ${response.status}`);
    return ((await response.json()) as { token: string }).token;
  };
}

async function requestsOf(
  questions: readonly Question[],
  dialect: Dialect,
  asker: Process<AskerHandlers>,
  tokenOf: (email: string) => Promise<string>,
  database: Pick<Watched, 'countReadings'>,
): Promise<Request[]> {
  const tokens = new Map<string, string>();
  for (const question of questions) {
    const { viewer } = question;
    if (tokens.has(viewer)) continue;
    const token = await tokenOf(viewer);
    tokens.set(viewer, token);
    // Latchkey keeps an entry of everybody's first sign-in, which would move the place that is sought.
    await asker.ask('ask', { token, body: dialect.body(question, null) });
  }
  const tokenFor = ({ viewer }: Question) => tokens.get(viewer) ?? '';
  // The newest entries of the log are Latchkey's, of who has read it: more with each server that is measured.
  const readings = await database.countReadings();
  const asked = questions.map((question) =>
    question.kind === 'auditDeep' ? { ...question, skipped: question.skipped + readings } : question,
  );
  const [first] = asked;
  const cursor =
    first?.kind === 'auditDeep' && dialect.seek !== null
      ? await dialect.seek(
          async (body) => JSON.parse(await asker.ask('ask', { token: tokenFor(first), body })) as never,
          first.skipped,
        )
      : null;
  return asked.map((question) => ({ token: tokenFor(question), body: dialect.body(question, cursor) }));
}

/** Where the answers are not those of the server that was measured first, in words. */
async function differences(
  kind: QuestionKind,
  asker: Process<AskerHandlers>,
  dialect: Dialect,
  requests: readonly Request[],
): Promise<string[]> {
  const answers: Answer[] = [];
  for (const request of requests) {
    const answer = dialect.read(kind, JSON.parse(await asker.ask('ask', request)) as never);
    answers.push(normal(answer));
  }
  const due = expected.get(kind);
  if (due === undefined) {
    expected.set(kind, answers);
    return answers.some((answer) => Array.isArray(answer) && answer.length === 0)
      ? [`${kind}: an answer is empty`]
      : [];
  }
  return answers.flatMap((answer, at) =>
    isDeepStrictEqual(answer, due[at])
      ? []
      : [
          `${kind}: answered ${JSON.stringify(answer).slice(0, 400)} instead of ${JSON.stringify(due[at]).slice(0, 400)}`,
        ],
  );
}

/** Servers write times and actions in forms of their own. */
function normal(answer: Answer): Answer {
  return JSON.parse(JSON.stringify(answer), (key, value: unknown) => {
    if (typeof value === 'string' && key.endsWith('At')) return new Date(value).toISOString();
    if (typeof value === 'string' && key === 'action') return value.toUpperCase().replaceAll('.', '_');
    return value;
  }) as Answer;
}

type Watched = {
  /** Of clients other than this one. */
  countStatements(): Promise<number>;
  countReadings(): Promise<number>;
} & AsyncDisposable;

async function watchDatabase(databaseUrl: string): Promise<Watched> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  return {
    async countReadings() {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM audit_entries WHERE action LIKE 'audit\\_entries.%'`,
      );
      return rows[0]?.count ?? 0;
    },
    async countStatements() {
      const { rows } = await client.query<{ calls: string }>(
        `SELECT sum(calls) AS calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`,
      );
      return Number(rows[0]?.calls);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
