/** Answers evaluations. Those that wait at the same time share a transaction, whichever requests they came with. */
import type { AppendedEvents } from '../events/outbox.ts';
import type { Database } from '../platform/database.ts';
import { isUnavailable } from '../platform/database.ts';
import { connections, inTransaction } from './connection.ts';
import type { Asker, Decider, EvaluationAnswer, EvaluationItem } from './evaluation.ts';
import { type Problem, type Question, readQuestion } from './question.ts';
import { answerRound, type Outcome, type Request, type Settings } from './round.ts';

/** The bounds of one gateway. */
const evaluatorLimits = {
  /** Transactions at a time. */
  transactions: connections,
  /** Transactions that begin at once, for however few evaluations. */
  atOnce: 2,
  /** Evaluations that are worth one more beside those: the more share a transaction, the less each of them costs. */
  worthwhile: 8,
  /** Milliseconds that a transaction may take until a further one begins for any that wait. */
  patienceMs: 50,
  /** Evaluations in one transaction, unless a single request has more. */
  perTransaction: 100,
  /** Evaluations that wait for a transaction or are in one. */
  waiting: 2_000,
  /** Evaluations that wait for a lock. */
  waitingForLocks: 1_000,
  /** Milliseconds that a request waits for its locks and for a transaction. */
  waitMs: 2_000,
  /** Milliseconds after which a lock is tried again. */
  retryMs: 20,
} as const;

export type EvaluatorLimits = { readonly [Name in keyof typeof evaluatorLimits]: number };

/** Too many evaluations wait, or one waited too long. `isUnavailable` knows it by its code: a lock was not available. */
class EvaluationUnavailableError extends Error {
  readonly code = '55P03';
  constructor(message: string) {
    super(message);
    this.name = 'EvaluationUnavailableError';
  }
}

/** A request that waits for its answers. */
type Job = Request & {
  readonly settle: (outcome: readonly EvaluationAnswer[] | null | Error) => void;
  /** Whether its time is over. */
  isLate: boolean;
};

export function createEvaluator({
  database,
  announce,
  limits: given = {},
  ...settings
}: Settings & {
  database: Database;
  /** Called after a commit with the events that it appended. Never waits. */
  announce: (appended: AppendedEvents | null) => void;
  limits?: Partial<EvaluatorLimits>;
}): Decider<Asker> {
  const limits: EvaluatorLimits = { ...evaluatorLimits, ...given };
  const ready: Job[] = [];
  const waitingForLocks: Job[] = [];
  let waiting = 0;
  let running = 0;
  let startedAt = 0;
  let isStarting = false;
  let isPatient = false;

  /** In a moment: what arrives together, such as after the answers of the last round, goes into one. */
  function startSoon(): void {
    if (isStarting) return;
    isStarting = true;
    setImmediate(() => {
      isStarting = false;
      startRounds();
    });
  }

  function startRounds(): void {
    while (ready.length > 0 && running < limits.transactions && isWorthwhile()) {
      running += 1;
      startedAt = performance.now();
      void runRound(takeRound()).finally(() => {
        running -= 1;
        startSoon();
      });
    }
    if (ready.length > 0 && running < limits.transactions) bePatient();
  }

  function isWorthwhile(): boolean {
    const isSlow = performance.now() - startedAt >= limits.patienceMs;
    return running < limits.atOnce || isSlow || sizeOf(ready) >= limits.worthwhile;
  }

  function bePatient(): void {
    if (isPatient) return;
    isPatient = true;
    setTimeout(() => {
      isPatient = false;
      startRounds();
    }, limits.patienceMs);
  }

  /** The requests that wait longest, as many as fit into one transaction. */
  function takeRound(): Job[] {
    let items = 0;
    const beyond = ready.findIndex((job) => {
      items += job.items.length;
      return items > limits.perTransaction;
    });
    return ready.splice(0, beyond === -1 ? ready.length : Math.max(1, beyond));
  }

  async function runRound(jobs: readonly Job[]): Promise<void> {
    try {
      const { outcomes, appended } = await inTransaction(database.pool, (connection) =>
        answerRound(connection, jobs, settings),
      );
      announce(appended);
      for (const [at, job] of jobs.entries()) settle(job, outcomes[at] ?? 'LOCKED');
    } catch (error) {
      await settleFailed(jobs, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What fails for another reason than the database's availability may be the fault of one request: of its own alone. */
  async function settleFailed(jobs: readonly Job[], error: Error): Promise<void> {
    if (jobs.length === 1 || isUnavailable(error)) {
      for (const job of jobs) job.settle(error);
      return;
    }
    for (const job of jobs) await runRound([job]);
  }

  function settle(job: Job, outcome: Outcome): void {
    if (outcome === 'FORBIDDEN') job.settle(null);
    else if (outcome !== 'LOCKED') job.settle(outcome);
    else if (job.isLate) job.settle(lockedTooLong());
    else waitForLocks(job);
  }

  function waitForLocks(job: Job): void {
    if (sizeOf(waitingForLocks) + job.items.length > limits.waitingForLocks) {
      job.settle(new EvaluationUnavailableError('Too many evaluations wait for locked tickets.'));
      return;
    }
    waitingForLocks.push(job);
    if (waitingForLocks.length === 1) setTimeout(tryLocksAgain, limits.retryMs);
  }

  /** Behind the others, which may not be locked. */
  function tryLocksAgain(): void {
    ready.push(...waitingForLocks.splice(0));
    startSoon();
  }

  /** Ends the wait of a request, unless it is in a transaction: then it still gets the answers, if there are any. */
  function becomeLate(job: Job): void {
    job.isLate = true;
    for (const queue of [ready, waitingForLocks]) {
      const at = queue.indexOf(job);
      if (at === -1) continue;
      queue.splice(at, 1);
      job.settle(queue === ready ? waitedTooLong() : lockedTooLong());
    }
  }

  return async (items, semantic, caller) => {
    if (items.length === 0) return [];
    if (waiting + items.length > limits.waiting)
      throw new EvaluationUnavailableError('Too many evaluations are waiting.');
    const { promise, resolve, reject } = Promise.withResolvers<readonly EvaluationAnswer[] | null>();
    const job: Job = {
      ...{ items: items.map(readItem), semantic, caller, isLate: false },
      settle: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
    };
    const deadline = setTimeout(() => becomeLate(job), limits.waitMs);
    waiting += items.length;
    ready.push(job);
    startSoon();
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      waiting -= items.length;
    }
  };
}

function readItem(item: EvaluationItem): Question | Problem {
  return 'broken' in item
    ? { code: 'INVALID_QUESTION', message: item.broken }
    : readQuestion(item.evaluation);
}

function sizeOf(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { items }) => sum + items.length, 0);
}

function waitedTooLong(): EvaluationUnavailableError {
  return new EvaluationUnavailableError('The database was too slow for the evaluation.');
}

function lockedTooLong(): EvaluationUnavailableError {
  return new EvaluationUnavailableError('The ticket or its site was being changed for too long.');
}
