/** Changes that take two people, in the model. */
import {
  type Answer,
  isGuardAdmin,
  isMember,
  isOrganizationAdmin,
  type Model,
  type Proposal,
  type ProposedChange,
  refuse,
  rolesOf,
  type Who,
  write,
} from './model.ts';
import { shortenWaits } from './model-grants.ts';
import type { Site } from './model-who-may-grant.ts';

const hour = 3_600_000;
const day = 24 * hour;
const appointmentWait = 72 * hour;

/** Until when an organization that has lost its last admin may notice that before an operator appoints somebody. */
export const noticeOf = ({ adminLostAt }: Model) => (adminLostAt ?? -Infinity) + appointmentWait;

export function isOrganizationRestricted(model: Model): boolean {
  return Object.values(model.sites).some(({ restricted }) => restricted);
}

const placeOf = (change: ProposedChange): Site | null =>
  'site' in change ? change.site : (change.held.site ?? null);
const subjectOf = (change: ProposedChange) => ('held' in change ? change.held.who : null);
const appoints = (change: ProposedChange) =>
  (change.kind === 'assign' || change.kind === 'sync') && change.held.role === 'GUARD_ADMIN';

/** What a change is about: two changes of the same thing do not wait at once. */
function sameThing(one: ProposedChange, other: ProposedChange): boolean {
  if (one.kind !== other.kind) return false;
  if ('site' in one && 'site' in other) return one.site === other.site;
  if (!('held' in one) || !('held' in other)) return false;
  return one.kind === 'assign'
    ? one.held.who === other.held.who &&
        one.held.role === other.held.role &&
        one.held.site === other.held.site
    : one.held === other.held;
}

function isGuardOf(model: Model, who: Who, place: Site | null): boolean {
  return place === null
    ? rolesOf(model, who).some(({ role, synced }) => role === 'GUARD_ADMIN' && synced)
    : isGuardAdmin(model, who, place);
}

const isOver = ({ state, expiresAt }: Proposal, now: number) =>
  state !== 'WAITING' || (expiresAt !== null && expiresAt <= now);

export function waits(model: Model, change: ProposedChange): boolean {
  return model.proposals.some((one) => !isOver(one, model.now) && sameThing(one.change, change));
}

/** Whether somebody could confirm the appointment now. */
export function couldConfirm(model: Model, by: Who, change: ProposedChange): boolean {
  return model.roles.some(
    ({ who }) => who !== by && who !== subjectOf(change) && isGuardOf(model, who, placeOf(change)),
  );
}

function isEqual(one: ProposedChange, other: ProposedChange): boolean {
  const input = (change: ProposedChange) =>
    JSON.stringify('after' in change ? change.after : 'held' in change ? change.held.direct : change.kind);
  return input(one) === input(other);
}

export function propose(
  model: Model,
  who: Who,
  change: ProposedChange,
  needs: Proposal['needs'] = 'GUARD_ADMIN',
): Answer {
  const known = model.proposals.find(
    ({ state, change: other }) => state === 'WAITING' && sameThing(other, change),
  );
  if (known !== undefined && !isOver(known, model.now)) {
    return isEqual(known.change, change) ? { done: true } : refusedAsWaiting(model, who, change);
  }
  if (known !== undefined) expire(model, known);
  const hasAdmin = model.roles.some((held) => isOrganizationAdmin(model, held.who));
  const effectiveAt =
    needs === 'ORGANIZATION_ADMIN'
      ? hasAdmin
        ? null
        : noticeOf(model)
      : appoints(change) && !couldConfirm(model, who, change)
        ? model.now + appointmentWait
        : null;
  const proposal: Proposal = {
    ...{ by: who, change, needs, state: 'WAITING', settledBy: null, settledAt: null, version: 1 },
    effectiveAt,
    expiresAt: effectiveAt === null ? model.now + 14 * day : null,
  };
  model.proposals.push(proposal);
  note(model, who, 'propose', proposal);
  return { done: true };
}

function refusedAsWaiting(model: Model, who: Who, change: ProposedChange): Answer {
  if (!('site' in change)) return refuse(model, who, 'role.assign', 'user', 'ANOTHER_CHANGE_WAITS');
  return refuse(model, who, 'site.set_support_access_policy', `site ${change.site}`, 'ANOTHER_CHANGE_WAITS');
}

function note(model: Model, who: Who | 'SYSTEM', verb: string, proposal: Proposal, refused?: string): void {
  write(model, who, `proposed_change.${verb}`, `proposal ${model.proposals.indexOf(proposal)}`, refused);
}

function settleAs(
  proposal: Proposal,
  state: Proposal['state'],
  settledBy: Who | null,
  settledAt: number,
): void {
  Object.assign(proposal, { state, settledBy, settledAt, version: proposal.version + 1 });
}

function expire(model: Model, proposal: Proposal): void {
  settleAs(proposal, 'EXPIRED', null, proposal.expiresAt ?? 0);
  note(model, 'SYSTEM', 'expire', proposal);
}

export type Settling = 'confirm' | 'decline' | 'withdraw';

export function settleProposal(model: Model, who: Who, how: Settling, index: number): Answer {
  const proposal = model.proposals[index];
  if (proposal === undefined) throw new Error(`The model has no proposal ${index}`);
  const { by, change } = proposal;
  const no = (code: string): Answer => {
    note(model, who, how, proposal, code);
    return { refused: code };
  };
  const isAdmin = isOrganizationAdmin(model, who);
  const sees = by === who || (isMember(who) && (isAdmin || isGuardOf(model, who, null)));
  if (!sees) return no('NOT_FOUND');
  const guards = proposal.effectiveAt !== null && who !== subjectOf(change) && isGuardOf(model, who, null);
  const confirms =
    proposal.needs === 'ORGANIZATION_ADMIN' ? isAdmin || guards : isGuardOf(model, who, placeOf(change));
  const allowed = how === 'withdraw' ? by === who || isAdmin : isMember(who) && confirms;
  if (!allowed) return no('FORBIDDEN');
  if (isOver(proposal, model.now)) return no('CHANGE_NOT_WAITING');
  if (how === 'withdraw') {
    settleAs(proposal, 'WITHDRAWN', who, model.now);
    note(model, who, how, proposal);
    return { done: true };
  }
  if (by === who) return no('OWN_PROPOSAL');
  if (how === 'decline') {
    settleAs(proposal, 'DECLINED', who, model.now);
    note(model, who, how, proposal);
    return { done: true };
  }
  if (appoints(change) && subjectOf(change) === who) return no('OWN_GUARD_ROLE');
  if (!isPossible(model, proposal)) {
    settleAs(proposal, 'LAPSED', who, model.now);
    return no('CHANGE_LAPSED');
  }
  settleAs(proposal, 'APPLIED', who, model.now);
  note(model, who, how, proposal);
  carryOut(model, who, change);
  return { done: true };
}

/** What the job does: everything that is due, the longest due first. */
export function settleDue(model: Model): void {
  const dueAt = ({ effectiveAt, expiresAt }: Proposal) => effectiveAt ?? expiresAt ?? Infinity;
  const due = model.proposals.filter((one) => one.state === 'WAITING' && dueAt(one) <= model.now);
  for (const proposal of due.sort((one, other) => dueAt(one) - dueAt(other))) {
    if (proposal.effectiveAt === null) expire(model, proposal);
    else if (isPossible(model, proposal)) {
      settleAs(proposal, 'APPLIED', null, model.now);
      note(model, 'SYSTEM', 'apply', proposal);
      carryOut(model, 'SYSTEM', proposal.change);
    } else {
      settleAs(proposal, 'LAPSED', null, model.now);
      note(model, 'SYSTEM', 'lapse', proposal);
    }
  }
}

/** Whether its proposer may still make the change, and nobody has made it or another one since. */
function isPossible(model: Model, { by, change, needs }: Proposal): boolean {
  const isAdmin = by === 'operator' || isOrganizationAdmin(model, by);
  switch (change.kind) {
    case 'restrictions':
      return (
        model.sites[change.site].restricted &&
        (isOrganizationAdmin(model, by) || isGuardAdmin(model, by, change.site))
      );
    case 'policy': {
      const { waitSeconds, maxGrantSeconds, samePersonMayApproveTwice } = model.sites[change.site];
      const present = { waitSeconds, maxGrantSeconds, samePersonMayApproveTwice };
      return isOrganizationAdmin(model, by) && JSON.stringify(present) === JSON.stringify(change.before);
    }
    case 'assign': {
      const { who, role, site, direct } = change.held;
      const takesGuard = role === 'GUARD_ADMIN' && direct && isOrganizationRestricted(model);
      if (takesGuard && needs === 'ORGANIZATION_ADMIN') return false;
      return isAdmin && !model.roles.some((one) => one.who === who && one.role === role && one.site === site);
    }
    case 'sync':
      return (
        (by === 'operator' || rolesOf(model, by).length > 0) &&
        model.roles.includes(change.held) &&
        !change.held.synced
      );
    case 'remove':
      return isAdmin && model.roles.includes(change.held);
  }
}

function carryOut(model: Model, who: Who | 'SYSTEM', change: ProposedChange): void {
  switch (change.kind) {
    case 'restrictions':
      model.sites[change.site].restricted = false;
      write(model, who, 'site.set_support_access_restrictions', `site ${change.site}`);
      return;
    case 'policy':
      Object.assign(model.sites[change.site], change.after);
      write(model, who, 'site.set_support_access_policy', `site ${change.site}`);
      if (change.after.waitSeconds < change.before.waitSeconds) shortenWaits(model, who, change.site);
      return;
    case 'assign':
      model.roles.push({ ...change.held, since: model.now });
      break;
    case 'sync':
      Object.assign(change.held, { synced: true, since: model.now });
      break;
    case 'remove':
      model.roles.splice(model.roles.indexOf(change.held), 1);
      break;
  }
  write(model, who, `role.${change.kind}`, 'role');
  model.events.push(`ACCESS_CHANGED ${change.held.who}`);
}
