/**
 * The one pipeline every command goes through:
 *
 *     lock → repeat? → load → authorize → decide (pure) → write state + audit + events + mail → commit → wake
 *
 * All of it is one transaction. A refusal is written too: it has an entry on the audit log, and it is the answer
 * to a repetition. Nothing happens outside the database before the commit.
 */
import type { AuditAction } from '../audit/actions.ts';
import type { Actor, AuditContext, AuditEntry, AuditResource } from '../audit/entry.ts';
import { appendAuditEntries } from '../audit/store.ts';
import { type AccessChangedEnvelope, accessKind } from '../events/kinds/access.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import { saveGrantChanges } from '../grants/store.ts';
import type { Viewer } from '../identity/viewer.ts';
import { findViewerAt, findViewerById } from '../identity/viewer-store.ts';
import { queueMails } from '../notifications/queue.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import { retryOnWriteConflict } from '../platform/write-conflict.ts';
import { shareRights } from '../roles/locks.ts';
import type { Command, OwnAuditEntry } from './command.ts';
import { decideCommand } from './decide-command.ts';
import { grantChangeAuditEntry, grantChangeEvent, grantChangeMails } from './grant-change-effects.ts';
import { type Answer, findAnswer, keepAnswer, keyHasAnswer, repetitionOf } from './idempotency.ts';
import { forbidden, notFound, type Refusal, RefusedError } from './refusal.ts';

export type Dependencies = {
  database: Database;
  clock: Clock;
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
  { database, clock, announce }: Dependencies,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<Row> {
  const { answer, appended } = await retryOnWriteConflict(() =>
    database.transaction(async (tx): Promise<Written<Row>> => {
      await command.lock(tx, input);
      await (command.shareRights?.(tx, input, caller.accountId) ?? shareRights(tx, caller.accountId));
      const { idempotencyKey: key } = caller;
      const repetition = key === null ? null : repetitionOf(caller.accountId, key, command.operation, input);
      if (repetition !== null && (await keyHasAnswer(tx, repetition))) {
        const first = await findAnswer<Row>(tx, repetition);
        return { answer: (await refusalToShow(tx, command, input, caller, first)) ?? first, appended: null };
      }
      const written = await decideAndWrite(tx, command, input, caller, clock);
      if ('refused' in written.answer) assertDeclared(command, written.answer.refused);
      if (repetition !== null) await keepAnswer(tx, repetition, written.answer);
      return written;
    }),
  );
  announce(appended);
  if ('refused' in answer) throw new RefusedError(answer.refused);
  return answer.answer;
}

/** What a transaction leaves: the answer to the command, and the events for the relay. */
type Written<Row extends object> = { answer: Answer<Row>; appended: AppendedEvents | null };

/**
 * Why the caller is not shown the answer to a repeated command, or null if they are: the answered row leads to
 * others, and the caller may have lost the right to see them since.
 */
async function refusalToShow<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
  first: Answer<Row>,
): Promise<{ refused: Refusal } | null> {
  const viewer = await findViewerById(tx, caller.accountId);
  if (viewer === null) return { refused: notActive };
  const isVisible =
    command.seesAnswer !== undefined && 'answer' in first
      ? command.seesAnswer(viewer, first.answer)
      : await seesWhatItNames(tx, command, input, viewer);
  return isVisible ? null : { refused: notFound(command.resource) };
}

/** A refusal to run a command on something that does not exist, or no longer, shows nothing of it. */
async function seesWhatItNames<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  viewer: Viewer,
): Promise<boolean> {
  const facts = await command.load(tx, input);
  return facts === null || command.isVisible(command.relations(viewer, facts));
}

const notActive = forbidden('Your account is not active.');

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
  clock: Clock,
): Promise<Written<Row>> {
  const found = await findViewerAt(tx, caller.accountId);
  if (found === null) return { answer: { refused: notActive }, appended: null };
  const { viewer } = found;
  const facts = await command.load(tx, input);
  if (facts === null) return { answer: { refused: notFound(command.resource) }, appended: null };

  // Read after the locks, so that the changes of one thing have times in their order.
  const now = clock(found.readAt);
  const { isVisible, preceding, outcome } = decideCommand(command, facts, input, { viewer, now });
  const subject: AuditSubject = {
    auditResource: command.auditResource(facts, input),
    // The organization is not shown the guesses of people who may not see what is its own.
    auditContext: isVisible ? command.auditContext(facts) : { organizationId: null },
  };
  const entries = auditEntries(command.action, viewer, now);
  if ('refused' in outcome) {
    await saveGrantChanges(tx, preceding);
    await appendAuditEntries(tx, [
      ...preceding.map(grantChangeAuditEntry),
      entries.refusal(outcome.refused, subject),
    ]);
    const appended = await appendEvents(tx, preceding.map(grantChangeEvent));
    return { answer: { refused: outcome.refused }, appended };
  }
  const grants = [...preceding, ...(outcome.grants ?? [])];
  await outcome.write?.(tx);
  await saveGrantChanges(tx, grants);
  const own = [outcome.entry ?? [], ...(outcome.consequences ?? [])]
    .flat()
    .map((entry) => entries.success(entry, subject));
  await appendAuditEntries(tx, [...own, ...grants.map(grantChangeAuditEntry)]);
  const appended = await appendEvents(tx, [
    ...grants.map(grantChangeEvent),
    ...(outcome.accessChangedFor ?? []).map(accessChanged(now)),
  ]);
  await queueMails(tx, [...grants.flatMap(grantChangeMails), ...(outcome.mails ?? [])], now);
  return { answer: { answer: outcome.answer }, appended };
}

type AuditSubject = { auditContext: AuditContext; auditResource: AuditResource };

/** Makes the audit entries of one command. */
function auditEntries(action: AuditAction, viewer: Viewer, now: Date) {
  const { kind, id, email, name } = viewer;
  const actor: Actor = { kind, id, email, name };
  const entry = (
    { auditContext, auditResource, ...made }: AuditSubject & Pick<OwnAuditEntry, 'action'>,
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

function accessChanged(now: Date) {
  return (accountId: string): AccessChangedEnvelope => ({
    id: newId(),
    kind: accessKind,
    type: 'ACCESS_CHANGED',
    occurredAt: now,
    accountId,
  });
}
