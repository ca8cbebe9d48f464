/**
 * The one pipeline every command goes through:
 *
 *     lock → repeat? → load → authorize → decide (pure) → write state + audit + events + mail → commit → wake
 *
 * All of it is one transaction. A refusal is written too: it is an entry of the audit log, and the answer
 * to a repetition. Nothing outside the database happens before the commit.
 */
import { createHash } from 'node:crypto';
import type { AuditAction } from '../audit/actions.ts';
import type { Actor, AuditContext, AuditEntry, AuditResource } from '../audit/entry.ts';
import { appendAuditEntries } from '../audit/store.ts';
import { type MutationName, may, type Relation } from '../authorization/operations.ts';
import type { EventEnvelope } from '../events/envelope.ts';
import { appendEvents } from '../events/outbox.ts';
import { GrantMovedOnError, saveGrantChanges } from '../grants/store.ts';
import { findViewerById, type Viewer } from '../identity/viewer.ts';
import { queueGuardMails } from '../notifications/store.ts';
import type { Clock } from '../platform/clock.ts';
import { type Database, isUniqueViolation, isWriteConflict, type Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { shareRights } from '../platform/locks.ts';
import type { Logger } from '../platform/logger.ts';
import {
  auditGrantChange,
  eventOfGrantChange,
  grantsPutBeforeGuard,
  type RecordedGrantChange,
} from './grant-change-records.ts';
import { type Answer, findAnswer, keepAnswer, keyHasAnswer } from './idempotency.ts';
import { forbidden, notFound, type Refusal, RefusedError } from './refusal.ts';

export type Dependencies = {
  database: Database;
  clock: Clock;
  /** Tells the relay that something was committed; returns at once. */
  wake: () => void;
  logger: Logger;
};

/** Who gives a command, and under which key a repetition gets the first answer. */
export type Caller = { accountId: string; idempotencyKey: string | null };

/** What one command knows and decides; everything else is the same for all of them. */
export type Command<Input, Facts, Row extends object> = {
  /** Its row in the authorization table. */
  operation: MutationName;
  /** How it reads on the audit log. */
  action: AuditAction;
  /** What it names, in the words of the API: `Ticket`, `Grant`, `Site` … */
  resource: string;
  /** Takes the locks of what it touches, before anything is written. */
  lock: (tx: Transaction, input: Input) => Promise<void>;
  /** The facts it is decided on, or null when what it names does not exist. Read after the locks. */
  load: (tx: Transaction, input: Input) => Promise<Facts | null>;
  /** In which relations the caller stands to what it names. */
  relations: (viewer: Viewer, facts: Facts) => ReadonlySet<Relation>;
  /** Whether somebody in these relations may know that it exists; who may not is told it does not. */
  isVisible: (relations: ReadonlySet<Relation>) => boolean;
  /** What to answer somebody who may see it and may not do it. */
  refuse?: (viewer: Viewer, facts: Facts) => Refusal;
  /** Where its entries belong. */
  belongsTo: (facts: Facts) => AuditContext;
  /** What its line on the audit log is about: what it names, or what that belongs to. */
  about: (facts: Facts, input: Input) => AuditResource;
  /** What time has already ended, whatever is decided now. */
  settle?: (facts: Facts, now: Date) => { facts: Facts; changes: RecordedGrantChange[] };
  decide: (
    facts: Facts,
    input: Input,
    by: { viewer: Viewer; now: Date; relations: ReadonlySet<Relation> },
  ) => Outcome<Row>;
};

export type Outcome<Row extends object> =
  | { refused: Refusal }
  | {
      /** The row the API answers with, as it is after the command. */
      answer: Row;
      /** What happened to grants, in order. */
      grants?: readonly RecordedGrantChange[];
      /** Writes the rows of other models. */
      write?: (tx: Transaction) => Promise<void>;
      /** The command's own line on the audit log; a command on a grant has the lines of its changes instead. */
      entry?: Line;
      /** Accounts whose rights this changes: their subscriptions are checked again. */
      accessChangedFor?: readonly string[];
    };

/** A line of success; left out, it is about the same and belongs to the same as a refusal. */
type Line = { about?: AuditResource; belongsTo?: AuditContext; details: Record<string, unknown> };

/**
 * Carries out a command and answers the row it leaves.
 *
 * @throws RefusedError when it is refused; the refusal is on record by then.
 */
export async function execute<Input, Facts, Row extends object>(
  { database, clock, wake }: Dependencies,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<Row> {
  const answer = await retryOnConflict(() =>
    database.transaction(async (tx): Promise<Answer<Row>> => {
      await command.lock(tx, input);
      await shareRights(tx, caller.accountId);
      const { idempotencyKey: key } = caller;
      const repetition =
        key === null
          ? null
          : { accountId: caller.accountId, key, command: command.operation, inputHash: hash(input) };
      if (repetition !== null && (await keyHasAnswer(tx, repetition, clock()))) {
        const first = await findAnswer<Row>(tx, repetition);
        return (await mayStillSee(tx, command, input, caller))
          ? first
          : { refused: notFound(command.resource) };
      }
      const written = await decideAndWrite(tx, command, input, caller, clock);
      if (repetition !== null) await keepAnswer(tx, repetition, written);
      return written;
    }),
  );
  wake();
  if ('refused' in answer) throw new RefusedError(answer.refused);
  return answer.answer;
}

/**
 * Whether a repetition may have the first answer: what hangs on the answered row is read anew, and the caller
 * may have lost the right to see it. What is gone altogether leaves nothing to see but the answer.
 */
async function mayStillSee<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
): Promise<boolean> {
  const viewer = await findViewerById(tx, caller.accountId);
  if (viewer === null) return false;
  const facts = await command.load(tx, input);
  return facts === null || command.isVisible(command.relations(viewer, facts));
}

async function decideAndWrite<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  caller: Caller,
  clock: Clock,
): Promise<Answer<Row>> {
  const viewer = await findViewerById(tx, caller.accountId);
  if (viewer === null) return { refused: forbidden('Your account is not active.') };
  const loaded = await command.load(tx, input);
  const now = clock();
  const record = recorder(command, viewer, now);
  if (loaded === null) return { refused: notFound(command.resource) };

  const relations = command.relations(viewer, loaded);
  const at = { belongsTo: command.belongsTo(loaded), about: command.about(loaded, input) };
  if (!command.isVisible(relations)) {
    const refused = notFound(command.resource);
    await appendAuditEntries(tx, [record.refusal(refused, { ...at, belongsTo: { organizationId: null } })]);
    return { refused };
  }
  const { facts, changes: settled } = command.settle?.(loaded, now) ?? { facts: loaded, changes: [] };
  const outcome = may(command.operation, relations)
    ? command.decide(facts, input, { viewer, now, relations })
    : { refused: command.refuse?.(viewer, facts) ?? forbidden('Your role does not allow this.') };

  const grants = [...settled, ...('refused' in outcome ? [] : (outcome.grants ?? []))];
  if ('refused' in outcome) {
    await saveGrantChanges(tx, grants);
    await appendAuditEntries(tx, [...settled.map(auditGrantChange), record.refusal(outcome.refused, at)]);
    await appendEvents(tx, settled.map(eventOfGrantChange));
    return { refused: outcome.refused };
  }
  await outcome.write?.(tx);
  await saveGrantChanges(tx, grants);
  const own = outcome.entry === undefined ? [] : [record.success(outcome.entry, at)];
  await appendAuditEntries(tx, [...own, ...grants.map(auditGrantChange)]);
  await appendEvents(tx, [
    ...grants.map(eventOfGrantChange),
    ...(outcome.accessChangedFor ?? []).map(accessChanged(now)),
  ]);
  await queueGuardMails(tx, grantsPutBeforeGuard(grants), now);
  return { answer: outcome.answer };
}

type Place = { belongsTo: AuditContext; about: AuditResource };

function recorder<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  viewer: Viewer,
  now: Date,
) {
  const { kind, id, email, name } = viewer;
  const actor: Actor = { kind, id, email, name };
  const line = (at: Place, refusalCode: string | null, details: Record<string, unknown>): AuditEntry => ({
    ...at.belongsTo,
    action: command.action,
    actor,
    resource: at.about,
    refusalCode,
    occurredAt: now,
    details,
  });
  return {
    refusal: (refused: Refusal, at: Place) =>
      line(at, refused.code, refused.kind === 'NotEligible' ? { obstacles: refused.obstacles } : {}),
    success: (entry: Line, at: Place) => line({ ...at, ...entry }, null, entry.details),
  };
}

function accessChanged(now: Date) {
  return (accountId: string): EventEnvelope => ({
    id: newId(),
    kind: 'access',
    type: 'ACCESS_CHANGED',
    occurredAt: now,
    accountId,
  });
}

function hash(input: unknown): string {
  return createHash('sha256').update(JSON.stringify(input)).digest('hex');
}

/** Thrown by a command's `write` when somebody else changed the row since it was read. */
export class LostRaceError extends Error {
  constructor() {
    super('The row was changed by somebody else in the meantime.');
    this.name = 'LostRaceError';
  }
}

const attempts = 3;

/** A lost race is decided anew on what the winner left. Locks make it rare; nothing makes it impossible. */
async function retryOnConflict<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const lostRace =
        error instanceof GrantMovedOnError ||
        error instanceof LostRaceError ||
        isWriteConflict(error) ||
        isUniqueViolation(error);
      if (!lostRace || attempt === attempts) throw error;
    }
  }
}
