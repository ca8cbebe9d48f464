/** Change requests, in the model: what is asked, decided and withdrawn, and what ends with something else. */
import {
  type Answer,
  type ChangeRequest,
  isGuardAdmin,
  isMember,
  type Model,
  mayGrant,
  obstaclesOf,
  openGrants,
  refuse,
  seesTicket,
  settle as settleGrants,
  type Ticket,
  ticketAt,
  type Who,
  write,
} from './model.ts';
import { siteOf } from './model-who-may-grant.ts';

const day = 24 * 60 * 60 * 1000;

export type ChangeAction = 'consent' | 'refuse' | 'revoke_consent' | 'withdraw' | 'complete';

/** Whether it still waits for something at this moment. */
const waits = ({ state, validUntil }: ChangeRequest, now: number): boolean =>
  (state === 'PENDING_CONSENT' || state === 'CONSENTED') && validUntil > now;

/** The change request as a reader must see it now: it may have expired before anything recorded that. */
export function asOfNow(request: ChangeRequest, now: number): ChangeRequest {
  const { state, validUntil: endedAt, version } = request;
  if (request.endedAt !== null || waits(request, now) || state === 'IN_PROGRESS') return request;
  return { ...request, state: 'EXPIRED', endReason: 'TIME_ELAPSED', endedAt, version: version + 1 };
}

export function requestChange(model: Model, who: Who, index: number, validUntil: number): Answer {
  const ticket = ticketAt(model, index);
  const no = (code: string) => refuse(model, who, 'change_request.request', `ticket ${index}`, code);
  if (!seesTicket(model, who, ticket)) return no('NOT_FOUND');
  const before = model.entries.length;
  settleGrants(
    model,
    openGrants(model, (_, of) => of === index),
  );
  if (ticket.engineer !== who) return no('FORBIDDEN');
  if (ticket.status === 'CLOSED') return no('TICKET_CLOSED');
  if (!model.sites[siteOf(ticket.product)].active) return no('SITE_DEACTIVATED');
  if (!model.licensed[ticket.product]) return no('PRODUCT_NOT_LICENSED');
  if (validUntil <= model.now) return no('VALID_UNTIL_IN_THE_PAST');
  if (validUntil > model.now + 30 * day) return no('VALID_UNTIL_BEYOND_LIMIT');
  const change =
    model.changes.push({
      ...{ ticket: index, state: 'PENDING_CONSENT', requestedBy: who, requestedAt: model.now, validUntil },
      ...{ decidedBy: null, decidedAt: null, endedAt: null, endReason: null, endedBy: null, version: 1 },
    }) - 1;
  // The command's own entry comes before those of the grants.
  const settled = model.entries.splice(before);
  write(model, who, 'change_request.request', `change ${change}`);
  tell(model, change);
  model.entries.push(...settled);
  return { change };
}

/** The refusal of each command in each waiting state. A state that is missing allows it. */
const notInState: Record<ChangeAction, Partial<Record<ChangeRequest['state'], string>>> = {
  consent: { CONSENTED: 'ALREADY_CONSENTED' },
  refuse: { CONSENTED: 'ALREADY_CONSENTED' },
  revoke_consent: { PENDING_CONSENT: 'NOT_CONSENTED_YET' },
  withdraw: {},
  complete: { PENDING_CONSENT: 'CHANGE_NOT_IN_PROGRESS', CONSENTED: 'CHANGE_NOT_IN_PROGRESS' },
};

export function decideOnChange(
  model: Model,
  who: Who,
  action: ChangeAction,
  index: number,
  expectedVersion: number | null,
): Answer {
  const request = changeAt(model, index);
  const ticket = ticketAt(model, request.ticket);
  const no = (code: string) => refuse(model, who, `change_request.${action}`, `change ${index}`, code);
  if (!seesTicket(model, who, ticket) && !hasConsented(who, request)) return no('NOT_FOUND');
  if (!mayDecide(model, who, action, ticket, request)) {
    const explained = isMember(who) && ['consent', 'refuse', 'revoke_consent'].includes(action);
    if (!explained) return no('FORBIDDEN');
    const obstacles = obstaclesOf(model, who, ticket.product);
    return { ...no('NOT_ELIGIBLE'), notEligible: { ticket: request.ticket, obstacles } };
  }
  if (expectedVersion !== null && expectedVersion !== request.version) return no('VERSION_CONFLICT');
  const refusal = waits(request, model.now) ? notInState[action][request.state] : 'CHANGE_REQUEST_OVER';
  if (refusal !== undefined) return no(refusal);
  const decided = { decidedBy: who, decidedAt: model.now };
  switch (action) {
    case 'consent':
      settle(request, { ...decided, state: 'CONSENTED' });
      break;
    case 'refuse':
      over(model, request, who, 'REFUSED', 'REFUSED_BY_CUSTOMER', decided);
      break;
    case 'revoke_consent':
      over(model, request, who, 'REFUSED', 'CONSENT_REVOKED');
      break;
    default:
      over(model, request, who, 'WITHDRAWN', 'WITHDRAWN_BY_ENGINEER');
  }
  write(model, who, `change_request.${action}`, `change ${index}`);
  tell(model, index);
  return { change: index };
}

function mayDecide(
  model: Model,
  who: Who,
  action: ChangeAction,
  ticket: Ticket,
  request: ChangeRequest,
): boolean {
  switch (action) {
    case 'consent':
    case 'refuse':
      return mayGrant(model, who, ticket.product);
    case 'revoke_consent':
      return (
        mayGrant(model, who, ticket.product) ||
        (isMember(who) && ticket.reporter === who) ||
        hasConsented(who, request) ||
        isGuardAdmin(model, who, siteOf(ticket.product))
      );
    case 'withdraw':
    case 'complete':
      return ticket.engineer === who;
  }
}

function hasConsented(who: Who, request: ChangeRequest): boolean {
  return isMember(who) && request.decidedBy === who;
}

/** Withdraws what waits on these tickets. */
export function endChanges(
  model: Model,
  who: Who,
  reason: string,
  belongs: (ticket: Ticket, index: number) => boolean,
): void {
  model.changes.forEach((request, index) => {
    if (!waits(request, model.now) || !belongs(ticketAt(model, request.ticket), request.ticket)) return;
    over(model, request, who, 'WITHDRAWN', reason);
    write(model, who, 'change_request.withdraw', `change ${index}`);
    tell(model, index);
  });
}

/** Records what has expired. */
export function expireChanges(model: Model): void {
  model.changes.forEach((request, index) => {
    const now = asOfNow(request, model.now);
    if (now === request) return;
    Object.assign(request, now);
    write(model, 'SYSTEM', 'change_request.expire', `change ${index}`);
    tell(model, index);
  });
}

const eventOf: Record<ChangeRequest['state'], string> = {
  ...{ PENDING_CONSENT: 'REQUESTED', CONSENTED: 'CONSENTED', IN_PROGRESS: 'BEGUN', COMPLETED: 'COMPLETED' },
  ...{ REFUSED: 'REFUSED', WITHDRAWN: 'WITHDRAWN', EXPIRED: 'EXPIRED' },
};

/** Tells subscribers of the state that a change request has reached. */
function tell(model: Model, index: number): void {
  const { state, version } = changeAt(model, index);
  model.events.push(`${eventOf[state]} change ${index} version ${version} ${state}`);
}

export function changeAt(model: Model, index: number): ChangeRequest {
  const request = model.changes[index];
  if (request === undefined) throw new Error(`The model has no change request ${index}`);
  return request;
}

function over(
  { now }: Model,
  request: ChangeRequest,
  endedBy: Who,
  state: 'REFUSED' | 'WITHDRAWN',
  endReason: string,
  more: Partial<ChangeRequest> = {},
): void {
  settle(request, { ...more, state, endReason, endedAt: now, endedBy });
}

function settle(request: ChangeRequest, changes: Partial<ChangeRequest>): void {
  Object.assign(request, changes, { version: request.version + 1 });
}
