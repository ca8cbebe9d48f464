/**
 * The one pipeline every command goes through:
 *
 *     lock → repeat? → load → authorize → decide (pure) → write state + audit + events + mail → commit → wake
 *
 * All of it is one transaction. A refusal is written too: it has an entry on the audit log, and it is the answer
 * to a repetition. Nothing happens outside the database before the commit.
 */
import type { AuditAction } from '../audit/actions.ts';
import { type AuditContext, type AuditEntry, type AuditResource, actorOf } from '../audit/entry.ts';
import { appendAuditEntries } from '../audit/store.ts';
import { type AccessChangedEnvelope, accessKind } from '../events/kinds/access.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import type { Viewer } from '../identity/viewer.ts';
import { findViewerAt, findViewerById, type ViewerAt } from '../identity/viewer-store.ts';
import { queueMails } from '../notifications/queue.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import { retryOnWriteConflict } from '../platform/write-conflict.ts';
import { lockRights } from '../roles/locks.ts';
import { saveSessionChanges } from '../sessions/store.ts';
import type { Command, OwnAuditEntry, Rules } from './command.ts';
import { decideCommand } from './decide-command.ts';
import { grantChangeMails } from './grant-change-effects.ts';
import { type Answer, findAnswer, keepAnswer, keyHasAnswer, repetitionOf } from './idempotency.ts';
import { forbidden, notFound, type Refusal, RefusedError } from './refusal.ts';
import { sessionAuditEntry, sessionEvent } from './session-effects.ts';
import { writeGrantChanges } from './write-grant-changes.ts';

export type Dependencies = {
  database: Database;
  clock: Clock;
  /** Default: `defaultRules`. */
  rules?: Rules;
  /** Called after a commit with the events that it appended. Delivers them and wakes the other gateways; never waits. */
  announce: (appended: AppendedEvents | null) => void;
  logger: Logger;
};

/** Who runs a command, and the key under which a repetition gets the first answer. */
export type Caller = { accountId: string; idempotencyKey: string | null };

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
  { database, clock, announce, ...settings }: Dependencies,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<Executed<Row>> {
  const { appended, ...executed } = await retryOnWriteConflict(() =>
    database.transaction(async (tx): Promise<Written<Row>> => {
      await command.lock(tx, input);
      await lockRights(tx, caller.accountId, [(await command.rights?.(input, tx)) ?? []].flat());
      const { idempotencyKey: key } = caller;
      const repetition = key === null ? null : repetitionOf(caller.accountId, key, command.operation, input);
      if (repetition !== null && (await keyHasAnswer(tx, repetition))) {
        const first = await findAnswer<Row>(tx, repetition);
        return await answerAgain(tx, command, input, caller, first);
      }
      const written = await decideAndWrite(tx, command, input, caller, { clock, ...settings });
      if ('refused' in written.answer) assertDeclared(command, written.answer.refused);
      if (repetition !== null) await keepAnswer(tx, repetition, written.answer);
      return written;
    }),
  );
  announce(appended);
  return executed;
}

/** What a transaction leaves, with the events for the relay. */
type Written<Row extends object> = Executed<Row> & { appended: AppendedEvents | null };

/**
 * Answers a repeated command: as the first time, unless the caller may no longer see that. The answered row leads to
 * others, and the caller may have lost the right to see them since.
 */
async function answerAgain<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
  first: Answer<Row>,
): Promise<Written<Row>> {
  const found = await findViewerAt(tx, caller.accountId);
  if (found === null) return notActive;
  const { viewer } = found;
  const isVisible =
    command.seesAnswer !== undefined && 'answer' in first
      ? command.seesAnswer(viewer, first.answer)
      : await seesWhatItNames(tx, command, input, found, 'answer' in first);
  const answer = isVisible ? first : { refused: notFound(command.resource) };
  return { answer, viewer, appended: null };
}

/** A refusal to run a command on something that does not exist, or no longer, shows nothing of it. */
async function seesWhatItNames<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  { viewer, readAt }: ViewerAt,
  isAnswered: boolean,
): Promise<boolean> {
  const { isVisible, isAnswerVisible = isVisible } = command;
  const facts = await command.load(tx, input, readAt);
  return facts === null || (isAnswered ? isAnswerVisible : isVisible)(command.relations(viewer, facts));
}

const notActive = {
  answer: { refused: forbidden('Your account is not active.') },
  viewer: null,
  appended: null,
};

function assertDeclared<Input, Facts, Row extends object>(
  { operation, refusals }: Command<Input, Facts, Row>,
  { code }: Refusal,
): void {
  if (!refusals.includes(code))
    throw new Error(`${operation} was refused with ${code}, which it does not declare`);
}

async function decideAndWrite<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
  { clock, rules }: Pick<Dependencies, 'clock' | 'rules'>,
): Promise<Written<Row>> {
  const found = await findViewerAt(tx, caller.accountId);
  if (found === null) return notActive;
  const { viewer } = found;
  // Read after the locks, so that the changes of one thing have times in their order.
  const now = clock(found.readAt);
  const facts = await command.load(tx, input, now);
  if (facts === null) return { answer: { refused: notFound(command.resource) }, viewer, appended: null };

  const { isVisible, preceding, outcome } = decideCommand(command, facts, input, { viewer, now, rules });
  const subject: AuditSubject = {
    auditResource: command.auditResource(facts, input),
    // The organization is not shown the guesses of people who may not see what is its own.
    auditContext: isVisible ? command.auditContext(facts) : { organizationId: null },
  };
  const entries = auditEntries(command.action, viewer, now);
  if ('refused' in outcome) {
    await outcome.write?.(tx);
    const written = await writeGrantChanges(tx, preceding);
    await appendAuditEntries(tx, [...written.entries, entries.refusal(outcome.refused, subject)]);
    const appended = await appendEvents(tx, written.events);
    return { answer: { refused: outcome.refused }, viewer, appended };
  }
  const grants = [...preceding, ...(outcome.grants ?? [])];
  await outcome.write?.(tx);
  const written = await writeGrantChanges(tx, grants);
  const { sessions = [] } = outcome;
  await saveSessionChanges(tx, sessions);
  const own = [outcome.entry ?? [], ...(outcome.consequences ?? [])]
    .flat()
    .map((entry) => entries.success(entry, subject));
  await appendAuditEntries(tx, [...own, ...written.entries, ...sessions.map(sessionAuditEntry)]);
  const { accessChangedFor = [] } = outcome;
  const appended = await appendEvents(tx, [
    ...written.events,
    ...sessions.map(sessionEvent),
    ...accessChangedFor.map(accessChanged(now)),
  ]);
  await queueMails(tx, [...grants.flatMap(grantChangeMails), ...(outcome.mails ?? [])], now);
  const after = accessChangedFor.includes(viewer.id) ? await findViewerById(tx, viewer.id) : viewer;
  return { answer: { answer: outcome.answer }, viewer: after, appended };
}

type AuditSubject = { auditContext: AuditContext; auditResource: AuditResource };

/** Makes the audit entries of one command. */
function auditEntries(action: AuditAction, viewer: Viewer, now: Date) {
  const actor = actorOf(viewer);
  const entry = (
    { auditContext, auditResource, ...made }: AuditSubject & Pick<OwnAuditEntry, 'action' | 'actor'>,
    refusalCode: string | null,
    details: Record<string, unknown>,
  ): AuditEntry => ({
    ...auditContext,
    action,
    actor,
    ...made,
    resource: auditResource,
    refusalCode,
    occurredAt: now,
    details,
  });
  return {
    refusal: (refused: Refusal, subject: AuditSubject) =>
      entry(subject, refused.code, refused.kind === 'NotEligible' ? { obstacles: refused.obstacles } : {}),
    success: ({ details, ...own }: OwnAuditEntry, subject: AuditSubject) =>
      entry({ ...subject, ...own }, null, details),
  };
}

/** The events that tell subscribers of a change of their rights. */
export function accessChanged(now: Date) {
  return (accountId: string): AccessChangedEnvelope => ({
    id: newId(now),
    kind: accessKind,
    type: 'ACCESS_CHANGED',
    occurredAt: now,
    accountId,
  });
}
