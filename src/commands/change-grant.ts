/** Runs lifecycle commands on grants, and adds to each change what its audit entry and its event need. */
import type { AuditAction } from '../audit/actions.ts';
import { type Actor, actorOf } from '../audit/entry.ts';
import type { GrantEventType, TicketOfEvent } from '../events/kinds/grant.ts';
import { type Grant, isOpen } from '../grants/grant.ts';
import { decide, endWithPlace, type GrantChange, type GrantCommand } from '../grants/lifecycle.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { EndOfPlace } from '../organizations/unsettled.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { invalidState, type Refusal } from './refusal.ts';

/** The organization that the changed grants are in, and the ticket of each with its site, as they are afterwards. */
export type GrantSubject = { organizationId: string; ticketOf: (ticketId: string) => TicketOfEvent };

export type ChangeContext = GrantSubject & {
  by: { viewer: Viewer; now: Date };
  /** The action of its audit entry; null: the one that belongs to the change. */
  action: AuditAction | null;
  reason: string | null;
  /** The service account that relays the person's decision. Left out: the person decides in person. */
  relayedById?: string;
};

/** Decides a lifecycle command on one grant. */
export function changeGrant(
  before: Grant | null,
  command: GrantCommand,
  { organizationId, ticketOf, by, action, reason, relayedById }: ChangeContext,
): { refused: Refusal } | { grant: Grant; changes: DecidedGrantChange[] } {
  const decision = decide(before, command, by.now);
  if ('refused' in decision) return { refused: invalidState(decision.refused) };
  if ('unchanged' in decision) {
    if (before === null) throw new Error(`${command.type} left nothing unchanged`);
    return { grant: before, changes: [] };
  }
  const { changed } = decision;
  const actor = actorOf(by.viewer);
  const circumstances = {
    ...{ actor, action: action ?? actionOf(changed), reason, occurredAt: by.now },
    ...(relayedById === undefined ? {} : { relayedById }),
  };
  const ticket = ticketOf(changed.grant.ticketId);
  return {
    grant: changed.grant,
    changes: [{ ...changed, before, organizationId, ticket, ...circumstances }],
  };
}

/** Runs one lifecycle command on every open grant among these. A grant that refuses it stays as it is. */
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

/** The end of a site or a licence, by the person who ended it. */
export type EndByPerson = EndOfPlace & { by: Actor };

/**
 * Ends the grants among these whose time has run out by `now`, and those that were open when their site or licence ended.
 * Run it before deciding anything else on them.
 *
 * @param end of the site or licence, if what was open there is not settled
 */
export function applyTimeLimits(
  grants: readonly Grant[],
  subject: GrantSubject,
  now: Date,
  end: EndByPerson | null = null,
): { grants: Grant[]; changes: DecidedGrantChange[] } {
  const elapsed = changeEach(grants, { type: 'ElapseTime' }, subject, {
    ...bySystem(now),
    decidedAt: end?.since ?? now,
  });
  if (end === null) return elapsed;
  const command = endWithPlace(end.reason, end.byId);
  const by = { decidedAt: end.since, occurredAt: now, actor: end.by };
  const ended = changeEach(elapsed.grants, command, subject, by);
  return { grants: ended.grants, changes: [...elapsed.changes, ...ended.changes] };
}

/** Lets the customer's approval of a grant lapse, if it awaits the Guard. */
export function lapseApproval(grant: Grant, subject: GrantSubject, now: Date): DecidedGrantChange[] {
  return changeEach([grant], { type: 'LapseApproval' }, subject, bySystem(now)).changes;
}

/** Who makes a change, when, and as of which moment it is decided. */
type Made = { actor: Actor; occurredAt: Date; decidedAt: Date };

function bySystem(now: Date): Made {
  return { actor: { kind: 'SYSTEM' }, occurredAt: now, decidedAt: now };
}

/** Runs a command that nobody asks for on every grant among these that it changes. */
function changeEach(
  grants: readonly Grant[],
  command: GrantCommand,
  { organizationId, ticketOf }: GrantSubject,
  { decidedAt, ...made }: Made,
): { grants: Grant[]; changes: DecidedGrantChange[] } {
  const changes: DecidedGrantChange[] = [];
  const settled = grants.map((before) => {
    const decision = decide(before, command, decidedAt);
    if (!('changed' in decision)) return before;
    const { changed } = decision;
    const ticket = ticketOf(before.ticketId);
    changes.push({
      ...changed,
      ...{ before, organizationId, ticket, action: actionOf(changed), reason: null },
      ...made,
    });
    return changed.grant;
  });
  return { grants: settled, changes };
}

const actions: Record<GrantEventType, AuditAction> = {
  REQUESTED: 'grant.request',
  AWAITING_GUARD: 'grant.approve',
  WAIT_SHORTENED: 'grant.shorten_wait',
  APPROVAL_LAPSED: 'grant.lapse_approval',
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
