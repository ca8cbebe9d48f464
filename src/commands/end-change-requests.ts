/** What ends with something else: change requests whose ticket, engineer, site or licence no longer allows them. */
import { type AuditEntry, actorOf } from '../audit/entry.ts';
import { changeRequestAuditEntry } from '../changes/audit-entry.ts';
import type { ChangeRequest, EndOfItsUse } from '../changes/change-request.ts';
import { decide } from '../changes/lifecycle.ts';
import { saveChangeRequests } from '../changes/store.ts';
import type { DecisionContext, Outcome, OwnAuditEntry } from './command.ts';

type Ended = { changed: ChangeRequest[]; entries: OwnAuditEntry[] };

/**
 * Withdraws those among these that wait. What was begun stays to be recorded, and what has expired is recorded as expired
 * by the background job. Pure: the caller writes them.
 */
export function endChangeRequests(
  requests: readonly ChangeRequest[] | undefined,
  reason: EndOfItsUse,
  { viewer, now }: DecisionContext,
): Ended {
  const ended: Ended = { changed: [], entries: [] };
  for (const before of requests ?? []) {
    const decision = decide(before, { type: 'EndUse', reason, by: viewer.id }, now);
    if (!('changed' in decision)) continue;
    const request = decision.changed;
    const change = { before, request, command: 'EndUse', actor: actorOf(viewer), occurredAt: now } as const;
    ended.changed.push(request);
    ended.entries.push(asOwnEntry(changeRequestAuditEntry({ ...change, reason: null })));
  }
  return ended;
}

/** The outcome with the end of these change requests: one more statement, if there are any. */
export function andEndChangeRequests<Row extends object>(
  outcome: Outcome<Row>,
  requests: readonly ChangeRequest[] | undefined,
  reason: EndOfItsUse,
  by: DecisionContext,
): Outcome<Row> {
  if ('refused' in outcome) return outcome;
  const { changed, entries } = endChangeRequests(requests, reason, by);
  return {
    ...outcome,
    write: async (tx) => {
      await outcome.write?.(tx);
      await saveChangeRequests(tx, changed);
    },
    consequences: [...(outcome.consequences ?? []), ...entries],
  };
}

/** The entry as one that a command adds to its outcome. */
export function asOwnEntry(entry: AuditEntry): OwnAuditEntry {
  const { action, actor, details, resource: auditResource, ...where } = entry;
  const { refusalCode: _none, occurredAt: _now, ...auditContext } = where;
  return { action, actor, details, auditResource, auditContext };
}
