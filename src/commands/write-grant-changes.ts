/** Writes changes of grants, and ends the support sessions under those that may no longer be used. */
import type { Actor, AuditEntry } from '../audit/entry.ts';
import type { EventEnvelope } from '../events/envelope.ts';
import { type SessionEnd, saveGrantChanges } from '../grants/store.ts';
import type { Transaction } from '../platform/database.ts';
import type { Session } from '../sessions/session.ts';
import { type DecidedGrantChange, grantChangeAuditEntry, grantChangeEvent } from './grant-change-effects.ts';
import { type DecidedSessionChange, endOfUse, sessionAuditEntry, sessionEvent } from './session-effects.ts';

/** What is left to write of a change, in order. */
export type Consequences = { entries: AuditEntry[]; events: EventEnvelope[] };

/**
 * Writes the changes, and the ends of sessions with them in the same statement, and returns what is left to write of each.
 * The entry and the event of a session come right after those of the change that ended it. One statement, however
 * many.
 */
export async function writeGrantChanges(
  tx: Transaction,
  changes: readonly DecidedGrantChange[],
): Promise<Consequences[]> {
  const ended = await saveGrantChanges(tx, changes, changes.flatMap(sessionEndOf));
  const underGrant = Map.groupBy(ended, ({ grantId }) => grantId);
  return changes.map((change) => {
    const sessions = endOfUse(change) === null ? [] : (underGrant.get(change.grant.id) ?? []);
    const ends = sessions.map((session) => endOf(session, change));
    return {
      entries: [grantChangeAuditEntry(change), ...ends.map(sessionAuditEntry)],
      events: [grantChangeEvent(change), ...ends.map(sessionEvent)],
    };
  });
}

/** The session under the grant ends when the grant is over, or at once if it passes to another engineer. */
function sessionEndOf(change: DecidedGrantChange): SessionEnd[] {
  const endReason = endOfUse(change);
  if (endReason === null) return [];
  const { grant, actor, occurredAt } = change;
  return [
    {
      grantId: grant.id,
      endReason,
      endedAt: 'endedAt' in grant ? grant.endedAt : occurredAt,
      endedById: actor.kind === 'SYSTEM' ? null : actor.id,
    },
  ];
}

/** A session whose own time had run out before was ended by nobody. */
function endOf(
  session: Session,
  { actor, occurredAt, grant, ticket }: DecidedGrantChange,
): DecidedSessionChange {
  const by: Actor = session.endedById === null ? { kind: 'SYSTEM' } : actor;
  return { event: 'ENDED', session, actor: by, occurredAt, grant, ticket };
}
