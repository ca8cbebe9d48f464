/** The commands that settle a proposed change: confirm, decline, withdraw. */
import type { AuditAction } from '../audit/actions.ts';
import type { MutationName } from '../authorization/operations.ts';
import { relationsToProposedChange, seesProposedChange } from '../authorization/viewer-relations.ts';
import type { Transaction } from '../platform/database.ts';
import { lockProposedChange } from '../proposals/locks.ts';
import { decide, type ProposalCommand, type ProposalRefusal } from '../proposals/proposal.ts';
import { findProposedChange, type ProposedChange, saveSettlement } from '../proposals/store.ts';
import type { RightsLock } from '../roles/locks.ts';
import { type Effect, type EffectAt, loadEffect, lockEffect, rightsOfEffect } from './carry-out-change.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import { proposedChangeEntry } from './propose.ts';
import {
  invalidState,
  type Refusal,
  refusalsOfEveryCommand,
  type StateRefusalCode,
  stateMessages,
} from './refusal.ts';

export type ProposedChangeInput = { proposedChangeId: string };

/** `effectAt` null: not read, because only a confirmation needs it. */
export type ProposedChangeFacts = { change: ProposedChange; effectAt: EffectAt | null };

/**
 * Carries out what another person has proposed. Where it can no longer be made, the confirmation is refused with
 * `CHANGE_LAPSED`, and the proposed change has ended.
 */
export const confirmProposedChange = proposedChangeCommand({
  operation: 'confirmProposedChange',
  action: 'proposed_change.confirm',
  refusals: ['CHANGE_NOT_WAITING', 'OWN_PROPOSAL', 'OWN_GUARD_ROLE', 'CHANGE_LAPSED'],
  lock: lockEffect,
  rights: rightsOfEffect,
  loadEffect,
  decide: ({ change, effectAt }, by) => {
    const effect = effectAt?.(by.now) ?? noEffect;
    const isPossible = !('refused' in effect);
    const isAppointee = appointeeOf(change) === by.viewer.id;
    const settled = settle(change, { type: 'Confirm', by: by.viewer.id, isPossible, isAppointee }, by);
    if ('refused' in settled) return settled;
    const save = (tx: Transaction) => saveSettlement(tx, change.id, settled);
    if ('refused' in effect) return { refused: lapsed(effect.refused), write: save };
    return {
      answer: settled,
      write: async (tx) => {
        await save(tx);
        await effect.write(tx);
      },
      entry: proposedChangeEntry('proposed_change.confirm', settled),
      consequences: effect.entries,
      grants: effect.grants,
      accessChangedFor: effect.accessChangedFor,
    };
  },
});

/** In the place of an effect that was not read. */
const noEffect: Effect = { write: async () => {}, entries: [], grants: [], accessChangedFor: [] };

/** Ends a proposed change, by somebody who could have confirmed it. */
export const declineProposedChange = proposedChangeCommand({
  operation: 'declineProposedChange',
  action: 'proposed_change.decline',
  refusals: ['CHANGE_NOT_WAITING', 'OWN_PROPOSAL'],
  decide: ({ change }, by) =>
    end(change, { type: 'Decline', by: by.viewer.id }, 'proposed_change.decline', by),
});

/** Ends a proposed change, by its proposer or an organization admin. */
export const withdrawProposedChange = proposedChangeCommand({
  operation: 'withdrawProposedChange',
  action: 'proposed_change.withdraw',
  refusals: ['CHANGE_NOT_WAITING'],
  decide: ({ change }, by) =>
    end(change, { type: 'Withdraw', by: by.viewer.id }, 'proposed_change.withdraw', by),
});

type ProposedChangeSpec = {
  operation: MutationName;
  action: AuditAction;
  refusals: readonly StateRefusalCode[];
  /** Further locks. */
  lock?: (tx: Transaction, change: ProposedChange) => Promise<void>;
  rights?: (tx: Transaction, change: ProposedChange) => Promise<readonly RightsLock[]>;
  loadEffect?: (tx: Transaction, change: ProposedChange, now: Date) => Promise<EffectAt>;
  decide: (facts: ProposedChangeFacts, by: DecisionContext) => Outcome<ProposedChange>;
};

/** What each transaction has read under its lock: nobody else settles it until the transaction ends. */
const locked = new WeakMap<Transaction, ProposedChange | null>();

function proposedChangeCommand(
  spec: ProposedChangeSpec,
): Command<ProposedChangeInput, ProposedChangeFacts, ProposedChange> {
  return {
    operation: spec.operation,
    action: spec.action,
    refusals: [...refusalsOfEveryCommand, 'NOT_FOUND', ...spec.refusals],
    resource: 'ProposedChange',
    lock: async (tx, { proposedChangeId }) => {
      await lockProposedChange(tx, proposedChangeId);
      const change = await findProposedChange(tx, proposedChangeId);
      locked.set(tx, change);
      if (change !== null) await spec.lock?.(tx, change);
    },
    rights: async (_, tx) => {
      const change = locked.get(tx) ?? null;
      return change === null ? [] : ((await spec.rights?.(tx, change)) ?? []);
    },
    load: async (tx, { proposedChangeId }, now) => {
      const change = locked.get(tx) ?? (await findProposedChange(tx, proposedChangeId));
      return change && { change, effectAt: (await spec.loadEffect?.(tx, change, now)) ?? null };
    },
    relations: (viewer, { change }) => relationsToProposedChange(viewer, change),
    isVisible: seesProposedChange,
    seesAnswer: (viewer, answer) => seesProposedChange(relationsToProposedChange(viewer, answer)),
    auditContext: ({ change: { organizationId, siteId } }) => ({ organizationId, siteId }),
    auditResource: ({ change: { id } }) => ({ type: 'ProposedChange', id }),
    decide: (facts, _, by) => spec.decide(facts, by),
  };
}

function end(
  change: ProposedChange,
  command: ProposalCommand,
  action: AuditAction,
  by: DecisionContext,
): Outcome<ProposedChange> {
  const settled = settle(change, command, by);
  if ('refused' in settled) return settled;
  return {
    answer: settled,
    write: (tx) => saveSettlement(tx, change.id, settled),
    entry: proposedChangeEntry(action, settled),
  };
}

function settle(
  change: ProposedChange,
  command: ProposalCommand,
  { now }: DecisionContext,
): ProposedChange | { refused: Refusal } {
  const decision = decide(change, command, now);
  if ('refused' in decision) return { refused: refusalOf(decision.refused) };
  return 'settled' in decision ? { ...change, ...decision.settled } : change;
}

function refusalOf(code: ProposalRefusal): Refusal {
  return invalidState(code);
}

/** Whom it makes a Guard admin; null: nobody. */
function appointeeOf({ after, subjectId }: ProposedChange): string | null {
  return (after as { role?: unknown }).role === 'GUARD_ADMIN' ? subjectId : null;
}

function lapsed({ message }: Refusal): Refusal {
  return invalidState('CHANGE_LAPSED', `${stateMessages.CHANGE_LAPSED} ${message}`);
}
