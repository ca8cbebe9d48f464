/**
 * A round: the evaluations of many requests in one transaction. It takes the locks that it can get at once, reads the
 * facts in a later statement, decides, writes the entries, and commits. Only then are the answers given.
 */
import { type AuditEntry, actorOf } from '../audit/entry.ts';
import { auditRow, insertAuditRows } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { type ChangeRequestRow, changeRequestColumns, toChangeRequest } from '../changes/row.ts';
import type { ServiceViewer } from '../identity/viewer.ts';
import type { VendorSites } from '../organizations/residency.ts';
import type { Clock } from '../platform/clock.ts';
import { newId } from '../platform/ids.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { isUseWritten } from '../sessions/session.ts';
import { type Connection, run } from './connection.ts';
import { type ChangeFacts, decide, type EngineerFacts, type SessionFacts } from './decide.ts';
import type { EvaluationAnswer, EvaluationSemantic } from './evaluation.ts';
import { type Asked, lockNamedChanges, type RoundFacts, readFacts } from './facts.ts';
import { tryLocks, type Uses, useOf } from './locks.ts';
import { isQuestion, type Problem, type Question } from './question.ts';
import { type Answered, answerTo, entryOf } from './record.ts';

/** The evaluations of one request. */
export type Request = {
  readonly items: readonly (Question | Problem)[];
  readonly semantic: EvaluationSemantic;
  readonly caller: ServiceViewer;
};

export type Settings = { readonly clock: Clock; readonly vendor: VendorSites };

/** The answers to a request; null: something has a lock that it needs, and it was left out. */
export type Outcome = readonly EvaluationAnswer[] | null;

/** Answers the requests within a transaction, in order. */
export async function answerRound(
  connection: Connection,
  requests: readonly Request[],
  settings: Settings,
): Promise<Outcome[]> {
  const askerIds = requests.map(({ caller }) => caller.id);
  const { uses, askers } = await tryLocks(connection, questionsOf(requests), askerIds);
  const included = requests.filter(
    (request) => askers.has(request.caller.id) && questionsOf([request]).every((one) => isLocked(one, uses)),
  );
  if (included.length === 0) return requests.map(() => null);
  const facts = await readRoundFacts(connection, included, uses);
  const round = judge(included, facts, settings);
  await useSessions(connection, round);
  const begun = await consumeChanges(connection, round);
  const answers = await record(connection, round, begun);
  return requests.map((request) => answers.get(request) ?? null);
}

function questionsOf(requests: readonly Request[]): Question[] {
  return requests.flatMap(({ items }) => items.filter(isQuestion));
}

/** What does not exist needs no lock: nothing is read of it. */
function isLocked(question: Question, uses: Uses): boolean {
  return uses.get(useOf(question))?.locked !== false;
}

type Facts = RoundFacts & { readonly changes: Map<string, ChangeFacts> };

async function readRoundFacts(
  connection: Connection,
  requests: readonly Request[],
  uses: Uses,
): Promise<Facts> {
  const asked = requests.flatMap((request): Asked[] =>
    questionsOf([request]).map((question) => ({ question, askerId: request.caller.id })),
  );
  const changes = await lockNamedChanges(connection, questionsOf(requests), uses);
  return { ...(await readFacts(connection, asked, uses, changes)), changes };
}

/** What a round has decided, and what follows from it. */
type Round = {
  readonly now: Date;
  readonly answered: { readonly request: Request; readonly answered: Answered }[];
  /** The sessions in which something was allowed. */
  readonly used: Map<string, SessionFacts>;
  /** The changes that were allowed, each with its session and its engineer. */
  readonly consumed: Map<string, { session: SessionFacts; engineer: EngineerFacts }>;
};

function judge(requests: readonly Request[], facts: Facts, { clock, vendor }: Settings): Round {
  const now = clock(facts.readAt);
  const round: Round = { now, answered: [], used: new Map(), consumed: new Map() };
  for (const request of requests) {
    for (const item of request.items) {
      const answered = judgeItem(item, request, facts, { now, vendor });
      round.answered.push({ request, answered });
      note(answered, round, facts);
      if (ends(request.semantic, answered)) break;
    }
  }
  return round;
}

function judgeItem(
  item: Question | Problem,
  { caller }: Request,
  facts: Facts,
  circumstances: { now: Date; vendor: VendorSites },
): Answered {
  if (!isQuestion(item)) return { problem: item };
  const known = facts.of({ question: item, askerId: caller.id });
  return { question: item, facts: known, verdict: decide(item, known, circumstances) };
}

/** Notes what an answer uses, so that the next one in the same round knows of it. */
function note(answered: Answered, { used, consumed }: Round, { changes }: Facts): void {
  if ('problem' in answered || !answered.verdict.allowed) return;
  const { session } = answered.verdict;
  used.set(session.id, session);
  const { change, engineer } = answered.facts;
  if (answered.question.action !== 'change.apply' || change === null || engineer === null) return;
  consumed.set(change.id, { session, engineer });
  changes.set(change.id, { ...change, state: 'IN_PROGRESS' });
}

function ends(semantic: EvaluationSemantic, answered: Answered): boolean {
  const allowed = 'verdict' in answered && answered.verdict.allowed;
  return semantic === (allowed ? 'permit_on_first_permit' : 'deny_on_first_deny');
}

/**
 * Leaves alone a session that another transaction is about to move as well. Its lock holds up nobody who begins a change
 * in the session: that refers to it by a foreign key.
 */
const moveSessions = {
  name: 'access_sessions',
  text: `
    UPDATE support_sessions s
       SET last_used_at = greatest(s.last_used_at, $2::timestamptz),
           due_at = least(s.expires_at, $2::timestamptz + make_interval(secs => s.idle_seconds))
      FROM (SELECT id FROM support_sessions WHERE id = ANY ($1::uuid[]) AND ended_at IS NULL
               FOR NO KEY UPDATE SKIP LOCKED) AS used
     WHERE s.id = used.id`,
};

/** Writes that the sessions were used, for those whose last use is more than a tenth of their idle limit ago. */
async function useSessions(connection: Connection, { now, used }: Round): Promise<void> {
  const ids = [...used.values()].filter((session) => isUseWritten(session, now)).map(({ id }) => id);
  if (ids.length > 0) await run(connection, moveSessions, [ids, now]);
}

/** Begun no earlier than consented to: the clocks of two gateways differ a little. */
const startChanges = {
  name: 'access_start_changes',
  text: `
    UPDATE change_requests c
       SET state = 'IN_PROGRESS', allowed_at = greatest(c.decided_at, $3::timestamptz), session_id = allowed.session_id,
           version = c.version + 1
      FROM unnest($1::uuid[], $2::uuid[]) AS allowed(id, session_id)
     WHERE c.id = allowed.id AND c.state = 'CONSENTED' AND c.valid_until > $3::timestamptz
    RETURNING ${changeRequestColumns}`,
};

/** Begins the changes that were allowed, and returns the entries that say so. */
async function consumeChanges(connection: Connection, { now, consumed }: Round): Promise<AuditEntry[]> {
  if (consumed.size === 0) return [];
  const sessions = [...consumed.values()].map(({ session }) => session.id);
  const values = [[...consumed.keys()], sessions, now];
  const { rows } = await run<ChangeRequestRow>(connection, startChanges, values);
  // They are locked since before they were read.
  if (rows.length !== consumed.size) throw new WriteConflictError();
  return rows.flatMap((row) => {
    const { engineer } = consumed.get(row.id) ?? {};
    return engineer === undefined ? [] : beginEntry(row, engineer, now);
  });
}

function beginEntry(row: ChangeRequestRow, engineer: EngineerFacts, now: Date): AuditEntry {
  return changeRequestAuditEntry({
    ...{ before: { state: 'CONSENTED' }, request: toChangeRequest(row), command: 'Begin' },
    ...{ actor: actorOf({ kind: 'SUPPORT_ENGINEER', ...engineer }), occurredAt: now, reason: null },
  });
}

const insertEntries = { name: 'access_entries', text: insertAuditRows };

/** Writes the entries, in the order of the answers, and then those of the changes that were begun. */
async function record(
  connection: Connection,
  { now, answered }: Round,
  begun: readonly AuditEntry[],
): Promise<Map<Request, EvaluationAnswer[]>> {
  const entries = answered.map((one) => ({ ...one, id: newId(now) }));
  const rows = entries.map(({ id, answered, request }) =>
    auditRow(entryOf(answered, request.caller, now), id),
  );
  rows.push(...begun.map((entry) => auditRow(entry, newId(now))));
  await run(connection, insertEntries, [JSON.stringify(rows)]);
  const byRequest = Map.groupBy(entries, ({ request }) => request);
  return new Map(
    [...byRequest].map(([request, own]) => [
      request,
      own.map(({ answered: given, id }) => answerTo(given, id)),
    ]),
  );
}
