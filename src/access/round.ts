/**
 * A round: the evaluations of many requests in one transaction. It takes the locks that it can get at once, reads the
 * facts in a later statement, decides, writes the entries, and commits. Only then are the answers given.
 *
 * Statements are sent together where one does not need the result of another. PostgreSQL executes them in their order,
 * and each sees what was committed before it began, so the facts are as they are while the locks are held.
 */
import { type AuditEntry, actorOf } from '../audit/entry.ts';
import { auditRow, insertAuditRows } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { type ChangeOnTicket, changeRequestEvent, type TicketOfChange } from '../changes/event.ts';
import {
  type ChangeRequestRow,
  changeRequestColumns,
  ticketOfChangeInSql,
  toChangeRequest,
} from '../changes/row.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import type { VendorSites } from '../organizations/residency.ts';
import type { Clock } from '../platform/clock.ts';
import { newId } from '../platform/ids.ts';
import { WriteConflictError } from '../platform/write-conflict.ts';
import { isUseWritten } from '../sessions/session.ts';
import type { Connection } from './connection.ts';
import {
  type AskerFacts,
  type ChangeFacts,
  type Circumstances,
  decide,
  type EngineerFacts,
  type SessionFacts,
} from './decide.ts';
import type { Asker, EvaluationAnswer, EvaluationSemantic } from './evaluation.ts';
import { changesOf, lockChangesOf, type RoundFacts, readFacts } from './facts.ts';
import { distinct, type Locks, tryLocks, type Uses, useOf } from './locks.ts';
import { isQuestion, type Problem, type Question } from './question.ts';
import { type Answered, answerTo, entryOf } from './record.ts';

/** The evaluations of one request. */
export type Request = {
  readonly items: readonly (Question | Problem)[];
  readonly semantic: EvaluationSemantic;
  readonly caller: Asker;
};

export type Settings = { readonly clock: Clock; readonly vendor: VendorSites };

/** What becomes of a request: its answers; something has a lock that it needs; or its caller may not ask. */
export type Outcome = readonly EvaluationAnswer[] | 'LOCKED' | 'FORBIDDEN';

/** A request that is answered, and the account that asks. */
type Included = { readonly request: Request; readonly asker: AskerFacts };

/** The outcomes in the order of the requests, and the events of the changes that were begun. */
export type Answers = { readonly outcomes: Outcome[]; readonly appended: AppendedEvents | null };

/** Answers the requests within a transaction. */
export async function answerRound(
  connection: Connection,
  requests: readonly Request[],
  settings: Settings,
): Promise<Answers> {
  const read = await readRound(connection, requests);
  const judged = requests.map((request) => include(request, read));
  const included = judged.filter((one) => typeof one === 'object');
  if (included.length === 0)
    return { outcomes: judged.filter((one) => typeof one === 'string'), appended: null };
  const round = judge(included, read, settings);
  const [begun] = await Promise.all([consumeChanges(connection, round), useSessions(connection, round)]);
  const appended = await appendEvents(writerOn(connection), begun.map(changeRequestEvent));
  const answers = await record(connection, round, begun.map(changeRequestAuditEntry));
  const outcomes = judged.map((one) =>
    typeof one === 'string' ? one : (answers.get(one.request) ?? 'LOCKED'),
  );
  return { outcomes, appended };
}

function include(request: Request, { locks, facts }: Read): Included | 'LOCKED' | 'FORBIDDEN' {
  if (!locks.askers.has(request.caller.id)) return 'LOCKED';
  const asker = facts.askerOf(request.caller);
  if (asker === null) return 'FORBIDDEN';
  return questionsOf(request).every((one) => isLocked(one, locks.uses)) ? { request, asker } : 'LOCKED';
}

function questionsOf({ items }: Request): Question[] {
  return items.filter(isQuestion);
}

/** What does not exist needs no lock: nothing is read of it. */
function isLocked(question: Question, uses: Uses): boolean {
  return uses.get(useOf(question))?.locked !== false;
}

/** The locks, and what was read after they were taken. */
type Read = {
  readonly locks: Locks;
  readonly facts: RoundFacts;
  readonly changes: Map<string, ChangeFacts>;
};

/** One round trip, or two if a question names a change: others wait for its lock, and the time must be read after that. */
async function readRound(connection: Connection, requests: readonly Request[]): Promise<Read> {
  const questions = requests.flatMap(questionsOf);
  const askerIds = distinct(requests.map(({ caller }) => caller.id));
  const changeIds = changesOf(questions);
  const locking = tryLocks(connection, questions, askerIds);
  if (changeIds.length === 0) {
    const [locks, facts] = await Promise.all([locking, readFacts(connection, questions, askerIds)]);
    return { locks, facts, changes: new Map() };
  }
  const locks = await locking;
  const [changes, facts] = await Promise.all([
    lockChangesOf(connection, changeIds, locks.uses),
    readFacts(connection, questions, askerIds),
  ]);
  return { locks, facts, changes };
}

/** What a round has decided, and what follows from it. */
type Round = {
  readonly now: Date;
  readonly answered: (Included & { readonly answered: Answered })[];
  /** The sessions in which something was allowed. */
  readonly used: Map<string, SessionFacts>;
  /** The changes that were allowed, each with its session and its engineer. */
  readonly consumed: Map<string, { session: SessionFacts; engineer: EngineerFacts }>;
};

function judge(included: readonly Included[], read: Read, { clock, vendor }: Settings): Round {
  const now = clock(read.facts.readAt);
  const round: Round = { now, answered: [], used: new Map(), consumed: new Map() };
  for (const one of included) {
    for (const item of one.request.items) {
      const answered = judgeItem(item, one, read, { now, vendor });
      round.answered.push({ ...one, answered });
      note(answered, round, read);
      if (ends(one.request.semantic, answered)) break;
    }
  }
  return round;
}

function judgeItem(
  item: Question | Problem,
  { asker }: Included,
  { facts, locks, changes }: Read,
  circumstances: Circumstances,
): Answered {
  if (!isQuestion(item)) return { problem: item };
  const known = facts.of(item, asker, { uses: locks.uses, changes });
  return { question: item, facts: known, verdict: decide(item, known, circumstances) };
}

/** Notes what an answer uses, so that the next one in the same round knows of it. */
function note(answered: Answered, { used, consumed }: Round, { changes }: Read): void {
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
  if (ids.length > 0) await connection.run(moveSessions, [ids, now]);
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
    RETURNING ${changeRequestColumns}, (${ticketOfChangeInSql}) AS ticket`,
};

/** Begins the changes that were allowed. */
async function consumeChanges(connection: Connection, { now, consumed }: Round): Promise<ChangeOnTicket[]> {
  if (consumed.size === 0) return [];
  const sessions = [...consumed.values()].map(({ session }) => session.id);
  const values = [[...consumed.keys()], sessions, now];
  const { rows } = await connection.run<BegunRow>(startChanges, values);
  // They are locked since before they were read.
  if (rows.length !== consumed.size) throw new WriteConflictError();
  return rows.flatMap((row) => {
    const { engineer } = consumed.get(row.id) ?? {};
    return engineer === undefined ? [] : begunBy(engineer, row, now);
  });
}

type BegunRow = ChangeRequestRow & { ticket: TicketOfChange };

function begunBy(engineer: EngineerFacts, { ticket, ...row }: BegunRow, now: Date): ChangeOnTicket {
  return {
    ...{ before: { state: 'CONSENTED' }, request: toChangeRequest(row), command: 'Begin', ticket },
    ...{ actor: actorOf({ kind: 'SUPPORT_ENGINEER', ...engineer }), occurredAt: now, reason: null },
  };
}

/** Lets the outbox write on this connection. */
function writerOn(connection: Connection): Parameters<typeof appendEvents>[0] {
  return {
    $queryRawUnsafe: async <Rows>(text: string, ...values: unknown[]) =>
      (await connection.run({ name: 'access_events', text }, values)).rows as Rows,
  };
}

const insertEntries = { name: 'access_entries', text: insertAuditRows };

/** Writes the entries, in the order of the answers, then those of the changes that were begun, and commits. */
async function record(
  connection: Connection,
  { now, answered }: Round,
  begun: readonly AuditEntry[],
): Promise<Map<Request, EvaluationAnswer[]>> {
  const rows: object[] = [];
  const answers = new Map<Request, EvaluationAnswer[]>();
  for (const { request, asker, answered: given } of answered) {
    const id = newId(now);
    rows.push(auditRow(entryOf(given, asker, now), id));
    const own = answers.get(request);
    if (own === undefined) answers.set(request, [answerTo(given, id)]);
    else own.push(answerTo(given, id));
  }
  rows.push(...begun.map((entry) => auditRow(entry, newId(now))));
  await connection.commitWith(insertEntries, [JSON.stringify(rows)]);
  return answers;
}
