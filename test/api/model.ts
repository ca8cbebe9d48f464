/**
 * A model of Latchkey: the product's rules, without how the gateway implements them. It has one customer with
 * two sites, and names for every person and thing. A command changes the model and returns the expected answer.
 */
import {
  type Experience,
  type Held,
  type Obstacle,
  type Product,
  type Site,
  siteOf,
  whatKeepsFromGranting,
} from './model-who-may-grant.ts';

export const members = [
  'reporter',
  'reportingAdmin',
  'organizationAdmin',
  'siteAdmin',
  'userAccessAdmin',
  'jiraAdmin',
  'confluenceAdmin',
  'jiraAdminElsewhere',
  'trustedUser',
  'billingAdmin',
  'technicalContact',
  'unsyncedAdmin',
  'guardAdmin',
  'guardAndOrganizationAdmin',
] as const;
const outsiders = ['stranger', 'engineer', 'otherEngineer', 'operator', 'ticketing'] as const;
export const everybody = [...members, ...outsiders] as const;
export type Member = (typeof members)[number];
export type Who = (typeof everybody)[number];
export type Engineer = 'engineer' | 'otherEngineer';

export type State =
  | 'PENDING_APPROVAL'
  | 'PENDING_GUARD_APPROVAL'
  | 'ACTIVE'
  | 'DENIED'
  | 'WITHDRAWN'
  | 'EXPIRED'
  | 'REVOKED'
  | 'ENDED';
export type Scope = 'PRODUCT_DATA' | 'ROVO_CONVERSATIONS';
export type Path = 'TICKET_CREATION' | 'SUPPORT_PORTAL' | 'ADMIN_CONSOLE';

/** Times are milliseconds since 1970. */
export type Grant = {
  ticket: number;
  scope: Scope;
  state: State;
  engineer: Engineer | null;
  requestedBy: Who;
  requestedAt: number;
  waitsUntil: number;
  /** What the site demanded when it was opened. */
  opening: Terms;
  path: Path | null;
  approvedBy: Who | null;
  approvedAt: number | null;
  activatedAt: number | null;
  expiresAt: number | null;
  endedAt: number | null;
  endReason: string | null;
  endedBy: Who | null;
  version: number;
  decisions: string[];
};

/** `ticket`: its number. Times are milliseconds since 1970. */
export type ChangeRequest = {
  ticket: number;
  state: 'PENDING_CONSENT' | 'CONSENTED' | 'IN_PROGRESS' | 'COMPLETED' | 'REFUSED' | 'WITHDRAWN' | 'EXPIRED';
  requestedBy: Who;
  requestedAt: number;
  validUntil: number;
  decidedBy: Who | null;
  decidedAt: number | null;
  endedAt: number | null;
  endReason: string | null;
  endedBy: Who | null;
  version: number;
};

/** `grant`: its number. Times are milliseconds since 1970. */
export type Session = {
  grant: number;
  engineer: Who;
  startedAt: number;
  expiresAt: number;
  dueAt: number;
  endedAt: number | null;
  endReason: string | null;
  endedBy: Who | null;
};

export type Terms = Pick<SiteFacts, 'restricted' | 'maxGrantSeconds' | 'samePersonMayApproveTwice'>;

export type Status = 'OPEN' | 'WAITING_FOR_CUSTOMER' | 'RESOLVED' | 'CLOSED';
export type Ticket = {
  product: Product;
  reporter: Who;
  engineer: Engineer | null;
  status: Status;
  version: number;
};

export type SiteFacts = {
  experience: Experience;
  active: boolean;
  restricted: boolean;
  waitSeconds: number;
  maxGrantSeconds: number | null;
  samePersonMayApproveTwice: boolean;
};

/** `since`: the time since which it counts, if it does. */
export type RoleHeld = Held & { who: Member; direct: boolean; since: number };

export type Policy = Pick<SiteFacts, 'waitSeconds' | 'maxGrantSeconds' | 'samePersonMayApproveTwice'>;

export type ProposedChange =
  | { kind: 'restrictions'; site: Site }
  | { kind: 'policy'; site: Site; before: Policy; after: Policy }
  | { kind: 'assign' | 'sync' | 'remove'; held: RoleHeld };

export type Proposal = {
  by: Who;
  change: ProposedChange;
  needs: 'GUARD_ADMIN' | 'ORGANIZATION_ADMIN';
  state: 'WAITING' | 'APPLIED' | 'LAPSED' | 'DECLINED' | 'WITHDRAWN' | 'EXPIRED';
  effectiveAt: number | null;
  expiresAt: number | null;
  settledBy: Who | null;
  settledAt: number | null;
  version: number;
};

export type Model = {
  now: number;
  hasGuard: boolean;
  sites: Record<Site, SiteFacts>;
  licensed: Record<Product, boolean>;
  roles: RoleHeld[];
  tickets: Ticket[];
  grants: Grant[];
  sessions: Session[];
  changes: ChangeRequest[];
  proposals: Proposal[];
  /** When an organization admin last lost that role; null: none has. */
  adminLostAt: number | null;
  /** The audit entries and the events that must follow, in order. */
  entries: string[];
  events: string[];
};

/** The grant, change request or ticket returned, one answer for each item of a bulk, or the code of the refusal. */
export type Answer =
  | { grant: number }
  | { session: number }
  | { change: number }
  | { ticket: number }
  | { done: true }
  | { refused: string; notEligible?: { ticket: number; obstacles: Obstacle[] } }
  | { each: Answer[] };

export const isOpen = ({ state }: Grant) =>
  ['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'].includes(state);

// People.

export function isMember(who: Who): who is Member {
  return members.some((member) => member === who);
}

export function rolesOf(model: Model, who: Who): RoleHeld[] {
  return model.roles.filter((held) => held.who === who);
}

export function obstaclesOf(model: Model, who: Who, product: Product): Obstacle[] {
  const site = model.sites[siteOf(product)];
  return whatKeepsFromGranting(rolesOf(model, who), product, { ...site, licensed: model.licensed[product] });
}

export function mayGrant(model: Model, who: Who, product: Product): boolean {
  return isMember(who) && obstaclesOf(model, who, product).length === 0;
}

export function isGuardAdmin(model: Model, who: Who, site: Site): boolean {
  return rolesOf(model, who).some(
    (held) => held.role === 'GUARD_ADMIN' && held.synced && (held.site === undefined || held.site === site),
  );
}

/** Since when the person is a Guard admin of the site; Infinity: they are none. */
export function guardAdminSince(model: Model, who: Who, site: Site): number {
  const reaching = rolesOf(model, who).filter(
    (held) => held.role === 'GUARD_ADMIN' && held.synced && (held.site === undefined || held.site === site),
  );
  return Math.min(...reaching.map(({ since }) => since));
}

export function isOrganizationAdmin(model: Model, who: Who): boolean {
  return rolesOf(model, who).some((held) => held.role === 'ORGANIZATION_ADMIN' && held.synced);
}

/** Visible to whoever sees its grants, and to whoever could grant if their role was synced. */
export function seesTicket(model: Model, who: Who, ticket: Ticket): boolean {
  const lacksSync = isMember(who) && obstaclesOf(model, who, ticket.product).includes('ROLE_NOT_SYNCED');
  return seesGrants(model, who, ticket) || lacksSync;
}

/** Visible to the reporter, the engineer, whoever holds a role in the organization that counts, and the vendor's accounts. */
export function seesGrants(model: Model, who: Who, ticket: Ticket): boolean {
  if (who === 'operator' || who === 'ticketing') return true;
  if (isMember(who)) return ticket.reporter === who || holdsRole(model, who);
  return ticket.engineer === who;
}

function holdsRole(model: Model, who: Who): boolean {
  return rolesOf(model, who).some(({ synced }) => synced);
}

/** A person who approved a grant still sees it without any role, because they may revoke it. */
export function hasApproved(
  model: Model,
  who: Who,
  isMeant: (grant: Grant, index: number) => boolean,
): boolean {
  return (
    isMember(who) && model.grants.some((grant, index) => isMeant(grant, index) && grant.approvedBy === who)
  );
}

/** A role is visible to whoever holds one that counts, to the person who holds it and to the operator. */
export function seesRole(model: Model, who: Who, index: number): boolean {
  return who === 'operator' || holdsRole(model, who) || model.roles[index]?.who === who;
}

export function seesOrganization(who: Who): boolean {
  return isMember(who) || who === 'operator' || who === 'ticketing';
}

// The audit log.

export function write(
  model: Model,
  who: Who | 'SYSTEM',
  action: string,
  about: string,
  refused?: string,
): void {
  model.entries.push(`${who} ${action} ${about} ${refused ?? 'SUCCEEDED'}`);
}

export function change(
  model: Model,
  index: number,
  who: Who | 'SYSTEM',
  event: string,
  changes: Partial<Grant>,
  action = actions[event] ?? '?',
): void {
  const grant = grantAt(model, index);
  const wasActive = grant.state === 'ACTIVE';
  Object.assign(grant, changes, { version: grant.version + 1 });
  write(model, who, action, `grant ${index}`);
  model.events.push(`${event} grant ${index} version ${grant.version} ${grant.state}`);
  if (!wasActive || !['REVOKED', 'ENDED', 'REASSIGNED'].includes(event)) return;
  const reason = endsOfUse[grant.endReason ?? event] ?? '?';
  model.sessions.forEach((session, at) => {
    if (session.grant !== index || session.endedAt !== null) return;
    const end = grant.endedAt ?? model.now;
    if (session.dueAt >= end) endSession(model, at, who, reason, end);
    else
      endSession(
        model,
        at,
        'SYSTEM',
        session.dueAt < session.expiresAt ? 'IDLE_LIMIT' : 'TIME_LIMIT',
        session.dueAt,
      );
  });
}

/** Why a session ends, by what ended its grant. */
const endsOfUse: Record<string, string> = {
  REVOKED_BY_CUSTOMER: 'GRANT_REVOKED',
  TICKET_CLOSED: 'TICKET_CLOSED',
  TIME_ELAPSED: 'GRANT_EXPIRED',
  RELEASED_BY_ENGINEER: 'GRANT_RELEASED',
  SITE_DEACTIVATED: 'SITE_DEACTIVATED',
  PRODUCT_UNLICENSED: 'PRODUCT_UNLICENSED',
  REASSIGNED: 'TICKET_REASSIGNED',
};

export function endSession(
  model: Model,
  index: number,
  who: Who | 'SYSTEM',
  endReason: string,
  endedAt: number,
): void {
  Object.assign(model.sessions[index] ?? {}, {
    ...{ endReason, endedAt, endedBy: who === 'SYSTEM' ? null : who },
  });
  write(model, who, 'support_session.end', `session ${index}`);
  model.events.push(`SESSION_ENDED session ${index}`);
}

const actions: Record<string, string> = {
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

export function refuse(model: Model, who: Who, action: string, about: string, code: string): Answer {
  write(model, who, action, about, code);
  return { refused: code };
}

export function grantAt(model: Model, index: number): Grant {
  const grant = model.grants[index];
  if (grant === undefined) throw new Error(`The model has no grant ${index}`);
  return grant;
}

export function ticketAt(model: Model, index: number): Ticket {
  const ticket = model.tickets[index];
  if (ticket === undefined) throw new Error(`The model has no ticket ${index}`);
  return ticket;
}

export function openGrants(model: Model, belongs: (ticket: Ticket, index: number) => boolean): number[] {
  return model.grants.flatMap((grant, index) =>
    isOpen(grant) && belongs(ticketAt(model, grant.ticket), grant.ticket) ? [index] : [],
  );
}

// Time.

/** When time alone ends an open grant; null when only the end of its ticket does. */
export function expiryOf(grant: Grant): number | null {
  switch (grant.state) {
    case 'PENDING_APPROVAL':
      return grant.waitsUntil;
    case 'PENDING_GUARD_APPROVAL':
      return Math.min(grant.waitsUntil, grant.expiresAt ?? Number.POSITIVE_INFINITY);
    case 'ACTIVE':
      return grant.expiresAt;
    default:
      return null;
  }
}

/** The grant as a reader must see it now: it may have expired before anything recorded that. */
export function asOfNow(grant: Grant, now: number): Grant {
  const end = expiryOf(grant);
  if (end === null || end > now) return grant;
  const [state, endReason] =
    grant.state === 'ACTIVE'
      ? (['ENDED', 'TIME_ELAPSED'] as const)
      : (['EXPIRED', 'APPROVAL_TIMED_OUT'] as const);
  return { ...grant, state, endReason, endedAt: end, endedBy: null, version: grant.version + 1 };
}

export function settle(model: Model, indexes: readonly number[]): void {
  for (const index of indexes) {
    const grant = grantAt(model, index);
    const { state, endReason, endedAt } = asOfNow(grant, model.now);
    if (state !== grant.state) change(model, index, 'SYSTEM', state, { state, endReason, endedAt });
  }
}

export function sweep(model: Model): void {
  settle(
    model,
    openGrants(model, () => true),
  );
}
