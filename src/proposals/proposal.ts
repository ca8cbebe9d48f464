/**
 * The lifecycle of a proposed change, as one pure decision: what a command does to it, or why it is refused.
 *
 *     WAITING ──► APPLIED | LAPSED | DECLINED | WITHDRAWN | EXPIRED
 *
 * States on the right are final. Who may run which command is decided before, in authorization/. Pure: time is an
 * argument.
 */

/** Whose confirmation it needs: that of an active Guard admin, or of an active organization admin. */
export type Confirmation = 'GUARD_ADMIN' | 'ORGANIZATION_ADMIN';

export type ProposalState =
  /** It waits for a confirmation, or for its time. */
  | 'WAITING'
  /** It was confirmed, or its time came, and it has taken effect. */
  | 'APPLIED'
  /** It was confirmed, or its time came, and could not be made any more. */
  | 'LAPSED'
  /** Somebody who could have confirmed it declined. */
  | 'DECLINED'
  /** Its proposer or an organization admin took it back. */
  | 'WITHDRAWN'
  /** Nobody confirmed it in time. */
  | 'EXPIRED';

/** What the lifecycle depends on, and changes. */
export type Proposal = {
  proposedById: string;
  proposedAt: Date;
  /** When it takes effect without a confirmation; null: it needs one. Exactly one of the two times is set. */
  effectiveAt: Date | null;
  expiresAt: Date | null;
  state: ProposalState;
  /** Who confirmed, declined or withdrew it. Null: nobody yet, or time did. */
  settledById: string | null;
  settledAt: Date | null;
  version: number;
};

export type ProposalCommand =
  /**
   * `isPossible`: whether the change can still be made, at this moment. `isAppointee`: whether it makes the person who
   * confirms a Guard admin.
   */
  | { type: 'Confirm'; by: string; isPossible: boolean; isAppointee: boolean }
  | { type: 'Decline'; by: string }
  | { type: 'Withdraw'; by: string }
  /** `isPossible` counts if the time has come at which it takes effect. */
  | { type: 'ElapseTime'; isPossible: boolean };

export type ProposalRefusal = 'CHANGE_NOT_WAITING' | 'OWN_PROPOSAL' | 'OWN_GUARD_ROLE';

/** The part that a command changes. */
export type Settlement = Pick<Proposal, 'state' | 'settledById' | 'settledAt' | 'version'>;

export type ProposalDecision = { settled: Settlement } | { unchanged: true } | { refused: ProposalRefusal };

/** How long a change waits for its confirmation, in milliseconds: 14 days. */
export const confirmationWait = 14 * 24 * 60 * 60 * 1000;

/**
 * How many changes of an organization may wait for each of the two confirmations. So what an operator proposes, which an
 * organization admin confirms, does not use up what the customer proposes.
 */
export const mostWaiting = 1_000;

/** Decides a command on a proposed change at the moment `now`. */
export function decide(proposal: Proposal, command: ProposalCommand, now: Date): ProposalDecision {
  if (command.type === 'ElapseTime') return elapse(proposal, command.isPossible, now);
  if (proposal.state !== 'WAITING' || hasExpired(proposal, now)) return { refused: 'CHANGE_NOT_WAITING' };
  const { by } = command;
  switch (command.type) {
    case 'Confirm':
      if (by === proposal.proposedById) return { refused: 'OWN_PROPOSAL' };
      if (command.isAppointee) return { refused: 'OWN_GUARD_ROLE' };
      return settle(proposal, command.isPossible ? 'APPLIED' : 'LAPSED', by, now);
    case 'Decline':
      // Its proposer withdraws it.
      if (by === proposal.proposedById) return { refused: 'OWN_PROPOSAL' };
      return settle(proposal, 'DECLINED', by, now);
    case 'Withdraw':
      return settle(proposal, 'WITHDRAWN', by, now);
  }
}

/** Whether it has expired, even if that is not written yet. */
export function hasExpired({ state, expiresAt }: Proposal, now: Date): boolean {
  return state === 'WAITING' && expiresAt !== null && expiresAt <= now;
}

/** Whether its time has come: it takes effect, or expires. */
export function isDue({ state, effectiveAt, expiresAt }: Proposal, now: Date): boolean {
  const due = effectiveAt ?? expiresAt;
  return state === 'WAITING' && due !== null && due <= now;
}

/** The proposed change as it is at `now`, including an expiry that the background job has not written yet. */
export function asOf<Of extends Proposal>(proposal: Of, now: Date): Of {
  return hasExpired(proposal, now) ? { ...proposal, ...expired(proposal) } : proposal;
}

function elapse(proposal: Proposal, isPossible: boolean, now: Date): ProposalDecision {
  if (!isDue(proposal, now)) return { unchanged: true };
  if (proposal.effectiveAt === null) return { settled: expired(proposal) };
  return settle(proposal, isPossible ? 'APPLIED' : 'LAPSED', null, now);
}

function expired({ expiresAt, version }: Proposal): Settlement {
  return { state: 'EXPIRED', settledById: null, settledAt: expiresAt, version: version + 1 };
}

function settle(proposal: Proposal, state: ProposalState, by: string | null, at: Date): ProposalDecision {
  return { settled: { state, settledById: by, settledAt: at, version: proposal.version + 1 } };
}
