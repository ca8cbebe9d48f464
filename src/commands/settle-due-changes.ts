/** Carries out the proposed changes that take effect by time, and ends those that nobody confirmed in time. */
import type { AuditAction } from '../audit/actions.ts';
import type { AuditContext, AuditEntry, AuditResource } from '../audit/entry.ts';
import { appendAuditEntries } from '../audit/store.ts';
import { type AppendedEvents, appendEvents } from '../events/outbox.ts';
import type { Transaction } from '../platform/database.ts';
import { isStatementTimeout, isUnavailable } from '../platform/database-errors.ts';
import { lockProposedChange } from '../proposals/locks.ts';
import { decide, isDue } from '../proposals/proposal.ts';
import { findProposedChange, listDue, type ProposedChange, saveSettlement } from '../proposals/store.ts';
import { lockRights } from '../roles/locks.ts';
import { type Effect, loadEffect, lockEffect, rightsOfEffect } from './carry-out-change.ts';
import type { OwnAuditEntry } from './command.ts';
import { accessChanged } from './effects.ts';
import type { Dependencies } from './execute.ts';
import { proposedChangeEntry } from './propose.ts';

/** At most so many are looked up at once. */
const changesAtOnce = 100;

/**
 * Settles what is due, and returns how many it settled. Several gateways may run this at once: each change is locked, and
 * one that another gateway has settled is no longer due. One that fails holds up no other, and is tried again by the next run.
 *
 * @param signal ends the run after the change that it is at
 * @throws AggregateError after the others, if some failed
 */
export async function settleDueChanges(
  { database, clock, announce }: Dependencies,
  signal?: AbortSignal,
): Promise<number> {
  const tried = new Set<string>();
  const failures: unknown[] = [];
  let count = 0;
  for (;;) {
    const due = await listDue(database.prisma, clock(), changesAtOnce, [...tried]);
    for (const id of due) {
      if (signal?.aborted === true) return count;
      tried.add(id);
      try {
        const settled = await database.transaction((tx) => settleIfDue(tx, id, clock));
        announce(settled?.appended ?? null);
        if (settled !== null) count += 1;
      } catch (error) {
        if (isUnavailable(error) && !isStatementTimeout(error)) throw error;
        failures.push(error);
      }
    }
    if (due.length < changesAtOnce) break;
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} changes were not settled`);
  return count;
}

async function settleIfDue(
  tx: Transaction,
  id: string,
  clock: Dependencies['clock'],
): Promise<{ appended: AppendedEvents | null } | null> {
  await lockProposedChange(tx, id);
  const change = await findProposedChange(tx, id);
  if (change === null || !isDue(change, clock())) return null;
  if (change.effectiveAt !== null) {
    await lockEffect(tx, change);
    await lockRights(tx, change.proposedById, await rightsOfEffect(tx, change));
  }
  const effect = change.effectiveAt === null ? null : (await loadEffect(tx, change, clock()))(clock());
  const now = clock();
  const decision = decide(
    change,
    { type: 'ElapseTime', isPossible: effect !== null && !('refused' in effect) },
    now,
  );
  if (!('settled' in decision)) return null;
  const settled = { ...change, ...decision.settled };
  await saveSettlement(tx, id, settled);
  const done = effect === null || 'refused' in effect ? null : effect;
  await done?.write(tx);
  const entries = [entryOf(settled, effect), ...(done?.entries ?? [])];
  await appendAuditEntries(
    tx,
    entries.map((entry) => bySystem(entry, settled, now)),
  );
  const changed = done?.accessChangedFor ?? [];
  return { appended: changed.length === 0 ? null : await appendEvents(tx, changed.map(accessChanged(now))) };
}

const actions: Partial<Record<ProposedChange['state'], AuditAction>> = {
  APPLIED: 'proposed_change.apply',
  LAPSED: 'proposed_change.lapse',
  EXPIRED: 'proposed_change.expire',
};

function entryOf(change: ProposedChange, effect: Effect | null): OwnAuditEntry {
  const entry = proposedChangeEntry(actions[change.state] ?? 'proposed_change.expire', change);
  return effect !== null && 'refused' in effect
    ? { ...entry, details: { ...entry.details, reason: effect.refused.code } }
    : entry;
}

function bySystem(
  entry: OwnAuditEntry,
  { id, organizationId, siteId }: ProposedChange,
  now: Date,
): AuditEntry {
  const auditContext: AuditContext = entry.auditContext ?? { organizationId, siteId };
  const resource: AuditResource = entry.auditResource ?? { type: 'ProposedChange', id };
  return {
    ...auditContext,
    action: entry.action ?? 'proposed_change.apply',
    actor: { kind: 'SYSTEM' },
    resource,
    refusalCode: null,
    occurredAt: now,
    details: entry.details,
  };
}
