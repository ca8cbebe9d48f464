/**
 * The lifecycle of a customer's request to delete what Rovo has stored about them, as one pure decision: what a command
 * does to it, or why it is refused.
 *
 *     REQUESTED ──► IN_PROGRESS ──► COMPLETED
 *      │               ▲     │
 *      ▼               └─ FAILED
 *     WITHDRAWN
 *
 * `COMPLETED` and `WITHDRAWN` are final. Nothing here depends on a grant: a deletion ends none, and none holds it. Who may
 * run which command is decided before, in authorization/. Pure: time is an argument.
 */

export type DeletionState =
  /** It waits for the backend of Rovo to begin, and can be withdrawn until then. */
  | 'REQUESTED'
  | 'IN_PROGRESS'
  | 'COMPLETED'
  /** An attempt failed. The backend begins another one. */
  | 'FAILED'
  | 'WITHDRAWN';

/** What the lifecycle depends on, and changes. */
export type Deletion = {
  state: DeletionState;
  /** When the last attempt began; null: none has. */
  startedAt: Date | null;
  /** Why the last attempt failed; null in every other state, or if the backend gave no reason. */
  failureReason: string | null;
  /** When it was completed or withdrawn; null: it is open. */
  endedAt: Date | null;
  version: number;
};

export type DeletionCommand =
  | { type: 'Start' }
  | { type: 'Complete' }
  | { type: 'Fail'; reason: string | null }
  | { type: 'Withdraw' };

export type DeletionRefusal = 'DELETION_NOT_STARTED' | 'DELETION_STARTED' | 'DELETION_OVER';

export type DeletionDecision = { deletion: Deletion } | { refused: DeletionRefusal };

/** A deletion as it is when it is requested. */
export const requested: Deletion = {
  ...{ state: 'REQUESTED', startedAt: null, failureReason: null, endedAt: null, version: 1 },
};

/** Decides a command on a deletion at the moment `now`. */
export function decide(deletion: Deletion, command: DeletionCommand, now: Date): DeletionDecision {
  const { state, version } = deletion;
  if (isOver(deletion)) return { refused: 'DELETION_OVER' };
  const next = { ...deletion, failureReason: null, version: version + 1 };
  switch (command.type) {
    case 'Start':
      if (state === 'IN_PROGRESS') return { refused: 'DELETION_STARTED' };
      return { deletion: { ...next, state: 'IN_PROGRESS', startedAt: now } };
    case 'Complete':
      if (state !== 'IN_PROGRESS') return { refused: 'DELETION_NOT_STARTED' };
      return { deletion: { ...next, state: 'COMPLETED', endedAt: now } };
    case 'Fail':
      if (state !== 'IN_PROGRESS') return { refused: 'DELETION_NOT_STARTED' };
      return { deletion: { ...next, state: 'FAILED', failureReason: command.reason } };
    case 'Withdraw':
      // A part of the data may be deleted already.
      if (state !== 'REQUESTED') return { refused: 'DELETION_STARTED' };
      return { deletion: { ...next, state: 'WITHDRAWN', endedAt: now } };
  }
}

function isOver({ state }: Deletion): boolean {
  return state === 'COMPLETED' || state === 'WITHDRAWN';
}
