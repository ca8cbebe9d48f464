/**
 * The lifecycle of an invitation to become a member of an organization, as one pure decision: what a command does to it,
 * or why it is refused.
 *
 *     WAITING ──► ACCEPTED | WITHDRAWN | EXPIRED
 *
 * States on the right are final. Who may run which command is decided before, in authorization/. Pure: time is an
 * argument.
 */

export type InvitationState =
  /** The person has not accepted yet, and may. */
  | 'WAITING'
  /** The person has become a member. */
  | 'ACCEPTED'
  /** An organization admin has taken it back. */
  | 'WITHDRAWN'
  /** The person has not accepted in time. */
  | 'EXPIRED';

/** What the lifecycle depends on, and changes. */
export type InvitationTerm = {
  expiresAt: Date;
  state: InvitationState;
  /** When it was accepted or withdrawn, or expired; null: it waits. */
  endedAt: Date | null;
};

/** The part that a command changes. */
export type InvitationEnd = Pick<InvitationTerm, 'state' | 'endedAt'>;

/** How long an invitation waits to be accepted, in milliseconds: 14 days. */
export const invitationWait = 14 * 24 * 60 * 60 * 1000;

/** Accepts an invitation or withdraws it, at the moment `now`. */
export function endInvitation(
  invitation: InvitationTerm,
  as: 'ACCEPTED' | 'WITHDRAWN',
  now: Date,
): { end: InvitationEnd } | { refused: 'INVITATION_OVER' } {
  return invitationAsOf(invitation, now).state === 'WAITING'
    ? { end: { state: as, endedAt: now } }
    : { refused: 'INVITATION_OVER' };
}

/** The invitation as it is at `now`, including an expiry that nothing has written yet. */
export function invitationAsOf<Of extends InvitationTerm>(invitation: Of, now: Date): Of {
  const { state, expiresAt } = invitation;
  return state === 'WAITING' && expiresAt <= now ? { ...invitation, ...expiredAt(expiresAt) } : invitation;
}

function expiredAt(expiresAt: Date): InvitationEnd {
  return { state: 'EXPIRED', endedAt: expiresAt };
}
