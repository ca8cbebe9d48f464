/** What acknowledged commands leave of a site and its tickets, in the simplest form: the rules of timelines and of access. */

const minute = 60_000;

/** The limits of the site in these histories, in milliseconds. */
export const limits = {
  requestWait: 120 * minute,
  sessionIdle: 30 * minute,
  session: 120 * minute,
  change: 60 * minute,
} as const;

type OnTicket = { ticket: number };
type ByEngineer = OnTicket & { who: number };
/** `who` and `to`: which of the two engineers. */
export type Step =
  | { do: 'deactivate' | 'reactivate' | 'license' | 'unlicense' | 'promote' | 'demote' }
  | (OnTicket & { do: 'file'; ticked: boolean })
  /** `helper`: by somebody who may lose the role that lets them grant. */
  | (OnTicket & { do: 'approve'; minutes: number | null; helper: boolean })
  | (OnTicket & { do: 'deny' | 'approveAsGuard' | 'denyAsGuard' | 'revoke' })
  | (OnTicket & { do: 'close' | 'reopen' | 'consent' | 'refuse' | 'takeBack' })
  | (OnTicket & { do: 'assign'; to: number | null })
  | (OnTicket & { do: 'status'; status: 'OPEN' | 'WAITING_FOR_CUSTOMER' })
  | (OnTicket & { do: 'update'; product: 'jira' | 'confluence' } & { who: number })
  | (ByEngineer & { do: 'request' | 'withdraw' | 'release' | 'start' | 'end' })
  | (ByEngineer & { do: 'requestChange' | 'withdrawChange' | 'record' })
  | (ByEngineer & { do: 'ask'; action: 'work_item.read' | 'change.apply' });

/**
 * A command that was acknowledged, and when: `id` is what it was answered with. Of a question, also the answer.
 * `sweep`: what was due was written down. `lapse`: the Guard's approval was refused because the customer's had lapsed.
 */
export type Happened = { at: number } & (
  | { step: Step; id: string; yes?: boolean }
  | { step: { do: 'sweep' } | { do: 'lapse'; ticket: number } }
);

type Grant = {
  id: string;
  engineer: number | null;
  state: 'ASKED' | 'APPROVED' | 'ACTIVE' | 'OVER';
  waitsUntil: number;
  /** Infinity: as long as its ticket is open. */
  until: number;
  since: number;
};
type Session = {
  id: string;
  grant: Grant;
  who: number;
  from: number;
  used: number;
  end: { at: number; reason: string } | null;
  lastAction: string;
};
type Change = {
  id: string;
  state: 'ASKED' | 'CONSENTED' | 'BEGUN' | 'OVER';
  until: number;
  session: Session | null;
};
type Ticket = {
  engineer: number | null;
  status: string;
  product: string;
  grants: Grant[];
  sessions: Session[];
  changes: Change[];
  timeline: string[];
};

/** Who acts in a history, by email. */
export type Actors = Record<'admin' | 'reporter' | 'helper' | 'guard' | 'operator', string> & {
  engineers: readonly string[];
};

/** As a timeline shows it: one line for each thing. */
export const itemOf = (
  kind: string,
  by: string,
  at: string,
  {
    grant = null,
    session = null,
    change = null,
  }: Partial<Record<'grant' | 'session' | 'change', string | null>>,
): string => `${kind} by ${by} at ${at}: grant ${grant}, session ${session}, change ${change}`;

/** An entry of a session, as the last action of `Site.activeAccess` shows it. */
export const actionOf = (action: string, outcome: string, at: string): string =>
  `${action} ${outcome} at ${at}`;

const moment = (at: number): string => new Date(at).toISOString();
const latest = <Item>(items: readonly Item[]): Item | undefined => items.at(-1);

export function replay(history: readonly Happened[], restricted: boolean, actors: Actors) {
  const tickets = new Map<number, Ticket>();
  const newest: { grant: Grant; ticket: Ticket }[] = [];
  const engineerOf = (number: number): string => actors.engineers[number] ?? '';

  for (const one of history) {
    const { step, at } = one;
    if (step.do === 'sweep') for (const ticket of tickets.values()) sweep(ticket, at);
    else if ('ticket' in step) onTicket(step, one);
    else if (step.do === 'deactivate')
      for (const ticket of tickets.values()) endPlace(ticket, at, actors.admin);
    else if (step.do === 'unlicense')
      for (const ticket of tickets.values())
        if (ticket.product === 'jira') endPlace(ticket, at, actors.operator, 'PRODUCT_UNLICENSED');
  }

  function onTicket(step: Extract<Happened['step'], { ticket: number }>, happened: Happened): void {
    const { at } = happened;
    const id = 'id' in happened ? happened.id : '';
    if (step.do === 'file') {
      file(step, id, at);
      return;
    }
    const ticket = tickets.get(step.ticket);
    if (ticket === undefined) throw new Error(`Ticket ${step.ticket} was not filed`);
    const by = 'who' in step ? engineerOf(step.who) : actors.admin;
    const grant = openGrant(ticket);
    const change = ticket.changes.find((other) => other.id === id);
    const tell = (kind: string, about: Parameters<typeof itemOf>[3] = {}, actor = by) =>
      void ticket.timeline.push(itemOf(kind, actor, moment(at), about));
    const tellOfGrant = (kind: string, actor = by) => tell(kind, { grant: grant?.id ?? '' }, actor);
    const tellOfChange = (kind: string) => tell(kind, { change: id, session: change?.session?.id ?? null });

    switch (step.do) {
      case 'close':
        if (ticket.status === 'CLOSED') return;
        tell('TICKET_CLOSED');
        ticket.status = 'CLOSED';
        endChanges(ticket, at, by);
        endGrant(ticket, at, by, 'ACCESS_REVOKED', 'TICKET_CLOSED');
        return;
      case 'reopen':
        ticket.status = 'OPEN';
        tell('TICKET_REOPENED');
        break;
      case 'status':
        if (ticket.status === step.status) return;
        ticket.status = step.status;
        tell('TICKET_STATUS_CHANGED', {}, engineerOf(ticket.engineer ?? 0));
        break;
      case 'update':
        if (ticket.product === step.product) return;
        ticket.product = step.product;
        tell('TICKET_UPDATED');
        endChanges(ticket, at, by);
        endGrant(ticket, at, by, 'ACCESS_ENDED', 'PRODUCT_CHANGED');
        return;
      case 'assign': {
        if (ticket.engineer === step.to) return;
        ticket.engineer = step.to;
        tell('TICKET_ASSIGNED', {}, actors.operator);
        endChanges(ticket, at, actors.operator);
        if (grant === undefined) return;
        grant.engineer = step.to;
        tellOfGrant('ACCESS_REASSIGNED', actors.operator);
        endSession(ticket, at, actors.operator, 'TICKET_REASSIGNED');
        break;
      }
      case 'request':
        ask(ticket, id, at, by);
        break;
      case 'approve': {
        const approver = step.helper ? actors.helper : by;
        if (grant === undefined) ask(ticket, id, at, approver);
        const until = step.minutes === null ? Number.POSITIVE_INFINITY : at + step.minutes * minute;
        approve(ticket, at, approver, until);
        break;
      }
      case 'approveAsGuard':
        if (grant !== undefined) Object.assign(grant, { state: 'ACTIVE', since: at });
        tellOfGrant('ACCESS_APPROVED_BY_GUARD', actors.guard);
        break;
      case 'lapse':
        if (grant !== undefined) Object.assign(grant, { state: 'ASKED', until: Number.POSITIVE_INFINITY });
        tellOfGrant('APPROVAL_LAPSED', 'SYSTEM');
        break;
      case 'deny':
        endGrant(ticket, at, by, 'ACCESS_DENIED');
        break;
      case 'denyAsGuard':
        endGrant(ticket, at, actors.guard, 'ACCESS_DENIED_BY_GUARD');
        break;
      case 'withdraw':
        endGrant(ticket, at, by, 'REQUEST_WITHDRAWN');
        break;
      case 'revoke':
        endGrant(ticket, at, by, 'ACCESS_REVOKED', 'GRANT_REVOKED', 'ACCESS_REVOKED');
        break;
      case 'release':
        endGrant(ticket, at, by, 'ACCESS_RELEASED', 'GRANT_RELEASED');
        break;
      case 'start': {
        if (grant === undefined) throw new Error('A session was started without a grant');
        const lastAction = actionOf('SUPPORT_SESSION_START', 'SUCCEEDED', moment(at));
        ticket.sessions.push({ id, grant, who: step.who, from: at, used: at, end: null, lastAction });
        tell('SESSION_STARTED', { grant: grant.id, session: id });
        break;
      }
      case 'end':
        endSession(ticket, at, by, 'ENDED_BY_ENGINEER');
        break;
      case 'requestChange':
        ticket.changes.push({ id, state: 'ASKED', until: at + limits.change, session: null });
        tellOfChange('CHANGE_REQUESTED');
        break;
      case 'consent':
        if (change !== undefined) change.state = 'CONSENTED';
        tellOfChange('CHANGE_CONSENTED');
        break;
      case 'refuse':
      case 'takeBack':
      case 'withdrawChange':
        if (change !== undefined) change.state = 'OVER';
        tellOfChange(endsOfChanges[step.do]);
        break;
      case 'record':
        if (change === undefined) return;
        change.state = 'OVER';
        if (change.session !== null)
          change.session.lastAction = actionOf('CHANGE_REQUEST_COMPLETE', 'SUCCEEDED', moment(at));
        tellOfChange('CHANGE_COMPLETED');
        break;
      case 'ask': {
        const session = openSession(ticket);
        if (session === undefined || session.who !== step.who) return;
        const yes = 'yes' in happened && happened.yes === true;
        const action = step.action === 'change.apply' ? 'CHANGE_APPLY' : 'WORK_ITEM_READ';
        session.lastAction = actionOf(action, yes ? 'SUCCEEDED' : 'REFUSED', moment(at));
        if (!yes) return;
        // A use is written once a tenth of the idle limit has passed since the last one that was.
        if (at - session.used >= limits.sessionIdle / 10) session.used = at;
        if (change === undefined || step.action !== 'change.apply') return;
        Object.assign(change, { state: 'BEGUN', session });
        session.lastAction = actionOf('CHANGE_REQUEST_BEGIN', 'SUCCEEDED', moment(at));
        tellOfChange('CHANGE_BEGUN');
        break;
      }
    }
  }

  function file({ ticket: number, ticked }: Extract<Step, { do: 'file' }>, id: string, at: number): void {
    const by = ticked ? actors.admin : actors.reporter;
    const ticket: Ticket = {
      ...{ engineer: null, status: 'OPEN', product: 'jira' },
      ...{ grants: [], sessions: [], changes: [], timeline: [itemOf('TICKET_FILED', by, moment(at), {})] },
    };
    tickets.set(number, ticket);
    ask(ticket, id, at, by);
    if (ticked) approve(ticket, at, by, Number.POSITIVE_INFINITY);
  }

  function ask(ticket: Ticket, id: string, at: number, by: string): void {
    const grant: Grant = {
      ...{ id, engineer: ticket.engineer, state: 'ASKED', waitsUntil: at + limits.requestWait },
      ...{ until: Number.POSITIVE_INFINITY, since: 0 },
    };
    ticket.grants.push(grant);
    newest.unshift({ grant, ticket });
    ticket.timeline.push(itemOf('ACCESS_REQUESTED', by, moment(at), { grant: id }));
  }

  function approve(ticket: Ticket, at: number, by: string, until: number): void {
    const grant = openGrant(ticket);
    if (grant === undefined) throw new Error('Nothing was approved');
    Object.assign(grant, { until, ...(restricted ? { state: 'APPROVED' } : { state: 'ACTIVE', since: at }) });
    ticket.timeline.push(itemOf('ACCESS_APPROVED', by, moment(at), { grant: grant.id }));
  }

  /** `pending`: what a request that ends is shown as. */
  function endGrant(
    ticket: Ticket,
    at: number,
    by: string,
    kind: string,
    endOfSession = '',
    pending = kind.startsWith('ACCESS_DENIED') ? kind : 'REQUEST_WITHDRAWN',
  ): void {
    const grant = openGrant(ticket);
    if (grant === undefined) return;
    const wasActive = grant.state === 'ACTIVE';
    grant.state = 'OVER';
    ticket.timeline.push(itemOf(wasActive ? kind : pending, by, moment(at), { grant: grant.id }));
    if (wasActive) endSession(ticket, at, by, endOfSession);
  }

  function endSession(ticket: Ticket, at: number, by: string, reason: string): void {
    const session = openSession(ticket);
    if (session === undefined) return;
    session.end = { at, reason };
    session.lastAction = actionOf('SUPPORT_SESSION_END', 'SUCCEEDED', moment(at));
    const about = { grant: session.grant.id, session: session.id };
    ticket.timeline.push(itemOf('SESSION_ENDED', by, moment(at), about));
  }

  /** What was begun stays to be recorded. */
  function endChanges(ticket: Ticket, at: number, by: string, isMeant = (_: Change) => true): void {
    for (const change of ticket.changes) {
      if (change.state === 'OVER' || change.state === 'BEGUN' || !isMeant(change)) continue;
      change.state = 'OVER';
      const kind = by === 'SYSTEM' ? 'CHANGE_EXPIRED' : 'CHANGE_WITHDRAWN';
      ticket.timeline.push(itemOf(kind, by, moment(at), { change: change.id }));
    }
  }

  function endPlace(ticket: Ticket, at: number, by: string, reason = 'SITE_DEACTIVATED'): void {
    endChanges(ticket, at, by);
    endGrant(ticket, at, by, 'ACCESS_ENDED', reason);
  }

  /** Sessions first, then grants, then changes. */
  function sweep(ticket: Ticket, now: number): void {
    const session = openSession(ticket);
    const reason = session === undefined ? null : elapsed(session, now);
    if (session !== undefined && reason !== null) {
      endSession(ticket, now, 'SYSTEM', reason);
      session.end = { at: dueAt(session), reason };
    }
    const grant = openGrant(ticket);
    if (grant !== undefined && endOf(grant) <= now)
      endGrant(ticket, now, 'SYSTEM', 'ACCESS_ENDED', '', 'REQUEST_EXPIRED');
    endChanges(ticket, now, 'SYSTEM', ({ until }) => until <= now);
  }

  return {
    timeline: (ticket: number): readonly string[] => tickets.get(ticket)?.timeline ?? [],
    /** Who has access at this moment, newest grant first. */
    access: (now: number) =>
      newest
        .filter(({ grant }) => grant.state === 'ACTIVE' && grant.until > now)
        .map(({ grant, ticket }) => ({
          ...{ id: grant.id, engineer: grant.engineer === null ? null : engineerOf(grant.engineer) },
          activatedAt: moment(grant.since),
          session: shown(latest(ticket.sessions.filter((session) => session.grant === grant)), now),
        })),
    /** When time next ends something on the ticket; null: never. */
    nextLimit(ticket: number): number | null {
      const found = tickets.get(ticket);
      if (found === undefined) return null;
      const [session, grant] = [openSession(found), openGrant(found)];
      const next = Math.min(
        ...(session === undefined ? [] : [dueAt(session)]),
        ...(grant === undefined ? [] : [endOf(grant)]),
        ...found.changes.flatMap(({ state, until }) =>
          state === 'OVER' || state === 'BEGUN' ? [] : [until],
        ),
      );
      return Number.isFinite(next) ? next : null;
    },
    newest: (ticket: number) => ({
      grant: latest(tickets.get(ticket)?.grants ?? [])?.id,
      session: latest(tickets.get(ticket)?.sessions ?? [])?.id,
      change: latest(tickets.get(ticket)?.changes ?? [])?.id,
      product: tickets.get(ticket)?.product ?? 'jira',
      engineer: tickets.get(ticket)?.engineer ?? 0,
    }),
  };
}

const endsOfChanges = {
  refuse: 'CHANGE_REFUSED',
  takeBack: 'CHANGE_CONSENT_REVOKED',
  withdrawChange: 'CHANGE_WITHDRAWN',
} as const;

const openGrant = ({ grants }: Ticket): Grant | undefined => grants.find(({ state }) => state !== 'OVER');
const openSession = ({ sessions }: Ticket): Session | undefined => sessions.find(({ end }) => end === null);

/** When time ends it. */
const endOf = ({ state, waitsUntil, until }: Grant): number =>
  state === 'ACTIVE' ? until : Math.min(waitsUntil, until);
const expiresAt = ({ from, grant }: Session): number => Math.min(from + limits.session, grant.until);
const dueAt = (session: Session): number => Math.min(session.used + limits.sessionIdle, expiresAt(session));

/** Which limit has ended an open session by now; null: none. */
function elapsed(session: Session, now: number): string | null {
  if (dueAt(session) > now) return null;
  if (dueAt(session) < expiresAt(session)) return 'IDLE_LIMIT';
  return session.grant.until <= expiresAt(session) ? 'GRANT_EXPIRED' : 'TIME_LIMIT';
}

/** As a reader must see it now: its time may have run out before that is written. */
function shown(session: Session | undefined, now: number) {
  if (session === undefined) return null;
  const reason = elapsed(session, now);
  const end = session.end ?? (reason === null ? null : { at: dueAt(session), reason });
  return {
    ...{ id: session.id, startedAt: moment(session.from), lastUsedAt: moment(session.used) },
    ...{ state: end === null ? 'OPEN' : 'ENDED', endReason: end?.reason ?? null },
    ...{ endedAt: end === null ? null : moment(end.at), lastAction: session.lastAction },
  };
}
