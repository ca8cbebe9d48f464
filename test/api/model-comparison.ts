/** Compares the gateway's answers and state with the model. */
import { expect } from 'vitest';
import type { Json } from '../support/gateway.ts';
import {
  type Answer,
  asOfNow,
  type ChangeRequest,
  type Grant,
  grantAt,
  type Model,
  type Session,
  ticketAt,
} from './model.ts';
import { asOfNow as changeAsOfNow, changeAt } from './model-changes.ts';
import { nameOf, products, type Reality, type Seen, sites } from './model-lane.ts';
import { asOfNow as sessionAsOfNow, sessionAt } from './model-sessions.ts';
import { onTicket } from './model-who-may-grant.ts';

/** The global id under which the API knows a row. */
export function globalId(typename: string, id: string | undefined): string {
  if (id === undefined) throw new Error(`The ${typename} has no id yet`);
  return Buffer.from(`${typename}:${id}`).toString('base64');
}

/** Reads the whole state and compares it. Notes the ids of new tickets and grants. */
export async function compareAll(model: Model, reality: Reality, anyOrder: boolean): Promise<void> {
  const seen = await reality.lane.look(reality);
  reality.tickets = seen.tickets.map(({ id }) => id);
  reality.grants = seen.grants.map(({ id }) => id);
  reality.sessions = seen.sessions.map(({ id }) => id);
  reality.changes = seen.changes.map(({ id }) => id);
  reality.proposals = seen.proposals.map(({ id }) => id);
  // As in the model, a removed role is left out, and a new one comes last.
  const held: string[] = seen.roles.map(({ id }) => id);
  reality.roles = [
    ...reality.roles.filter((id) => held.includes(id)),
    ...held.filter((id) => !reality.roles.includes(id)),
  ];
  expect(openWithoutUsableGrant(seen)).toEqual([]);
  const entries = seen.entries.map((entry) => entryLine(reality, entry));
  const events = seen.events.map((event) => eventLine(reality, event));
  const inOrder = (lines: string[]) => (anyOrder ? grantByGrant(lines) : lines);
  expect({ ...state(reality, seen), entries: inOrder(entries), events: byKind(inOrder(events)) }).toEqual({
    ...predicted(model),
    entries: inOrder(model.entries),
    events: byKind(inOrder(model.events)),
  });
  const [lastEntry, lastEvent] = [seen.entries.at(-1), seen.events.at(-1)];
  if (lastEntry !== undefined) reality.seen.entries = [lastEntry.txid, lastEntry.seq];
  if (lastEvent !== undefined) reality.seen.events = [lastEvent.txid, lastEvent.seq];
  model.entries = [];
  model.events = [];
}

/** The events of change requests come apart: between them and others there is no order. */
function byKind(lines: string[]): string[] {
  const ofChange = (line: string) => / change \d/.test(line);
  return [...lines.filter(ofChange), ...lines.filter((line) => !ofChange(line))];
}

/** The open sessions whose engineer may not use their grant. */
function openWithoutUsableGrant({ sessions, grants }: Seen): Json[] {
  const isUsable = (session: Json) =>
    grants.some(
      ({ id, state, engineer_id: engineer }) =>
        id === session.grant_id && state === 'ACTIVE' && engineer === session.engineer_id,
    );
  return sessions.filter((session) => session.ended_at === null && !isUsable(session));
}

/** Sorts lines by their subject, and keeps the order of lines about the same subject. */
function grantByGrant(lines: readonly string[]): string[] {
  const subject = (line: string) =>
    /(grant|ticket|change|session) \d+|ACCESS_CHANGED \w+/.exec(line)?.[0] ?? '';
  return [...lines].sort((one, other) => subject(one).localeCompare(subject(other)));
}

function state({ lane, ...reality }: Reality, seen: Seen): object {
  return {
    tickets: seen.tickets.map((ticket) => ({
      product: products.find((product) => reality.products[product] === ticket.product_id),
      reporter: nameOf(lane, ticket.reporter_id),
      engineer: nameOf(lane, ticket.assignee_id),
      status: ticket.status,
      version: ticket.version,
    })),
    grants: seen.grants.map((grant) => ({
      ticket: reality.tickets.indexOf(grant.ticket_id),
      scope: grant.scope_kind,
      state: grant.state,
      engineer: nameOf(lane, grant.engineer_id),
      requestedBy: nameOf(lane, grant.requested_by_id),
      requestedAt: moment(grant.requested_at),
      waitsUntil: moment(grant.approval_due_at),
      opening: {
        restricted: grant.guard_required,
        maxGrantSeconds: grant.max_grant_seconds,
        samePersonMayApproveTwice: grant.same_person_may_approve_twice,
      },
      path: grant.path,
      approvedBy: nameOf(lane, grant.customer_approved_by_id),
      approvedAt: moment(grant.customer_approved_at),
      activatedAt: moment(grant.activated_at),
      expiresAt: moment(grant.expires_at),
      endedAt: moment(grant.ended_at),
      endReason: grant.end_reason,
      endedBy: nameOf(lane, grant.ended_by_id),
      version: grant.version,
      decisions: seen.decisions
        .filter((decision) => decision.grant_id === grant.id)
        .map(({ stage, outcome, decided_by_id }) => `${stage} ${outcome} by ${nameOf(lane, decided_by_id)}`),
    })),
    sessions: seen.sessions.map((one) => ({
      ...{ grant: reality.grants.indexOf(one.grant_id), engineer: nameOf(lane, one.engineer_id) },
      ...{ startedAt: moment(one.started_at), expiresAt: moment(one.expires_at), dueAt: moment(one.due_at) },
      ...{ endedAt: moment(one.ended_at), endReason: one.end_reason, endedBy: nameOf(lane, one.ended_by_id) },
    })),
    changes: seen.changes.map((one) => ({
      ...{ ticket: reality.tickets.indexOf(one.ticket_id), state: one.state, version: one.version },
      ...{ requestedBy: nameOf(lane, one.requested_by_id), requestedAt: moment(one.requested_at) },
      validUntil: moment(one.valid_until),
      ...{ decidedBy: nameOf(lane, one.decided_by_id), decidedAt: moment(one.decided_at) },
      ...{ endedAt: moment(one.ended_at), endReason: one.end_reason, endedBy: nameOf(lane, one.ended_by_id) },
    })),
    sites: Object.fromEntries(
      sites.map((name) => {
        const site = seen.sites.find(({ id }) => id === reality.sites[name]);
        return [
          name,
          {
            experience: site.experience,
            active: site.status === 'ACTIVE',
            restricted: site.support_access_restricted,
            waitSeconds: site.request_wait_seconds,
            maxGrantSeconds: site.max_grant_seconds,
            samePersonMayApproveTwice: site.same_person_may_approve_twice,
          },
        ];
      }),
    ),
    proposals: seen.proposals.map((one) => ({
      ...{ by: nameOf(lane, one.proposed_by_id), state: one.state, version: one.version },
      ...{ effectiveAt: moment(one.effective_at), expiresAt: moment(one.expires_at) },
      ...{ settledBy: nameOf(lane, one.settled_by_id), settledAt: moment(one.settled_at) },
    })),
    licensed: products.filter((product) => seen.licensed?.includes(reality.products[product])),
    roles: seen.roles
      .map(({ id, role, sync_state }) => `${reality.roles.indexOf(id)} ${role} ${sync_state}`)
      .sort(),
  };
}

function predicted(model: Model): object {
  return {
    tickets: model.tickets,
    grants: model.grants,
    sessions: model.sessions,
    changes: model.changes,
    sites: model.sites,
    proposals: model.proposals.map(({ change: _, needs: __, ...proposal }) => proposal),
    licensed: products.filter((product) => model.licensed[product]),
    roles: model.roles
      .map(({ role, synced }, index) => `${index} ${role} ${synced ? 'SYNCED' : 'PENDING_SYNC'}`)
      .sort(),
  };
}

function moment(text: string | null): number | null {
  return text === null ? null : Date.parse(text);
}

function entryLine(reality: Reality, entry: Json): string {
  const actor = entry.actor_kind === 'SYSTEM' ? 'SYSTEM' : nameOf(reality.lane, entry.actor_id);
  return `${actor} ${entry.action} ${subject(reality, entry)} ${entry.refusal_code ?? entry.outcome}`;
}

function subject(reality: Reality, { resource_type: type, resource_id: id }: Json): string {
  const indexed = (name: string, ids: readonly string[]) => `${name} ${ids.indexOf(id)}`;
  const named = <Name extends string>(what: string, ids: Record<Name, string>) =>
    `${what} ${Object.entries(ids).find(([, known]) => known === id)?.[0]}`;
  switch (type) {
    case 'Ticket':
      return indexed('ticket', reality.tickets);
    case 'Grant':
      return indexed('grant', reality.grants);
    case 'SupportSession':
      return indexed('session', reality.sessions);
    case 'ChangeRequest':
      return indexed('change', reality.changes);
    case 'Site':
      return named('site', reality.sites);
    case 'Product':
      return named('product', reality.products);
    case 'Organization':
      return id === reality.organizationId ? 'organization' : 'some organization';
    case 'User':
      return 'user';
    case 'RoleAssignment':
      return 'role';
    case 'ProposedChange':
      return indexed('proposal', reality.proposals);
    default:
      return type;
  }
}

function eventLine({ lane, grants, sessions, changes }: Reality, { type, payload }: Json): string {
  if (payload.kind === 'session') return `${type} session ${sessions.indexOf(payload.session.id)}`;
  if (payload.kind === 'change_request') {
    const { id, version, state } = payload.changeRequest;
    return `${type} change ${changes.indexOf(id)} version ${version} ${state}`;
  }
  return payload.kind === 'access'
    ? `${type} ${nameOf(lane, payload.accountId)}`
    : `${type} grant ${grants.indexOf(payload.grantId)} version ${payload.grantVersion} ${payload.grant.state}`;
}

/** The answer that the API must return. */
export function answerPredicted(model: Model, reality: Reality, answer: Answer): Json {
  return answerToRepetition(model, reality, answer)(model.now);
}

/**
 * The answer to a later repetition with the same idempotency key: the first answer, except that a grant which
 * has expired since is returned as expired, and a ticket that was closed since is an obstacle.
 */
export function answerToRepetition(model: Model, reality: Reality, answer: Answer): (now: number) => Json {
  if ('grant' in answer) {
    const asItWas = { ...grantAt(model, answer.grant) };
    return (now) => grantSeen(reality, answer.grant, asOfNow(asItWas, now));
  }
  if ('session' in answer) {
    const asItWas = { ...sessionAt(model, answer.session) };
    const { expiresAt } = grantAt(model, asItWas.grant);
    return (now) => sessionSeen(reality, answer.session, sessionAsOfNow(asItWas, expiresAt, now));
  }
  if ('change' in answer) {
    const asItWas = { ...changeAt(model, answer.change) };
    return (now) => changeSeen(reality, answer.change, changeAsOfNow(asItWas, now));
  }
  if ('each' in answer) {
    const each = answer.each.map((one) => answerToRepetition(model, reality, one));
    return (now) => each.map((one) => one(now));
  }
  const same = (answered: Json) => () => answered;
  if ('refused' in answer) {
    const { refused: code, notEligible } = answer;
    if (notEligible === undefined) return same({ code });
    // The obstacles of the roles are those of the refusal; whether the ticket is closed is read when it is shown.
    const { ticket, obstacles } = notEligible;
    return () => ({ code, obstacles: onTicket(obstacles, ticketAt(model, ticket).status === 'CLOSED') });
  }
  if ('ticket' in answer) {
    const { status, version } = ticketAt(model, answer.ticket);
    return same({ id: globalId('Ticket', reality.tickets[answer.ticket]), status, version });
  }
  return same('done');
}

/** A grant of the model as the API shows it. */
export function grantSeen({ grants }: Reality, index: number, grant: Grant): Json {
  const { state: stands, version, endReason, expiresAt, endedAt } = grant;
  return {
    ...{ id: globalId('Grant', grants[index]), state: stands, version, endReason },
    ...{ expiresAt: iso(expiresAt), endedAt: iso(endedAt) },
  };
}

/** A session of the model as the API shows it. */
function sessionSeen({ sessions }: Reality, index: number, { endReason, endedAt }: Session): Json {
  return {
    ...{ id: globalId('SupportSession', sessions[index]), state: endedAt === null ? 'OPEN' : 'ENDED' },
    ...{ endReason, endedAt: iso(endedAt) },
  };
}

/** A change request of the model as the API shows it. */
export function changeSeen({ changes }: Reality, index: number, request: ChangeRequest): Json {
  const { state: stands, version, endReason, endedAt } = request;
  return {
    ...{ id: globalId('ChangeRequest', changes[index]), state: stands, version, endReason },
    endedAt: iso(endedAt),
  };
}

function iso(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

/** The answer of the API in the same shape. */
export function answerSeen(answer: Json): Json {
  const { __typename, ...fields } = answer;
  if ('code' in fields) {
    const { code, eligibility } = fields;
    if (eligibility === undefined) return { code };
    return { code, obstacles: eligibility.obstacles.map((obstacle: Json) => obstacle.code) };
  }
  if (__typename === 'BulkPayload') {
    return fields.results.map(({ result }: Json) => answerSeen(result));
  }
  return ['Grant', 'Ticket', 'ChangeRequest', 'SupportSession'].includes(__typename) ? fields : 'done';
}
