/**
 * The one pipeline every command goes through:
 *
 *     refuse? → lock → repeat? → load → authorize → decide (pure) → write state + audit + events + mail → commit → wake
 *
 * What is refused to an account that was refused something lately is refused before any lock: refuse-unlocked.ts.
 * All of it is one transaction. A refusal is written too: it has an entry on the audit log, and it is the answer
 * to a repetition. Nothing happens outside the database before the commit. Many commands on grants share a transaction:
 * execute-together.ts.
 */
import type { Sender } from '../audit/entry.ts';
import type { AppendedEvents } from '../events/outbox.ts';
import type { Viewer } from '../identity/viewer.ts';
import { findViewerById } from '../identity/viewer-store.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { inSpan } from '../metrics/spans.ts';
import type { UnsettledSites } from '../organizations/unsettled.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Transaction } from '../platform/database.ts';
import type { Logger } from '../platform/logger.ts';
import { defaultQuotas } from '../platform/quotas.ts';
import { retryOnWriteConflict } from '../platform/write-conflict.ts';
import type { Command, Rules } from './command.ts';
import { mayRun } from './decide-command.ts';
import { effectsOf, writeEffects } from './effects.ts';
import {
  type Answer,
  findAnswer,
  keepAnswer,
  type OwnedAnswer,
  releaseKey,
  repetitionOf,
} from './idempotency.ts';
import { lockAndRead, type Reads, readLater } from './lock-and-read.ts';
import { isOfQuota } from './quotas.ts';
import type { RecentRefusals } from './recent-refusals.ts';
import { forbidden, notFound, RefusedError } from './refusal.ts';
import { type RefusedUnlocked, refuseUnlocked } from './refuse-unlocked.ts';
import { tracedTransaction } from './traced-transaction.ts';

export type Dependencies = {
  database: Database;
  clock: Clock;
  /** Default: `defaultRules`. */
  rules?: Rules;
  /**
   * Called after a commit with the events that it appended. Delivers them, wakes the other gateways, and lets the entries of the
   * commit have their positions soon; never waits.
   */
  announce: (appended: AppendedEvents | null) => void;
  logger: Logger;
  /** Where reads look for what has ended and is not settled: organizations/unsettled.ts. */
  unsettledSites?: UnsettledSites;
  /** Who was refused something lately. Default: nobody was. */
  recentRefusals?: RecentRefusals;
  /** Where commands are counted. */
  metrics?: Metrics;
  /** Called after a commit that has left something to settle. Never waits. */
  settleSoon?: () => void;
};

/** Who runs a command, and the key under which a repetition gets the first answer. */
export type Caller = Sender & {
  idempotencyKey: string | null;
  /** The caller as they were a moment ago, for refusals without locks. Default: everything takes its locks. */
  viewer?: Viewer | undefined;
};

/**
 * Runs a command and returns the row it leaves.
 *
 * @throws RefusedError when it is refused. The refusal is on the audit log by then.
 */
export async function execute<Input, Facts, Row extends object>(
  dependencies: Dependencies,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<Row> {
  const { answer } = await executeAndLook(dependencies, command, input, caller);
  if ('refused' in answer) throw new RefusedError(answer.refused);
  return answer.answer;
}

/** The answer to a command, and the caller with the rights that they have after it; null: not an active account. */
export type Executed<Row extends object> = { answer: Answer<Row>; viewer: Viewer | null };

/** As `execute`, for somebody who shows the caller more than the row. A refusal is an answer. */
export async function executeAndLook<Input, Facts, Row extends object>(
  {
    database,
    clock,
    announce,
    unsettledSites,
    settleSoon,
    metrics,
    recentRefusals,
    ...settings
  }: Dependencies,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<Executed<Row>> {
  const run = async (tx: Transaction): Promise<Written<Row>> => {
    const suspect = recentRefusals?.has(caller.accountId) ? caller.viewer : undefined;
    const unlocked = await refuseUnlocked(tx, command, input, suspect, { clock, ...settings });
    const { idempotencyKey: key, accountId } = caller;
    const repetition = key === null ? null : repetitionOf(accountId, key, command.operation, input);
    const read = unlocked === null ? lockAndRead : readLater;
    const reads = await read(tx, command, { input, accountId, repetition });
    if (repetition !== null && reads.isRepeated) {
      const first = await findAnswer<Row>(tx, repetition);
      return await answerAgain(command, reads, first);
    }
    const written =
      unlocked === null
        ? await decideAndWrite(tx, command, input, caller, reads, { clock, ...settings })
        : await writeRefusal(tx, unlocked, caller);
    if (repetition !== null) {
      const { answer } = written;
      if ('refused' in answer && isOfQuota(answer.refused)) await releaseKey(tx, repetition);
      else await keepAnswer(tx, repetition, written);
    }
    return written;
  };
  const { appended, unsettled, ...executed } = await inSpan(`command ${command.operation}`, {}, () =>
    retryOnWriteConflict(() => tracedTransaction(database, run)),
  );
  inSpan('publish', {}, () => announce(appended));
  metrics?.commandAnswered(command.operation, outcomeOf(executed.answer));
  if ('refused' in executed.answer) recentRefusals?.note(caller.accountId);
  unsettledSites?.note(unsettled.siteIds);
  if (unsettled.isNew) settleSoon?.();
  return executed;
}

/** `DONE`, or the code of the refusal. */
export const outcomeOf = (answer: Answer<object>): string =>
  'refused' in answer ? answer.refused.code : 'DONE';

async function writeRefusal<Row extends object>(
  tx: Transaction,
  { effects, viewer, now }: RefusedUnlocked<Row>,
  caller: Caller,
): Promise<FirstWritten<Row>> {
  const appended = await writeEffects(tx, [effects], now, caller);
  const { answer, organizationId } = effects;
  return { answer, organizationId, viewer, appended, unsettled: nothingUnsettled };
}

/** What a transaction leaves, with the events for the relay. */
type Written<Row extends object> = Executed<Row> & {
  appended: AppendedEvents | null;
  /** The sites on which something is unsettled, and whether the command has left it so. */
  unsettled: { siteIds: readonly string[]; isNew: boolean };
};

/** What the first run of a command leaves. */
type FirstWritten<Row extends object> = Written<Row> & OwnedAnswer<Row>;

const nothingUnsettled = { siteIds: [], isNew: false };

/**
 * Answers a repeated command: as the first time, unless the caller may no longer see that. The answered row leads to
 * others, and the caller may have lost the right to see them since.
 */
async function answerAgain<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  reads: Reads<Facts>,
  first: Answer<Row>,
): Promise<Written<Row>> {
  const found = await reads.viewerAt();
  if (found === null)
    return { answer: { refused: notActive }, viewer: null, appended: null, unsettled: nothingUnsettled };
  const { viewer, readAt, unsettledSites: siteIds } = found;
  const unsettled = { siteIds, isNew: false };
  if (command.seesAnswer !== undefined && 'answer' in first) {
    const isVisible = command.seesAnswer(viewer, first.answer);
    return {
      answer: isVisible ? first : { refused: notFound(command.resource) },
      viewer,
      ...{ appended: null, unsettled },
    };
  }
  const facts = await reads.factsAt(readAt);
  return { answer: answerToRepetition(command, facts, viewer, first), viewer, appended: null, unsettled };
}

/**
 * The first answer, if the viewer may still see what the command names. A refusal to run a command on something that does
 * not exist, or no longer, shows nothing of it.
 */
export function answerToRepetition<Input, Facts, Row extends object>(
  { relations, isVisible, isAnswerVisible = isVisible, resource }: Command<Input, Facts, Row>,
  facts: Facts | null,
  viewer: Viewer,
  first: Answer<Row>,
): Answer<Row> {
  const sees = 'answer' in first ? isAnswerVisible : isVisible;
  return facts === null || sees(relations(viewer, facts)) ? first : { refused: notFound(resource) };
}

export const notActive = forbidden('Your account is not active.');

async function decideAndWrite<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
  reads: Reads<Facts>,
  { clock, rules }: Pick<Dependencies, 'clock' | 'rules'>,
): Promise<FirstWritten<Row>> {
  const found = await reads.viewerAt();
  if (found === null)
    return {
      ...{ answer: { refused: notActive }, organizationId: null },
      ...{ viewer: null, appended: null, unsettled: nothingUnsettled },
    };
  const { viewer } = found;
  // Read after the locks, so that the changes of one thing have times in their order.
  const now = clock(found.readAt);
  const facts = await reads.factsAt(now);
  const asking = { viewer, now, quotas: rules?.quotas ?? defaultQuotas };
  const isAsked = facts !== null && mayRun(command, facts, viewer);
  const exceeded = isAsked ? ((await command.exceeded?.(tx, facts, asking)) ?? null) : null;
  const effects = inSpan('decide', {}, () =>
    effectsOf(command, facts, input, { viewer, now, rules, exceeded }),
  );
  const appended = await inSpan('write', {}, () => writeEffects(tx, [effects], now, caller));
  const after = effects.accessChangedFor.includes(viewer.id) ? await findViewerById(tx, viewer.id) : viewer;
  const { unsettledSiteId: left } = effects;
  const { unsettledSites: siteIds } = found;
  const unsettled =
    left === undefined ? { siteIds, isNew: false } : { siteIds: [...siteIds, left], isNew: true };
  const { answer, organizationId } = effects;
  return { answer, organizationId, viewer: after, appended, unsettled };
}
