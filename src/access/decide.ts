/**
 * Decides whether an engineer may do a support action, on the facts of one moment. Pure functions.
 *
 * Each support session, and so each grant, is judged on its own: one that allows the action is enough. If none does,
 * the answer is what was missing in the one that came farthest.
 */
import { mayActFrom, mayProcessIn, type VendorSites } from '../organizations/residency.ts';
import { scopeOf } from './catalogue.ts';
import type { Question } from './question.ts';
import type { ReasonCode } from './reasons.ts';

/** The service account that asks. It is active, and may evaluate access. */
export type AskerFacts = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  /** The keys of the products that it may ask about. */
  readonly products: readonly string[];
  /** The one organization that it is bound to; null: it serves all of them. */
  readonly organizationId: string | null;
};

export type EngineerFacts = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly active: boolean;
};

export type SiteFacts = {
  readonly id: string;
  readonly organizationId: string;
  readonly active: boolean;
  readonly dataResidencyRegion: string;
  readonly dataResidencyPinned: boolean;
  readonly engineerCountries: readonly string[];
};

export type TicketFacts = {
  readonly id: string;
  readonly siteId: string;
  readonly organizationId: string;
  readonly assigneeId: string | null;
  readonly closed: boolean;
  readonly product: { readonly key: string; readonly licensed: boolean };
};

export type SessionFacts = {
  readonly id: string;
  readonly engineerId: string;
  readonly country: string;
  readonly lastUsedAt: Date;
  readonly idleSeconds: number;
  /** When its time is over, used or not. */
  readonly expiresAt: Date;
  /** When it ends unless it is used. */
  readonly dueAt: Date;
  readonly ended: boolean;
  readonly grant: {
    readonly id: string;
    readonly active: boolean;
    readonly engineerId: string | null;
    /** Null: it lasts until the ticket closes. */
    readonly expiresAt: Date | null;
    readonly scope: 'PRODUCT_DATA' | 'ROVO_CONVERSATIONS';
    readonly conversationIds: readonly string[];
  };
};

export type ChangeFacts = {
  readonly id: string;
  readonly ticketId: string;
  readonly resourceType: string;
  readonly resourceId: string;
  readonly state:
    | 'PENDING_CONSENT'
    | 'CONSENTED'
    | 'REFUSED'
    | 'WITHDRAWN'
    | 'EXPIRED'
    | 'IN_PROGRESS'
    | 'COMPLETED';
  readonly validUntil: Date;
};

/** What is known of the things that a question names; null for one that does not exist. */
export type Facts = {
  readonly asker: AskerFacts;
  readonly engineer: EngineerFacts | null;
  readonly site: SiteFacts | null;
  /** The ticket that was named, or that of the session that was named. */
  readonly ticket: TicketFacts | null;
  /** The open sessions on the ticket; or the one that was named, open or not. */
  readonly sessions: readonly SessionFacts[];
  readonly change: ChangeFacts | null;
};

export type Verdict =
  | { readonly allowed: true; readonly session: SessionFacts }
  | {
      readonly allowed: false;
      readonly code: ReasonCode;
      /** The session of the engineer's that came farthest, if any session was judged. */
      readonly session: SessionFacts | null;
    };

/** At which moment, and where the vendor works. */
export type Circumstances = { readonly now: Date; readonly vendor: VendorSites };

export function decide(question: Question, facts: Facts, circumstances: Circumstances): Verdict {
  const place = findPlace(question, facts);
  if (typeof place === 'string') return { allowed: false, code: place, session: null };
  const missing = placeChecks.find(({ holds }) => !holds(place));
  if (missing !== undefined) return { allowed: false, code: missing.code, session: null };
  return judgeSessions(place, sessionsInQuestion(place), circumstances);
}

/** Whether the service account may know that something of this organization exists. */
export function sees(asker: AskerFacts, organizationId: string): boolean {
  return asker.organizationId === null || asker.organizationId === organizationId;
}

/** A question whose things all exist, for a service account that may know of them. */
type Place = {
  readonly question: Question;
  readonly engineer: EngineerFacts;
  readonly site: SiteFacts;
  readonly ticket: TicketFacts;
  readonly facts: Facts;
};

/** One session in question. */
type Use = Place & Circumstances & { readonly session: SessionFacts };

type Check<Of> = { readonly code: ReasonCode; readonly holds: (of: Of) => boolean };

/** What the question names, or the code of the first thing that is missing. */
function findPlace(question: Question, facts: Facts): Place | ReasonCode {
  const { asker, engineer, site, ticket } = facts;
  if (!asker.products.includes(question.product)) return 'ASKER_OF_OTHER_PRODUCT';
  if (engineer === null) return 'ENGINEER_NOT_FOUND';
  if (!engineer.active) return 'ENGINEER_DEACTIVATED';
  if (site === null || !sees(asker, site.organizationId)) return 'SITE_NOT_FOUND';
  if (!site.active) return 'SITE_DEACTIVATED';
  if (ticket === null || !sees(asker, ticket.organizationId))
    return question.use.by === 'key' ? 'TICKET_NOT_FOUND' : 'SESSION_NOT_FOUND';
  return { question, engineer, site, ticket, facts };
}

const placeChecks: readonly Check<Place>[] = [
  { code: 'OTHER_SITE', holds: ({ ticket, site }) => ticket.siteId === site.id },
  { code: 'OTHER_PRODUCT', holds: ({ ticket, question }) => ticket.product.key === question.product },
  { code: 'PRODUCT_NOT_LICENSED', holds: ({ ticket }) => ticket.product.licensed },
  { code: 'TICKET_CLOSED', holds: ({ ticket }) => !ticket.closed },
  { code: 'NOT_ASSIGNED', holds: ({ ticket, engineer }) => ticket.assigneeId === engineer.id },
];

/** The one that is named, or those of the engineer. */
function sessionsInQuestion({ question, engineer, facts }: Place): readonly SessionFacts[] {
  return question.use.by === 'key'
    ? facts.sessions.filter(({ engineerId }) => engineerId === engineer.id)
    : facts.sessions;
}

/** In their order: a session that fails later has come farther. */
const sessionChecks: readonly Check<Use>[] = [
  {
    code: 'SESSION_OF_OTHER_ENGINEER',
    holds: ({ session, engineer }) =>
      session.engineerId === engineer.id && session.grant.engineerId === engineer.id,
  },
  { code: 'GRANT_NOT_ACTIVE', holds: ({ session }) => session.grant.active },
  {
    code: 'GRANT_EXPIRED',
    holds: ({ session: { grant }, now }) => grant.expiresAt === null || now < grant.expiresAt,
  },
  { code: 'SESSION_ENDED', holds: ({ session }) => !session.ended },
  { code: 'SESSION_TIMED_OUT', holds: ({ session, now }) => now < session.dueAt && now < session.expiresAt },
  {
    code: 'PRODUCT_DATA_GRANT_NEEDED',
    holds: ({ session, question }) =>
      scopeOf(question.action) !== 'PRODUCT_DATA' || session.grant.scope === 'PRODUCT_DATA',
  },
  {
    code: 'ROVO_GRANT_NEEDED',
    holds: ({ session, question }) =>
      scopeOf(question.action) !== 'ROVO_CONVERSATIONS' || session.grant.scope === 'ROVO_CONVERSATIONS',
  },
  {
    code: 'CONVERSATION_NOT_NAMED',
    holds: ({ session, question }) =>
      scopeOf(question.action) !== 'ROVO_CONVERSATIONS' ||
      session.grant.conversationIds.includes(question.resource.id),
  },
  {
    code: 'COUNTRY_NOT_ALLOWED',
    holds: ({ question, session, site, vendor }) =>
      mayActFrom(question.engineerCountry ?? session.country, site, vendor),
  },
  {
    code: 'REGION_NOT_ALLOWED',
    holds: ({ question, site, vendor }) =>
      mayProcessIn(question.processingRegion ?? site.dataResidencyRegion, site, vendor),
  },
  {
    code: 'EXPORT_OUTSIDE_BOUNDARY',
    holds: ({ question, site, vendor }) =>
      question.action !== 'data.export' ||
      (question.destinationRegion !== null && mayProcessIn(question.destinationRegion, site, vendor)),
  },
  ...changeChecks({
    CHANGE_NOT_FOUND: (change, { ticket }) => change.ticketId === ticket.id,
    CHANGE_OF_OTHER_RESOURCE: (change, { question: { resource } }) =>
      change.resourceType === resource.type && change.resourceId === resource.id,
    CHANGE_ALREADY_ALLOWED: ({ state }) => state !== 'IN_PROGRESS' && state !== 'COMPLETED',
    CHANGE_NOT_CONSENTED: ({ state }) => state === 'CONSENTED' || state === 'EXPIRED',
    CHANGE_EXPIRED: ({ state, validUntil }, { now }) => state !== 'EXPIRED' && now < validUntil,
  }),
];

/** Checks that only concern `change.apply`. A change that does not exist fails the first of them. */
function changeChecks(
  checks: Partial<Record<ReasonCode, (change: ChangeFacts, use: Use) => boolean>>,
): Check<Use>[] {
  const codes = Object.keys(checks) as ReasonCode[];
  return codes.map((code) => ({
    code,
    holds: (use) => {
      const { change } = use.facts;
      if (use.question.action !== 'change.apply') return true;
      return change !== null && checks[code]?.(change, use) === true;
    },
  }));
}

function judgeSessions(
  place: Place,
  sessions: readonly SessionFacts[],
  circumstances: Circumstances,
): Verdict {
  const judged = sessions.map((session) => {
    const use = { ...place, ...circumstances, session };
    return { session, failed: sessionChecks.findIndex(({ holds }) => !holds(use)) };
  });
  const fits = judged.find(({ failed }) => failed === -1);
  if (fits !== undefined) return { allowed: true, session: fits.session };
  const farthest = judged.reduce<(typeof judged)[number] | null>(
    (best, one) => (best === null || one.failed > best.failed ? one : best),
    null,
  );
  const code = farthest === null ? 'NO_OPEN_SESSION' : sessionChecks[farthest.failed]?.code;
  if (code === undefined) throw new Error('A session that fails no check was refused');
  return { allowed: false, code, session: farthest?.session ?? null };
}
