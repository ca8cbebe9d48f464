/** From a lifecycle decision to what the record needs to know of it. */
import type { AuditAction } from '../audit/actions.ts';
import type { Actor } from '../audit/entry.ts';
import type { GrantEventType } from '../events/grant-event-type.ts';
import { type Grant, isOpen } from '../grants/grant.ts';
import { decide, type GrantChange, type GrantCommand } from '../grants/lifecycle.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { invalidState, type Refusal } from './refusal.ts';

/** Where the changed grants are. */
export type GrantSubject = { organizationId: string; reporterOf: (ticketId: string) => string };

export type ChangeContext = GrantSubject & {
  by: { viewer: Viewer; now: Date };
  /** How it reads on the audit log; null: as what happened to the grant. */
  action: AuditAction | null;
  reason: string | null;
};

/** Decides a lifecycle command on one grant. */
export function changeGrant(
  before: Grant | null,
  command: GrantCommand,
  { organizationId, reporterOf, by, action, reason }: ChangeContext,
): { refused: Refusal } | { grant: Grant; changes: DecidedGrantChange[] } {
  const decision = decide(before, command, by.now);
  if ('refused' in decision) return { refused: invalidState(decision.refused) };
  if ('unchanged' in decision) {
    if (before === null) throw new Error(`${command.type} left nothing unchanged`);
    return { grant: before, changes: [] };
  }
  const { changed } = decision;
  const { kind, id, email, name } = by.viewer;
  const actor: Actor = { kind, id, email, name };
  const circumstances = { actor, action: action ?? actionOf(changed), reason, occurredAt: by.now };
  const reporterId = reporterOf(changed.grant.ticketId);
  return {
    grant: changed.grant,
    changes: [{ ...changed, before, organizationId, reporterId, ...circumstances }],
  };
}

/** The same lifecycle command on every open grant among these; a grant it cannot change stays as it is. */
export function changeOpenGrants(
  grants: readonly Grant[],
  command: GrantCommand,
  changeContext: Omit<ChangeContext, 'action' | 'reason'>,
): DecidedGrantChange[] {
  return grants.filter(isOpen).flatMap((grant) => {
    const decided = changeGrant(grant, command, { ...changeContext, action: null, reason: null });
    return 'refused' in decided ? [] : decided.changes;
  });
}

/** Time ends a grant at its moment: before anything else is decided, what has lapsed is recorded as over. */
export function applyTimeLimits(
  grants: readonly Grant[],
  { organizationId, reporterOf }: GrantSubject,
  now: Date,
): { grants: Grant[]; changes: DecidedGrantChange[] } {
  const changes: DecidedGrantChange[] = [];
  const settled = grants.map((before) => {
    const decision = decide(before, { type: 'ElapseTime' }, now);
    if (!('changed' in decision)) return before;
    const { changed } = decision;
    const system = {
      actor: { kind: 'SYSTEM' },
      action: actionOf(changed),
      reason: null,
      occurredAt: now,
    } as const;
    changes.push({ ...changed, before, organizationId, reporterId: reporterOf(before.ticketId), ...system });
    return changed.grant;
  });
  return { grants: settled, changes };
}

const actions: Record<GrantEventType, AuditAction> = {
  REQUESTED: 'grant.request',
  AWAITING_GUARD: 'grant.approve',
  ACTIVATED: 'grant.approve',
  DENIED: 'grant.deny',
  WITHDRAWN: 'grant.withdraw',
  EXPIRED: 'grant.expire',
  REVOKED: 'grant.revoke',
  ENDED: 'grant.end',
  REASSIGNED: 'grant.reassign',
};

function actionOf({ event }: GrantChange): AuditAction {
  return actions[event];
}
