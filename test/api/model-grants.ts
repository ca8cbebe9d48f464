/** Commands on grants, in the model. */
import {
  type Answer,
  change,
  type Grant,
  grantAt,
  guardAdminSince,
  hasApproved,
  isGuardAdmin,
  isMember,
  isOpen,
  type Model,
  mayGrant,
  obstaclesOf,
  openGrants,
  type Path,
  refuse,
  type Scope,
  type State,
  seesTicket,
  settle,
  type Terms,
  type Ticket,
  ticketAt,
  type Who,
} from './model.ts';
import { type Site, siteOf } from './model-who-may-grant.ts';

export function openRequest(
  model: Model,
  ticket: number,
  scope: Scope,
  requestedBy: Who,
  actor: Who,
): number {
  const { product, engineer } = ticketAt(model, ticket);
  const { waitSeconds, restricted, maxGrantSeconds, samePersonMayApproveTwice } =
    model.sites[siteOf(product)];
  const index =
    model.grants.push({
      ...{ ticket, scope, state: 'PENDING_APPROVAL', engineer, requestedBy },
      requestedAt: model.now,
      waitsUntil: model.now + waitSeconds * 1000,
      opening: { restricted, maxGrantSeconds, samePersonMayApproveTwice },
      ...{ path: null, approvedBy: null, approvedAt: null, activatedAt: null, expiresAt: null },
      ...{ endedAt: null, endReason: null, endedBy: null, version: 0, decisions: [] },
    }) - 1;
  change(model, index, actor, 'REQUESTED', {});
  return index;
}

/** The reason why no request of this scope can be opened on the ticket now; undefined when it can. */
function refusalOfRequest(model: Model, index: number, scope: Scope): string | undefined {
  const { status, product } = ticketAt(model, index);
  const open = openGrants(model, (_, of) => of === index)
    .map((grant) => grantAt(model, grant))
    .filter((grant) => grant.scope === scope)
    .map(({ state }) => state);
  if (status === 'CLOSED') return 'TICKET_CLOSED';
  if (!model.sites[siteOf(product)].active) return 'SITE_DEACTIVATED';
  if (!model.licensed[product]) return 'PRODUCT_NOT_LICENSED';
  if (open.includes('PENDING_APPROVAL')) return 'ALREADY_REQUESTED';
  if (open.includes('PENDING_GUARD_APPROVAL')) return 'ALREADY_APPROVED';
  if (scope === 'PRODUCT_DATA' && open.includes('ACTIVE')) return 'ALREADY_ACTIVE';
  return undefined;
}

export function request(model: Model, who: Who, index: number, scope: Scope): Answer {
  const ticket = ticketAt(model, index);
  const about = `ticket ${index}`;
  if (!seesTicket(model, who, ticket)) return refuse(model, who, 'grant.request', about, 'NOT_FOUND');
  settle(
    model,
    openGrants(model, (_, of) => of === index),
  );
  const refusal = ticket.engineer === who ? refusalOfRequest(model, index, scope) : 'FORBIDDEN';
  if (refusal !== undefined) return refuse(model, who, 'grant.request', about, refusal);
  return { grant: openRequest(model, index, scope, who, who) };
}

/** A command on a grant, named by its id or, for an approval, by its ticket. */
export type GrantDecision = {
  action: 'approve' | 'deny' | 'approveAsGuard' | 'denyAsGuard' | 'revoke' | 'withdraw' | 'release';
  on: { grant: number } | { ticket: number };
  path?: 'SUPPORT_PORTAL' | 'ADMIN_CONSOLE';
  expiresAt?: number | null;
  expectedVersion?: number | null;
};

const auditNames: Record<GrantDecision['action'], string> = {
  approve: 'grant.approve',
  deny: 'grant.deny',
  approveAsGuard: 'grant.approve_as_guard',
  denyAsGuard: 'grant.deny_as_guard',
  revoke: 'grant.revoke',
  withdraw: 'grant.withdraw',
  release: 'grant.release',
};

/** The refusal of each command in each open state. A state that is missing allows it; final states allow none. */
const notInState: Record<GrantDecision['action'], Partial<Record<State, string>>> = {
  approve: { PENDING_GUARD_APPROVAL: 'ALREADY_APPROVED', ACTIVE: 'ALREADY_ACTIVE' },
  deny: { PENDING_GUARD_APPROVAL: 'ALREADY_APPROVED', ACTIVE: 'ALREADY_ACTIVE' },
  approveAsGuard: { PENDING_APPROVAL: 'NOT_AWAITING_GUARD', ACTIVE: 'ALREADY_ACTIVE' },
  denyAsGuard: { PENDING_APPROVAL: 'NOT_AWAITING_GUARD', ACTIVE: 'ALREADY_ACTIVE' },
  revoke: { PENDING_APPROVAL: 'NOT_APPROVED_YET' },
  withdraw: { ACTIVE: 'ALREADY_ACTIVE' },
  release: { PENDING_APPROVAL: 'NOT_ACTIVE', PENDING_GUARD_APPROVAL: 'NOT_ACTIVE' },
};

export function decideOnGrant(model: Model, who: Who, wanted: GrantDecision): Answer {
  const { action, on } = wanted;
  const ticketIndex = 'ticket' in on ? on.ticket : grantAt(model, on.grant).ticket;
  const ticket = ticketAt(model, ticketIndex);
  const about = 'ticket' in on ? `ticket ${on.ticket}` : `grant ${on.grant}`;
  const no = (code: string) => refuse(model, who, auditNames[action], about, code);
  const approvedIt = hasApproved(model, who, (_, index) => 'grant' in on && index === on.grant);
  if (!seesTicket(model, who, ticket) && !approvedIt) return no('NOT_FOUND');
  const allowed = mayDecide(model, who, wanted, ticket);
  settle(
    model,
    openGrants(model, (_, of) => of === ticketIndex),
  );
  if (!allowed) {
    const explained = isMember(who) && ['approve', 'deny', 'revoke'].includes(action);
    return explained
      ? {
          ...no('NOT_ELIGIBLE'),
          notEligible: { ticket: ticketIndex, obstacles: obstaclesOf(model, who, ticket.product) },
        }
      : no('FORBIDDEN');
  }

  if (action === 'approveAsGuard' && 'grant' in on && approvalLapses(model, on.grant))
    return no('APPROVAL_LAPSED');
  const target = 'grant' in on ? on.grant : outstandingRequest(model, on.ticket);
  const expected = wanted.expectedVersion ?? null;
  if (expected !== null && target !== null && grantAt(model, target).version !== expected)
    return no('VERSION_CONFLICT');
  if (target === null) {
    const refusal =
      refusalOfRequest(model, ticketIndex, 'PRODUCT_DATA') ??
      (expected === null ? undefined : 'VERSION_CONFLICT') ??
      wrongTime(model, model.sites[siteOf(ticket.product)], wanted.expiresAt ?? null);
    if (refusal !== undefined) return no(refusal);
    const opened = openRequest(model, ticketIndex, 'PRODUCT_DATA', who, who);
    approveForCustomer(model, opened, who, wanted.path ?? 'SUPPORT_PORTAL', wanted.expiresAt ?? null, who);
    return { grant: opened };
  }

  const grant = grantAt(model, target);
  const refusal = isOpen(grant) ? notInState[action][grant.state] : 'ALREADY_OVER';
  if (refusal !== undefined) return no(refusal);
  const isTooLate =
    (action === 'approveAsGuard' || action === 'denyAsGuard') &&
    guardAdminSince(model, who, siteOf(ticket.product)) > (grant.approvedAt ?? 0);
  const wrong = isTooLate
    ? 'GUARD_ADMIN_ONLY_SINCE_APPROVAL'
    : action === 'approve'
      ? wrongTime(model, termsOf(model, grant), wanted.expiresAt ?? null)
      : action === 'approveAsGuard'
        ? secondApprovalBySamePerson(model, who, grant)
        : undefined;
  if (wrong !== undefined) return no(wrong);
  applyChange(model, who, wanted, target);
  return { grant: target };
}

function mayDecide(model: Model, who: Who, { action, on }: GrantDecision, ticket: Ticket): boolean {
  const site = siteOf(ticket.product);
  switch (action) {
    case 'approve':
    case 'deny':
      return mayGrant(model, who, ticket.product);
    case 'approveAsGuard':
    case 'denyAsGuard':
      return isGuardAdmin(model, who, site);
    case 'withdraw':
    case 'release':
      return ticket.engineer === who;
    case 'revoke':
      return (
        mayGrant(model, who, ticket.product) ||
        mayAlwaysRevoke(model, who, on, ticket) ||
        isGuardAdmin(model, who, site)
      );
  }
}

/** The reporter, and the person who granted. */
function mayAlwaysRevoke(model: Model, who: Who, on: GrantDecision['on'], ticket: Ticket): boolean {
  return (
    isMember(who) &&
    (ticket.reporter === who || ('grant' in on && grantAt(model, on.grant).approvedBy === who))
  );
}

function outstandingRequest(model: Model, ticket: number): number | null {
  const index = model.grants.findIndex(
    (grant) =>
      grant.ticket === ticket && grant.scope === 'PRODUCT_DATA' && grant.state === 'PENDING_APPROVAL',
  );
  return index === -1 ? null : index;
}

/** What counts for the request: what its site demands at present, and what it demanded at the opening. */
function termsOf(model: Model, { ticket, opening }: Grant): Terms {
  const site = model.sites[siteOf(ticketAt(model, ticket).product)];
  const limits = [site.maxGrantSeconds, opening.maxGrantSeconds].filter((seconds) => seconds !== null);
  return {
    restricted: site.restricted || opening.restricted,
    maxGrantSeconds: limits.length === 0 ? null : Math.min(...limits),
    samePersonMayApproveTwice: site.samePersonMayApproveTwice && opening.samePersonMayApproveTwice,
  };
}

/** Before the Guard approves: whether the person who approved for the customer may no longer grant. */
function approvalLapses(model: Model, index: number): boolean {
  const { state, approvedBy, ticket } = grantAt(model, index);
  if (state !== 'PENDING_GUARD_APPROVAL' || approvedBy === null) return false;
  if (mayGrant(model, approvedBy, ticketAt(model, ticket).product)) return false;
  const unapproved = { path: null, approvedBy: null, approvedAt: null, expiresAt: null } as const;
  change(model, index, 'SYSTEM', 'APPROVAL_LAPSED', { ...unapproved, state: 'PENDING_APPROVAL' });
  return true;
}

function latestEnd(model: Model, { maxGrantSeconds }: Terms): number | null {
  return maxGrantSeconds === null ? null : model.now + maxGrantSeconds * 1000;
}

function wrongTime(model: Model, terms: Terms, expiresAt: number | null): string | undefined {
  if (expiresAt === null) return undefined;
  if (expiresAt <= model.now) return 'EXPIRES_AT_IN_THE_PAST';
  const latest = latestEnd(model, terms);
  return latest !== null && expiresAt > latest ? 'EXPIRES_AT_BEYOND_POLICY' : undefined;
}

function secondApprovalBySamePerson(model: Model, who: Who, grant: Grant): string | undefined {
  return grant.approvedBy === who && !termsOf(model, grant).samePersonMayApproveTwice
    ? 'SAME_PERSON_MAY_NOT_APPROVE_TWICE'
    : undefined;
}

export function approveForCustomer(
  model: Model,
  index: number,
  by: Who,
  path: Path,
  expiresAt: number | null,
  actor: Who,
): void {
  const grant = grantAt(model, index);
  const terms = termsOf(model, grant);
  grant.decisions.push(`CUSTOMER APPROVED by ${by}`);
  const approval = { path, approvedBy: by, approvedAt: model.now };
  if (terms.restricted) {
    change(model, index, actor, 'AWAITING_GUARD', {
      ...approval,
      expiresAt,
      state: 'PENDING_GUARD_APPROVAL',
    });
  } else {
    change(model, index, actor, 'ACTIVATED', {
      ...approval,
      state: 'ACTIVE',
      activatedAt: model.now,
      expiresAt: expiresAt ?? latestEnd(model, terms),
    });
  }
}

export function end(
  model: Model,
  index: number,
  by: Who,
  state: State,
  endReason: string,
  action?: string,
): void {
  change(model, index, by, state, { state, endReason, endedAt: model.now, endedBy: by }, action);
}

/** The requests on the site wait no longer than its policy says now. */
export function shortenWaits(model: Model, by: Who | 'SYSTEM', site: Site): void {
  const isThere = ({ product }: Ticket) => siteOf(product) === site;
  settle(model, openGrants(model, isThere));
  for (const index of openGrants(model, isThere)) {
    const { state, requestedAt, waitsUntil } = grantAt(model, index);
    const due = Math.max(model.now, requestedAt + model.sites[site].waitSeconds * 1000);
    if (state !== 'ACTIVE' && due < waitsUntil)
      change(model, index, by, 'WAIT_SHORTENED', { waitsUntil: due });
  }
}

function giveGuardsYes(model: Model, index: number, by: Who): void {
  const grant = grantAt(model, index);
  const ends = [grant.expiresAt, latestEnd(model, termsOf(model, grant))].filter((end) => end !== null);
  grant.decisions.push(`GUARD APPROVED by ${by}`);
  const expiresAt = ends.length === 0 ? null : Math.min(...ends);
  const changes = { state: 'ACTIVE', activatedAt: model.now, expiresAt } as const;
  change(model, index, by, 'ACTIVATED', changes, auditNames.approveAsGuard);
}

function applyChange(
  model: Model,
  who: Who,
  { action, on, path, expiresAt }: GrantDecision,
  index: number,
): void {
  const grant = grantAt(model, index);
  const ticket = ticketAt(model, grant.ticket);
  const over = (state: State, reason: string) => end(model, index, who, state, reason, auditNames[action]);
  switch (action) {
    case 'approve':
      approveForCustomer(model, index, who, path ?? 'SUPPORT_PORTAL', expiresAt ?? null, who);
      break;
    case 'approveAsGuard':
      giveGuardsYes(model, index, who);
      break;
    case 'deny':
      grant.decisions.push(`CUSTOMER DENIED by ${who}`);
      over('DENIED', 'DENIED_BY_CUSTOMER');
      break;
    case 'denyAsGuard':
      grant.decisions.push(`GUARD DENIED by ${who}`);
      over('DENIED', 'DENIED_BY_GUARD');
      break;
    case 'revoke':
      if (grant.state === 'ACTIVE') {
        over('REVOKED', 'REVOKED_BY_CUSTOMER');
      } else if (mayGrant(model, who, ticket.product) || mayAlwaysRevoke(model, who, on, ticket)) {
        grant.decisions.push(`CUSTOMER DENIED by ${who}`);
        over('DENIED', 'DENIED_BY_CUSTOMER');
      } else {
        grant.decisions.push(`GUARD DENIED by ${who}`);
        over('DENIED', 'DENIED_BY_GUARD');
      }
      break;
    case 'withdraw':
      over('WITHDRAWN', 'WITHDRAWN_BY_ENGINEER');
      break;
    case 'release':
      over('ENDED', 'RELEASED_BY_ENGINEER');
      break;
  }
}

export function inBulk(
  model: Model,
  who: Who,
  action: 'approve' | 'revoke',
  grants: readonly number[],
  expiresAt: number | null,
): Answer {
  return {
    each: grants.map((grant) =>
      decideOnGrant(model, who, { action, on: { grant }, path: 'ADMIN_CONSOLE', expiresAt }),
    ),
  };
}
