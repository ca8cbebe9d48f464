/**
 * A change request: a change to a customer's site that the ticket's engineer asks for. It is made only with the
 * customer's consent, and once.
 *
 * Each member of the union has exactly the facts of its state: a `CONSENTED` one has a decision and no session.
 */

/** `PERMISSIONS` includes the changes to permissions that are required to gain access to specific projects. */
export type ChangeKind = 'PERMISSIONS' | 'USERS_AND_GROUPS' | 'SETTINGS' | 'CONTENT';

/** What came of a change that was allowed. */
export type ChangeResult = 'APPLIED' | 'FAILED' | 'NOT_APPLIED';

/** Why a change request is over without a change. */
export type ChangeEndReason =
  | 'REFUSED_BY_CUSTOMER'
  | 'CONSENT_REVOKED'
  | 'WITHDRAWN_BY_ENGINEER'
  | 'TICKET_CLOSED'
  | 'TICKET_REASSIGNED'
  | 'SITE_DEACTIVATED'
  | 'PRODUCT_UNLICENSED'
  | 'PRODUCT_CHANGED'
  | 'TIME_ELAPSED';

/** What was asked for. It never changes: who consents has consented to this. */
export type Asked = {
  id: string;
  ticketId: string;
  siteId: string;
  organizationId: string;
  kind: ChangeKind;
  /** The type and the id of what is to be changed, as the product's backend calls them. */
  resourceType: string;
  resourceId: string;
  description: string;
  justification: string;
  requestedById: string;
  requestedAt: Date;
  /** Until when it may be consented to and begun; from this moment on it has expired. */
  validUntil: Date;
  /** Starts at 1 and grows by one with every change. A write succeeds only over the version that it was decided on. */
  version: number;
};

/** The customer's decision. */
type Decided = { decidedById: string; decidedAt: Date; decisionReason: string | null };
type Undecided = { decidedById: null; decidedAt: null; decisionReason: null };

/** The one yes that the product's backend was given. */
type Allowed = { allowedAt: Date; sessionId: string };

/** `endedById` null: no person ended it. */
type Over = { endedAt: Date; endedById: string | null };

export type PendingConsent = Asked & { state: 'PENDING_CONSENT' };
export type Consented = Asked & Decided & { state: 'CONSENTED' };
export type InProgress = Asked & Decided & Allowed & { state: 'IN_PROGRESS' };
export type Completed = Asked &
  Decided &
  Allowed &
  Over & { state: 'COMPLETED'; result: ChangeResult; resultNote: string | null };
export type NeverMade = Asked &
  Over &
  (
    | (Decided & { state: 'REFUSED'; endReason: 'REFUSED_BY_CUSTOMER' | 'CONSENT_REVOKED' })
    | ((Decided | Undecided) & { state: 'WITHDRAWN'; endReason: 'WITHDRAWN_BY_ENGINEER' | EndOfItsUse })
    | ((Decided | Undecided) & { state: 'EXPIRED'; endReason: 'TIME_ELAPSED' })
  );

/** What ends the use of a change request whatever its people want. */
export type EndOfItsUse =
  | 'TICKET_CLOSED'
  | 'TICKET_REASSIGNED'
  | 'SITE_DEACTIVATED'
  | 'PRODUCT_UNLICENSED'
  | 'PRODUCT_CHANGED';

export type OpenChangeRequest = PendingConsent | Consented | InProgress;
export type ChangeRequest = OpenChangeRequest | Completed | NeverMade;
export type ChangeRequestState = ChangeRequest['state'];

/** Those in which it waits for a decision, or to be begun. */
export const waitingChangeStates = ['PENDING_CONSENT', 'CONSENTED'] as const satisfies ChangeRequestState[];

export const openChangeStates = [
  ...waitingChangeStates,
  'IN_PROGRESS',
] as const satisfies ChangeRequestState[];

export function isOpen(request: ChangeRequest): request is OpenChangeRequest {
  return openChangeStates.some((state) => state === request.state);
}

/** Whether time alone has ended it by `now`, even if that is not in the database yet. One that was begun does not expire. */
export function hasExpired({ state, validUntil }: Pick<ChangeRequest, 'state' | 'validUntil'>, now: Date) {
  return (state === 'PENDING_CONSENT' || state === 'CONSENTED') && validUntil <= now;
}
