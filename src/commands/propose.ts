/** Proposes a change instead of making it, where it takes two people. */
import { isDeepStrictEqual } from 'node:util';
import type { AuditAction } from '../audit/actions.ts';
import { appointmentWaitsMail, changeProposedMail } from '../notifications/kinds/change-proposed.ts';
import type { Transaction } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Change } from '../proposals/change.ts';
import { asOf, hasExpired, mostWaiting } from '../proposals/proposal.ts';
import type { Wait } from '../proposals/protection.ts';
import {
  countWaiting,
  insertProposedChanges,
  listWaiting,
  newProposedChange,
  type ProposedChange,
  saveSettlement,
  type WaitingCounts,
} from '../proposals/store.ts';
import type { DecisionContext, Outcome, OwnAuditEntry } from './command.ts';
import { invalidState } from './refusal.ts';

/** What a command reads that may have to propose its change. */
export type ProposalFacts = {
  /** For the new proposed change. */
  id: string;
  /** The one of the same thing that waits, or has expired and is not settled yet. */
  waiting: ProposedChange | null;
  /** How many of the organization's wait. */
  counts: WaitingCounts;
};

export async function findProposalFacts(
  tx: Transaction,
  organizationId: string,
  about: string,
  now: Date,
): Promise<ProposalFacts> {
  const [waiting = null] = await listWaiting(tx, [about]);
  return { id: newId(now), waiting, counts: await countWaiting(tx, organizationId) };
}

/**
 * Proposes the change. Where an equal one waits already, that one is the answer, and nothing changes; where another
 * change of the same thing waits, the proposal is refused with `ANOTHER_CHANGE_WAITS`, and where as many wait as may,
 * with `TOO_MANY_CHANGES_WAIT`. Of several that are proposed at once, each may be the last one.
 */
export function propose(
  change: Change,
  wait: Wait,
  { id, waiting, counts }: ProposalFacts,
  { viewer, now }: DecisionContext,
): Outcome<ProposedChange> {
  const hasEnded = waiting !== null && hasExpired(waiting, now);
  if (waiting !== null && !hasEnded) {
    return isDeepStrictEqual(waiting.input, change.input)
      ? { answer: waiting }
      : { refused: invalidState('ANOTHER_CHANGE_WAITS') };
  }
  if (counts[wait.needs] >= mostWaiting) return { refused: invalidState('TOO_MANY_CHANGES_WAIT') };
  const ended = hasEnded ? [asOf(waiting, now)] : [];
  const proposed = newProposedChange(change, wait, { id, proposedById: viewer.id, now });
  return {
    answer: proposed,
    write: async (tx) => {
      for (const one of ended) await saveSettlement(tx, one.id, one);
      await insertProposedChanges(tx, [proposed]);
    },
    mails: [{ kind: wait.effectiveAt === null ? changeProposedMail : appointmentWaitsMail, aboutId: id }],
    consequences: [
      ...ended.map((one) => ({
        ...proposedChangeEntry('proposed_change.expire', one),
        actor: { kind: 'SYSTEM' as const },
      })),
      proposedChangeEntry('proposed_change.propose', proposed),
    ],
  };
}

/** The audit entry of a step of a proposed change. */
export function proposedChangeEntry(action: AuditAction, change: ProposedChange): OwnAuditEntry {
  const { id, organizationId, siteId, kind, summary, before, after, subjectId, needs } = change;
  const { effectiveAt, expiresAt } = change;
  return {
    action,
    auditResource: { type: 'ProposedChange', id },
    auditContext: { organizationId, siteId },
    details: {
      ...{ kind, summary, before, after, needs },
      ...(subjectId === null ? {} : { userId: subjectId }),
      ...(effectiveAt === null ? { expiresAt } : { effectiveAt }),
    },
  };
}

/** Whether a command answered a proposed change, instead of the row that it is about. */
export function isProposedChange(row: object): row is ProposedChange {
  return 'proposedById' in row;
}
