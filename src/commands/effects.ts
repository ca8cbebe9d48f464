/** What a command leaves: decided purely, then written, for one command or for many in one transaction. */
import {
  type AuditContext,
  type AuditEntry,
  type AuditResource,
  actorOf,
  type Sender,
  sentBy,
} from '../audit/entry.ts';
import { withoutRepetitions } from '../audit/repeated-refusals.ts';
import { appendAuditEntries } from '../audit/store.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import { type ChangeOnTicket, changeRequestEvent } from '../changes/event.ts';
import { saveChanges } from '../changes/store.ts';
import { type AccessChangedEnvelope, accessKind } from '../events/kinds/access.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import type { MailRequest } from '../notifications/mail-kind.ts';
import { queueMails } from '../notifications/queue.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { saveSessionChanges } from '../sessions/store.ts';
import type { Command, OwnAuditEntry, Question } from './command.ts';
import { decideCommand } from './decide-command.ts';
import { type DecidedGrantChange, grantChangeMails } from './grant-change-effects.ts';
import type { Answer } from './idempotency.ts';
import { notFound, type Refusal } from './refusal.ts';
import { type DecidedSessionChange, sessionAuditEntry, sessionEvent } from './session-effects.ts';
import { writeGrantChanges } from './write-grant-changes.ts';

export type Effects<Row extends object> = {
  answer: Answer<Row>;
  /** Whose the answer is. Null: it says nothing of an organization. */
  organizationId: string | null;
  /** Writes the rows of other models. */
  write?: ((tx: Transaction) => Promise<void>) | undefined;
  /** The changes of grants, in order: first what had run out of time or lapsed. */
  grants: readonly DecidedGrantChange[];
  changeRequests: readonly ChangeOnTicket[];
  sessions: readonly DecidedSessionChange[];
  /** The audit entries before those of the grants, and after those of the sessions. */
  entries: { before: readonly AuditEntry[]; after: readonly AuditEntry[] };
  accessChangedFor: readonly string[];
  mails: readonly MailRequest[];
  /** The site on which something has ended that the background job has to settle. */
  unsettledSiteId?: string | undefined;
};

/** Decides a command on its facts; null: what its input names does not exist. Pure. */
export function effectsOf<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  facts: Facts | null,
  input: Input,
  question: Question,
): Effects<Row> {
  if (facts === null) return answerOnly({ refused: notFound(command.resource) });
  const { viewer, now } = question;
  const { isVisible, preceding, outcome } = decideCommand(command, facts, input, question);
  const subject: AuditSubject = {
    auditResource: command.auditResource(facts, input),
    // The organization is not shown the guesses of people who may not see what is its own.
    auditContext: isVisible ? command.auditContext(facts) : { organizationId: null },
  };
  const { organizationId } = subject.auditContext;
  const entry = (
    { auditContext, auditResource, ...made }: AuditSubject & Pick<OwnAuditEntry, 'action' | 'actor'>,
    refusalCode: string | null,
    details: Record<string, unknown>,
  ): AuditEntry => ({
    ...auditContext,
    ...{ action: command.action, actor: actorOf(viewer), ...made },
    ...{ resource: auditResource, refusalCode, occurredAt: now, details },
  });
  if ('refused' in outcome) {
    const { refused, write } = outcome;
    assertDeclared(command, refused);
    const details = refused.kind === 'NotEligible' ? { obstacles: refused.obstacles } : {};
    return {
      ...answerOnly({ refused }, [entry(subject, refused.code, details)]),
      ...{ organizationId, write, grants: preceding },
    };
  }
  const grants = [...preceding, ...(outcome.grants ?? [])];
  const own = [outcome.entry ?? [], ...(outcome.consequences ?? [])].flat();
  return {
    answer: { answer: outcome.answer },
    organizationId:
      organizationOf(outcome.answer) ?? outcome.entry?.auditContext?.organizationId ?? organizationId,
    write: outcome.write,
    grants,
    changeRequests: outcome.changeRequests ?? [],
    sessions: outcome.sessions ?? [],
    entries: {
      before: own.map(({ details, ...made }) => entry({ ...subject, ...made }, null, details)),
      after: [],
    },
    accessChangedFor: outcome.accessChangedFor ?? [],
    mails: [...grants.flatMap(grantChangeMails), ...(outcome.mails ?? [])],
    unsettledSiteId: outcome.unsettledSiteId,
  };
}

function organizationOf(row: { organizationId?: string | null }): string | null {
  return row.organizationId ?? null;
}

type AuditSubject = { auditContext: AuditContext; auditResource: AuditResource };

/** An answer that changes nothing, with the audit entries of a refusal. */
export function answerOnly<Row extends object>(
  answer: Answer<Row>,
  after: readonly AuditEntry[] = [],
): Effects<Row> {
  return {
    ...{ answer, organizationId: null },
    ...{ grants: [], changeRequests: [], sessions: [], entries: { before: [], after } },
    ...{ accessChangedFor: [], mails: [] },
  };
}

function assertDeclared<Input, Facts, Row extends object>(
  { operation, refusals }: Command<Input, Facts, Row>,
  { code }: Refusal,
): void {
  if (!refusals.includes(code))
    throw new Error(`${operation} was refused with ${code}, which it does not declare`);
}

/**
 * Writes the effects of commands that were decided one after the other, and returns their events for the relay. As many
 * statements for many commands as for one, except those that a command writes itself.
 *
 * @param sender by whose request they were caused
 */
export async function writeEffects(
  tx: Transaction,
  effects: readonly Effects<object>[],
  now: Date,
  sender: Sender,
): Promise<AppendedEvents | null> {
  for (const { write } of effects) await write?.(tx);
  await saveChanges(
    tx,
    effects.flatMap(({ changeRequests }) => changeRequests),
  );
  const consequences = await writeGrantChanges(
    tx,
    effects.flatMap(({ grants }) => grants),
  );
  await saveSessionChanges(
    tx,
    effects.flatMap(({ sessions }) => sessions),
  );
  let written = 0;
  const inOrder = effects.map(({ grants, changeRequests, sessions, entries, accessChangedFor }) => {
    const ofGrants = consequences.slice(written, written + grants.length);
    written += grants.length;
    return {
      entries: [
        ...entries.before,
        ...changeRequests.map(changeRequestAuditEntry),
        ...ofGrants.flatMap((one) => one.entries),
        ...sessions.map(sessionAuditEntry),
        ...entries.after,
      ],
      events: [
        ...changeRequests.map(changeRequestEvent),
        ...ofGrants.flatMap((one) => one.events),
        ...sessions.map(sessionEvent),
        ...accessChangedFor.map(accessChanged(now)),
      ],
    };
  });
  const entries = sentBy(
    sender,
    inOrder.flatMap((one) => one.entries),
  );
  const kept = await withoutRepetitions(tx, entries, now);
  // Sent in one round trip.
  const [, appended] = await Promise.all([
    appendAuditEntries(tx, kept),
    appendEvents(
      tx,
      inOrder.flatMap(({ events }) => events),
    ),
    queueMails(
      tx,
      effects.flatMap(({ mails }) => mails),
      now,
    ),
  ]);
  return appended;
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
