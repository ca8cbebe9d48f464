/** The commands that start and end a support session. */
import { actorOf } from '../audit/entry.ts';
import { relationsToSession, seesSession } from '../authorization/viewer-relations.ts';
import type { ActiveGrant, Grant } from '../grants/grant.ts';
import { grantFirstUsedMail } from '../notifications/kinds/grant-first-used.ts';
import { mayActFrom } from '../organizations/residency.ts';
import { endOfPlace } from '../organizations/unsettled.ts';
import { newId } from '../platform/ids.ts';
import { asOf, decide, endWithPlace, type Session, type SessionReason } from '../sessions/session.ts';
import { findLatestSession, findSession } from '../sessions/store.ts';
import { lockTicket } from '../tickets/locks.ts';
import { endElapsedSession, sessionChanges } from './change-session.ts';
import type { Command, DecisionContext, Outcome } from './command.ts';
import {
  invalidState,
  notFound,
  type Refusal,
  refusalsOfEveryCommand,
  sessionAlreadyOpen,
} from './refusal.ts';
import { contextOfSession } from './session-effects.ts';
import { applyTicketTimeLimits, approverOf, ticketCommand } from './ticket-command.ts';
import { findTicketFacts, type GrantRef, type TicketFacts } from './ticket-facts.ts';

export type StartSupportSessionInput = GrantRef & {
  reason: SessionReason;
  note: string;
  /** Where the engineer is: an ISO 3166-1 alpha-2 code. */
  country: string;
};

/** The open session under the grant, or the one that ended last; null: there has been none. */
type LatestSession = { latest: Session | null };

/**
 * The ticket's engineer starts to use an active grant. One session at a time: another one would leave open from where
 * and why the engineer acts.
 */
export const startSupportSession = ticketCommand<StartSupportSessionInput, Session, LatestSession>({
  operation: 'startSupportSession',
  action: 'support_session.start',
  resource: 'Grant',
  refusals: [
    ...(['NOT_ACTIVE', 'ALREADY_OVER', 'SITE_DEACTIVATED', 'PRODUCT_NOT_LICENSED'] as const),
    ...(['COUNTRY_NOT_ALLOWED', 'SESSION_ALREADY_OPEN'] as const),
  ],
  extra: async (tx, _, __, grant) => ({ latest: grant && (await findLatestSession(tx, grant.id)) }),
  decide: (facts, input, by) => {
    const { grant } = facts;
    if (grant === null) return { refused: notFound('Grant') };
    if (grant.state !== 'ACTIVE') return { refused: notUsable(grant) };
    const refused = refusePlace(facts, input.country, by);
    return refused === null ? start(facts, grant, input, by) : { refused };
  },
});

function notUsable({ state }: Grant): Refusal {
  const isPending = state === 'PENDING_APPROVAL' || state === 'PENDING_GUARD_APPROVAL';
  return invalidState(isPending ? 'NOT_ACTIVE' : 'ALREADY_OVER');
}

/** Why nobody may use a grant on the site, or not from the country. */
function refusePlace({ ticket }: TicketFacts, country: string, { rules }: DecisionContext): Refusal | null {
  if (ticket.site.status === 'DEACTIVATED') return invalidState('SITE_DEACTIVATED');
  if (!ticket.product.licensed) return invalidState('PRODUCT_NOT_LICENSED');
  return mayActFrom(country, ticket.site, rules.vendorSites) ? null : invalidState('COUNTRY_NOT_ALLOWED');
}

/** The customer is told of the first session under a grant. */
function start(
  { ticket, latest = null }: TicketFacts & Partial<LatestSession>,
  grant: ActiveGrant,
  { reason, note, country }: StartSupportSessionInput,
  { viewer, now }: DecisionContext,
): Outcome<Session> {
  const { expiresAt: grantExpiresAt, id: grantId, ticketId, siteId } = grant;
  const { organizationId } = ticket.site;
  const command = {
    type: 'Start',
    start: {
      ...{ id: newId(now), grantId, ticketId, siteId, organizationId },
      ...{ engineerId: viewer.id, reason, note, country },
    },
    ...{ limits: ticket.site, grantExpiresAt },
  } as const;
  const decision = decide(latest, command, now);
  if (!('changed' in decision)) return { refused: sessionAlreadyOpen(latest?.id ?? '') };
  const { session } = decision.changed;
  const subject = { grant, ticket, now };
  return {
    answer: session,
    sessions: [
      ...(latest === null ? [] : endElapsedSession(latest, subject)),
      ...sessionChanges(decision, { ...subject, actor: actorOf(viewer) }),
    ],
    mails: latest === null ? [{ kind: grantFirstUsedMail, aboutId: session.id }] : [],
  };
}

export type EndSupportSessionInput = { sessionId: string };
type SessionFacts = TicketFacts & { session: Session };

/** Its engineer is done. Ending a session that is over, however it ended, is a success that changes nothing. */
export const endSupportSession: Command<EndSupportSessionInput, SessionFacts, Session> = {
  operation: 'endSupportSession',
  action: 'support_session.end',
  resource: 'SupportSession',
  refusals: [...refusalsOfEveryCommand, 'NOT_FOUND'],
  lock: lockTicket,
  load: async (tx, { sessionId }) => {
    const session = await findSession(tx, sessionId);
    const facts = session && (await findTicketFacts(tx, { grantId: session.grantId }));
    return session && facts && { ...facts, session };
  },
  relations: (viewer, { session, ticket, grant }) =>
    relationsToSession(viewer, session, ticket, ticket, approverOf(grant)),
  isVisible: seesSession,
  auditContext: ({ session }) => contextOfSession(session),
  auditResource: ({ session }) => ({ type: 'SupportSession', id: session.id }),
  applyTimeLimits: applyTicketTimeLimits,
  decide: ({ session: loaded, grant, ticket }, _, { viewer, now }) => {
    if (grant === null) throw new Error(`The grant of support session ${loaded.id} was not read`);
    const end = endOfPlace(ticket);
    const session = end === null ? loaded : endWithPlace(loaded, end);
    const grantExpiresAt = 'expiresAt' in grant ? grant.expiresAt : null;
    const decision = decide(session, { type: 'End', by: viewer.id }, now);
    if ('changed' in decision) {
      return {
        answer: decision.changed.session,
        sessions: sessionChanges(decision, { grant, ticket, now, actor: actorOf(viewer) }),
      };
    }
    return { answer: asOf(session, grantExpiresAt, now) };
  },
};
