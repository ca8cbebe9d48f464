/**
 * What a ticket's timeline says of an entry of the audit log: what happened, as a sentence. Pure functions.
 *
 * It says only what everybody who sees the ticket's grants may know.
 */
import type { AuditAction } from './actions.ts';

/** An entry, as far as its sentence needs it. */
export type TimelineEntry = { action: string; actorKind: string; actorName: string; details: unknown };

/** Names of the people whose ids the details have, by the key of the details. */
export type Names = Readonly<Record<string, string | undefined>>;

/** The keys of details whose people a sentence names. */
export const namedPeople = ['approverId', 'engineerId', 'formerEngineerId', 'onBehalfOfId'] as const;

type Facts = { by: string; byEngineer: boolean; details: Readonly<Record<string, unknown>>; names: Names };
type Item = { kind: string; sentence: (facts: Facts) => string };

const endsOfUse = {
  TICKET_REASSIGNED: ': the ticket passed to somebody else',
  TICKET_CLOSED: ' with the ticket',
  SITE_DEACTIVATED: ': its site was deactivated',
  PRODUCT_UNLICENSED: ': its product is no longer licensed',
  PRODUCT_CHANGED: ': the ticket is about another product now',
  TIME_ELAPSED: ': its time ran out',
};

const changes = {
  PERMISSIONS: ' of permissions',
  USERS_AND_GROUPS: ' of users and groups',
  SETTINGS: ' of settings',
  CONTENT: ' of content',
};

const results = { APPLIED: ': it was made', FAILED: ': it failed', NOT_APPLIED: ': it was not made' };

const endsOfSessions = {
  IDLE_LIMIT: ': it was not used',
  TIME_LIMIT: ': its time ran out',
  GRANT_REVOKED: ': its grant was revoked',
  GRANT_EXPIRED: ': the time of its grant ran out',
  GRANT_RELEASED: ': its grant was given back',
  TICKET_CLOSED: ' with the ticket',
  TICKET_REASSIGNED: ': the ticket passed to somebody else',
  ENGINEER_DEACTIVATED: ": the engineer's account was deactivated",
  SITE_DEACTIVATED: ': its site was deactivated',
  PRODUCT_UNLICENSED: ': its product is no longer licensed',
  PRODUCT_CHANGED: ': the ticket is about another product now',
};

const purposes = {
  INVESTIGATE_PROBLEM: ' to investigate the problem',
  REPRODUCE_PROBLEM: ' to reproduce the problem',
  GATHER_LOGS: ' to gather logs',
  CHECK_CONFIGURATION: ' to check the configuration',
  APPLY_CHANGE: ' to apply a change',
  VERIFY_SOLUTION: ' to verify the solution',
};

const items = {
  'ticket.create': {
    kind: 'TICKET_FILED',
    sentence: ({ by }) => `${by} filed the ticket.`,
  },
  'ticket.assign': {
    kind: 'TICKET_ASSIGNED',
    sentence: ({ by, names }) =>
      names['engineerId'] === undefined
        ? `${by} left the ticket without an engineer.`
        : `${by} assigned the ticket to ${names['engineerId']}.`,
  },
  'ticket.update_status': {
    kind: 'TICKET_STATUS_CHANGED',
    sentence: ({ by, details }) => `${by} set the status to ${statusOf(details['to'])}.`,
  },
  'ticket.update': {
    kind: 'TICKET_UPDATED',
    sentence: ({ by, details }) => `${by} changed the ticket${changedFieldsOf(details)}.`,
  },
  'ticket.close': { kind: 'TICKET_CLOSED', sentence: ({ by }) => `${by} closed the ticket.` },
  'ticket.reopen': { kind: 'TICKET_REOPENED', sentence: ({ by }) => `${by} reopened the ticket.` },
  'grant.request': {
    kind: 'ACCESS_REQUESTED',
    sentence: ({ by, byEngineer, details }) =>
      byEngineer ? `${by} asked for ${accessTo(details)}.` : `A request for ${accessTo(details)} was opened.`,
  },
  'grant.approve': {
    kind: 'ACCESS_APPROVED',
    sentence: ({ by, details, names }) =>
      `${by} ${
        names['onBehalfOfId'] === undefined ? 'approved' : `relayed ${names['onBehalfOfId']}'s approval of`
      } ${accessTo(details)}${details['to'] === 'PENDING_GUARD_APPROVAL' ? '. A Guard admin decides next' : ''}.`,
  },
  'grant.approve_as_guard': {
    kind: 'ACCESS_APPROVED_BY_GUARD',
    sentence: ({ by, details }) => `${by} approved ${accessTo(details)} as Guard admin.`,
  },
  'grant.deny': {
    kind: 'ACCESS_DENIED',
    sentence: ({ by, details }) => `${by} denied ${accessTo(details)}.`,
  },
  'grant.deny_as_guard': {
    kind: 'ACCESS_DENIED_BY_GUARD',
    sentence: ({ by, details }) => `${by} denied ${accessTo(details)} as Guard admin.`,
  },
  'grant.lapse_approval': {
    kind: 'APPROVAL_LAPSED',
    sentence: ({ names }) =>
      `The customer's approval lapsed: ${names['approverId'] ?? 'its giver'} may no longer grant. The customer decides again.`,
  },
  'grant.withdraw': {
    kind: 'REQUEST_WITHDRAWN',
    sentence: ({ by, details }) =>
      details['endReason'] === 'WITHDRAWN_BY_ENGINEER'
        ? `${by} took the request back.`
        : `The request ended${causeOf(details)}.`,
  },
  'grant.expire': {
    kind: 'REQUEST_EXPIRED',
    sentence: () => 'The request expired: nobody decided in time.',
  },
  'grant.revoke': {
    kind: 'ACCESS_REVOKED',
    sentence: ({ by, details }) => {
      if (details['endReason'] === 'TICKET_CLOSED')
        return `${capitalized(accessTo(details))} ended${causeOf(details)}.`;
      return details['to'] === 'REVOKED'
        ? `${by} revoked ${accessTo(details)}.`
        : `${by} took the approval of ${accessTo(details)} back.`;
    },
  },
  'grant.release': {
    kind: 'ACCESS_RELEASED',
    sentence: ({ by, details }) => `${by} gave ${accessTo(details)} back.`,
  },
  'grant.end': {
    kind: 'ACCESS_ENDED',
    sentence: ({ details }) => `${capitalized(accessTo(details))} ended${causeOf(details)}.`,
  },
  'grant.reassign': {
    kind: 'ACCESS_REASSIGNED',
    sentence: ({ details, names }) =>
      names['engineerId'] === undefined
        ? `Nobody has the grant of ${accessTo(details)} until an engineer is assigned.`
        : `The grant of ${accessTo(details)} passed to ${names['engineerId']}.`,
  },
  'support_session.start': {
    kind: 'SESSION_STARTED',
    sentence: ({ by, details }) => `${by} started a support session${textFor(purposes, details['reason'])}.`,
  },
  'support_session.end': {
    kind: 'SESSION_ENDED',
    sentence: ({ by, details }) =>
      details['endReason'] === 'ENDED_BY_ENGINEER'
        ? `${by} ended the support session.`
        : `The support session ended${textFor(endsOfSessions, details['endReason'])}.`,
  },
  'change_request.request': {
    kind: 'CHANGE_REQUESTED',
    sentence: ({ by, details }) => `${by} asked for the consent to ${changeOf(details)}.`,
  },
  'change_request.consent': {
    kind: 'CHANGE_CONSENTED',
    sentence: ({ by, details }) => `${by} consented to ${changeOf(details)}.`,
  },
  'change_request.refuse': {
    kind: 'CHANGE_REFUSED',
    sentence: ({ by, details }) => `${by} refused ${changeOf(details)}.`,
  },
  'change_request.revoke_consent': {
    kind: 'CHANGE_CONSENT_REVOKED',
    sentence: ({ by, details }) => `${by} took the consent to ${changeOf(details)} back.`,
  },
  'change_request.withdraw': {
    kind: 'CHANGE_WITHDRAWN',
    sentence: ({ by, details }) =>
      details['endReason'] === 'WITHDRAWN_BY_ENGINEER'
        ? `${by} took the request for ${changeOf(details)} back.`
        : `The request for ${changeOf(details)} ended${causeOf(details)}.`,
  },
  'change_request.expire': {
    kind: 'CHANGE_EXPIRED',
    sentence: ({ details }) => `The request for ${changeOf(details)} expired.`,
  },
  'change_request.begin': {
    kind: 'CHANGE_BEGUN',
    sentence: ({ by, details }) => `${by} began ${changeOf(details)}.`,
  },
  'change_request.complete': {
    kind: 'CHANGE_COMPLETED',
    sentence: ({ by, details }) =>
      `${by} recorded what came of ${changeOf(details)}${textFor(results, details['result'])}.`,
  },
} as const satisfies Partial<Record<AuditAction, Item>>;

type TimelineAction = keyof typeof items;
export type TimelineKind = (typeof items)[TimelineAction]['kind'];

/** The actions whose successful entries are on a timeline. */
export const timelineActions = Object.keys(items) as TimelineAction[];

/** What happened. The entry's action is one of `timelineActions`. */
export function timelineKind({ action }: Pick<TimelineEntry, 'action'>): TimelineKind {
  return items[action as TimelineAction].kind;
}

/** One sentence in plain English. The entry's action is one of `timelineActions`. */
export function timelineSentence(
  { action, actorKind, actorName, details }: TimelineEntry,
  names: Names,
): string {
  const { sentence }: Item = items[action as TimelineAction];
  return sentence({
    by: actorName,
    byEngineer: actorKind === 'SUPPORT_ENGINEER',
    details: details as Record<string, unknown>,
    names,
  });
}

function accessTo({ scope }: Facts['details']): string {
  const { conversationIds = [] } = (scope ?? {}) as { conversationIds?: readonly string[] };
  if (conversationIds.length === 0) return "access to the product's data";
  return `access to ${conversationIds.length} Rovo conversation${conversationIds.length === 1 ? '' : 's'}`;
}

function changeOf({ kind }: Facts['details']): string {
  return `a change${textFor(changes, kind)}`;
}

/** Why it ended, where no person of the ticket ended it. */
function causeOf({ endReason }: Facts['details']): string {
  return textFor(endsOfUse, endReason);
}

/** What an update set, in words: `: the product to jira, and the status to closed`. */
function changedFieldsOf({ after }: Facts['details']): string {
  const { summary, product, status } = (after ?? {}) as Record<string, unknown>;
  const parts = [
    ...(summary === undefined ? [] : ['the summary']),
    ...(product === undefined ? [] : [`the product to ${String(product)}`]),
    ...(status === undefined ? [] : [`the status to ${statusOf(status)}`]),
  ];
  return parts.length === 0 ? '' : `: ${parts.join(', and ')}`;
}

function statusOf(status: unknown): string {
  return String(status).toLowerCase().replaceAll('_', ' ');
}

/** The text for a value of the details; none for a value that only another version knows. */
function textFor(texts: Readonly<Record<string, string>>, value: unknown): string {
  return (typeof value === 'string' ? texts[value] : undefined) ?? '';
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
