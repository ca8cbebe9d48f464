import { allowancesOf, limitsOf } from '../../access/catalogue.ts';
import type { TrailOfGrant } from '../../audit/record-store.ts';
import { asOf, decisionDueAt } from '../../grants/as-of.ts';
import { type GrantRow, termsOfRow } from '../../grants/row.ts';
import type { GrantTerms } from '../../grants/terms.ts';
import { builder } from '../builder.ts';
import { readsColumns, shownRows } from '../compiled/row-fields.ts';
import type { Context } from '../context.ts';
import { withEndOfPlace } from '../end-of-place.ts';
import { enumValues } from '../enum-values.ts';
import { totalCount } from '../lists/total-count.ts';
import { isSnapshot } from '../subscriptions/snapshot.ts';
import { Account, ServiceAccount, SupportEngineer, User } from './account.ts';
import { AuditLogHead, type HeadOfLog, headFor } from './audit-log-head.ts';
import { GrantAllowance, GrantLimit } from './grant-limits.ts';
import { GrantPermissions, grantPermissions } from './permissions.ts';

export const GrantState = builder.enumType('GrantState', {
  description: 'The state of a grant. DENIED, WITHDRAWN, EXPIRED, REVOKED and ENDED are final.',
  values: {
    PENDING_APPROVAL: {
      description: 'Access was requested, or an approval has lapsed. The customer decides next.',
    },
    PENDING_GUARD_APPROVAL: { description: 'The customer approved. A Guard admin decides next.' },
    ACTIVE: { description: "The ticket's engineer has access." },
    DENIED: { description: 'The customer or a Guard admin denied the request.' },
    WITHDRAWN: {
      description:
        'The engineer took the request back, or its ticket was closed, its site deactivated or its product unlicensed before a decision.',
    },
    EXPIRED: { description: 'Nobody decided before `approvalDueAt`.' },
    REVOKED: { description: 'The customer revoked it, or its ticket was closed.' },
    ENDED: {
      description:
        'Its time ran out, the engineer released it, or its site was deactivated or its product unlicensed.',
    },
  } as const,
});

const GrantPath = builder.enumType('GrantPath', {
  description: 'Where the customer approved a request.',
  values: {
    TICKET_CREATION: { description: 'The consent box of the request form.' },
    SUPPORT_PORTAL: { description: "The ticket's sidebar." },
    ADMIN_CONSOLE: { description: "The site's support access settings." },
  } as const,
});

export const GrantScopeKind = builder.enumType('GrantScopeKind', {
  description: 'The kind of data that a grant opens.',
  values: {
    PRODUCT_DATA: { description: "The data of the ticket's product." },
    ROVO_CONVERSATIONS: {
      description: 'The Rovo conversations that the grant names, and no others. Always a grant of its own.',
    },
  } as const,
});

const GrantEndReason = builder.enumType('GrantEndReason', {
  description: 'Why a grant is over.',
  values: enumValues({
    REVOKED_BY_CUSTOMER: 'A person of the customer revoked it.',
    TICKET_CLOSED: 'Its ticket was closed.',
    TIME_ELAPSED: '`expiresAt` was reached.',
    RELEASED_BY_ENGINEER: 'The engineer released it.',
    SITE_DEACTIVATED: 'Its site was deactivated.',
    PRODUCT_UNLICENSED: 'Its product is no longer licensed on the site.',
    PRODUCT_CHANGED: 'Its ticket is about another product now.',
    DENIED_BY_CUSTOMER:
      'The customer denied the request, or took the approval back before the Guard admin decided.',
    DENIED_BY_GUARD: 'A Guard admin denied the request.',
    WITHDRAWN_BY_ENGINEER: 'The engineer took the request back.',
    APPROVAL_TIMED_OUT: 'Nobody decided before `approvalDueAt`.',
  }),
});

const GrantScope = builder.objectRef<GrantRow>('GrantScope').implement({
  description: 'The data that the engineer may see.',
  fields: (t) => ({
    kind: t.expose('scopeKind', {
      type: GrantScopeKind,
      viewerIndependent: true,
      description: 'The kind of data.',
    }),
    conversationIds: t.exposeStringList('conversationIds', {
      viewerIndependent: true,
      description: 'The ids of the Rovo conversations. Empty for `PRODUCT_DATA`.',
    }),
  }),
});

const GrantTermsRef = builder.objectRef<GrantTerms>('GrantTerms').implement({
  description:
    "The terms of a grant: what its site demanded when the request was opened. The request is decided by them, or by the site's present settings where those are tighter.",
  fields: (t) => ({
    guardRequired: t.exposeBoolean('guardRequired', {
      viewerIndependent: true,
      description: 'Whether support access was restricted: a Guard admin decides after the customer.',
    }),
    maxGrantSeconds: t.exposeInt('maxGrantSeconds', {
      nullable: true,
      viewerIndependent: true,
      description:
        'How long the grant lasts at most, in seconds from its activation. Null: until its ticket is closed.',
    }),
    samePersonMayApproveTwice: t.exposeBoolean('samePersonMayApproveTwice', {
      viewerIndependent: true,
      description: "Whether one person may give both the customer's and the Guard's approval.",
    }),
  }),
});

const GrantAuditTrail = builder.objectRef<TrailOfGrant & { head: HeadOfLog }>('GrantAuditTrail').implement({
  description:
    'What the audit log has of a grant. `GET /audit/grants/<id>` is a file of its entries with their proofs.',
  fields: (t) => ({
    isSealed: t.boolean({
      viewerIndependent: true,
      description:
        'Whether all entries of the grant are sealed under the head, also those that were removed since.',
      resolve: ({ head, last, removedThrough }) =>
        last === null ? removedThrough !== null : last <= head.size,
    }),
    removedThrough: t.field({
      type: 'SafeInt',
      nullable: true,
      viewerIndependent: true,
      description:
        'Up to which position the oldest entries of the log were removed, and entries of the grant with them. Null: the log has all entries of the grant.',
      resolve: ({ removedThrough }) => removedThrough,
    }),
    head: t.expose('head', {
      type: AuditLogHead,
      viewerIndependent: true,
      description: 'The signed head of the log.',
    }),
  }),
});

const ApprovalStage = builder.enumType('ApprovalStage', {
  description: 'The stage of an approval. Where the site restricts support access, both are needed.',
  values: {
    CUSTOMER: { description: "The customer's decision, which comes first." },
    GUARD: { description: "The Guard admin's decision, which comes second." },
  } as const,
});

const DecisionOutcome = builder.enumType('DecisionOutcome', {
  description: 'The outcome of a decision.',
  values: {
    APPROVED: { description: 'The request was approved.' },
    DENIED: { description: 'The request was denied.' },
  } as const,
});

builder.prismaObject('Decision', {
  description: 'A decision on a grant, by a named person.',
  fields: (t) => ({
    stage: t.expose('stage', {
      type: ApprovalStage,
      viewerIndependent: true,
      description: 'The stage that was decided.',
    }),
    outcome: t.expose('outcome', {
      type: DecisionOutcome,
      viewerIndependent: true,
      description: 'Whether it was approved or denied.',
    }),
    reason: t.exposeString('reason', {
      nullable: true,
      viewerIndependent: true,
      description: 'The reason that the person gave. Null where none was given.',
    }),
    decidedAt: t.expose('decidedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time of the decision.',
    }),
    decidedBy: t.relation('decidedBy', {
      type: User,
      viewerIndependent: true,
      description: 'The person who decided.',
    }),
    relayedBy: t.relation('relayedBy', {
      type: ServiceAccount,
      nullable: true,
      viewerIndependent: true,
      description:
        'The service account that relayed the decision: a ticketing system that filed the ticket with the consent box ticked. Null where the person decided in person.',
    }),
  }),
});

/** The most decisions of one grant that are shown. */
const maxDecisions = 100;
const itsDecisions = {
  orderBy: [{ decidedAt: 'asc' as const }, { id: 'asc' as const }],
  take: -maxDecisions,
};

/** Reads of the row as it is now, if its time has run out, or its site or licence has ended. A snapshot stays as it was. */
function settled<Value>(row: GrantRow, context: Context, read: (settled: GrantRow) => Value) {
  if (isSnapshot(row)) return read(row);
  const now = context.services.clock();
  return withEndOfPlace(row, context, (end) => read(asOf(row, now, end)));
}

export const Grant = builder.prismaNode('Grant', {
  description:
    "A permission, asked for or given, for a ticket's assigned engineer to see the data in its scope.",
  id: {
    field: 'id',
    viewerIndependent: true,
    description: 'The global id: opaque, and unique in the whole schema.',
  },
  fields: (t) => ({
    state: t.field({
      type: GrantState,
      viewerIndependent: true,
      description:
        'The state at this moment. A time limit counts from the moment it is reached, and the end of its site or licence from that moment, even before they are recorded.',
      resolve: (row, _, context) => settled(row, context, ({ state }) => state),
    }),
    scope: t.field({
      type: GrantScope,
      viewerIndependent: true,
      ofTheEventItself: true,
      description: 'The data that it opens.',
      resolve: (row) => row,
    }),
    allows: t.field({
      type: [GrantAllowance],
      viewerIndependent: true,
      ofTheEventItself: true,
      description: 'What it allows its engineer on its site and product as long as it is active.',
      resolve: ({ scopeKind }) => allowancesOf(scopeKind),
    }),
    neverAllows: t.field({
      type: [GrantLimit],
      viewerIndependent: true,
      ofTheEventItself: true,
      description: 'What it never allows anybody, whatever is in it.',
      resolve: ({ scopeKind }) => limitsOf(scopeKind),
    }),
    path: t.expose('path', {
      type: GrantPath,
      nullable: true,
      viewerIndependent: true,
      description: 'Where the customer approved. Null as long as they have not.',
    }),
    justification: t.exposeString('justification', {
      nullable: true,
      viewerIndependent: true,
      description: 'Why the engineer asks for access. Null where no reason was given.',
    }),
    requestedAt: t.expose('requestedAt', {
      type: 'DateTime',
      viewerIndependent: true,
      description: 'The time of the request.',
    }),
    approvalDueAt: t.field({
      ...readsColumns(['approvalDueAt', 'activatedAt', 'expiresAt']),
      type: 'DateTime',
      viewerIndependent: true,
      description:
        'The time until which the request waits for its decisions. After it, an undecided request is EXPIRED. A shorter wait in the policy of its site brings it forward; so does the end that the customer approved, while it waits for the Guard.',
      resolve: decisionDueAt,
    }),
    terms: t.field({
      type: GrantTermsRef,
      nullable: true,
      viewerIndependent: true,
      ofTheEventItself: true,
      description:
        'The terms under which it was opened. They never change. Null only where a version of the gateway that did not keep them ended the grant or wrote the event.',
      resolve: (row) => termsOfRow(row),
    }),
    activatedAt: t.expose('activatedAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'The time when the engineer received access. Null where that has not happened.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description:
        'The time at which access ends by itself. Null where it ends with its ticket, and before an approval.',
    }),
    endedAt: t.field({
      type: 'DateTime',
      nullable: true,
      viewerIndependent: true,
      description: 'The time at which it reached its final state. Null as long as it is open.',
      resolve: (row, _, context) => settled(row, context, ({ endedAt }) => endedAt),
    }),
    endReason: t.field({
      type: GrantEndReason,
      nullable: true,
      viewerIndependent: true,
      description: 'Why it reached its final state. Null as long as it is open.',
      resolve: (row, _, context) => settled(row, context, ({ endReason }) => endReason),
    }),
    version: t.int({
      viewerIndependent: true,
      description:
        'Starts at 1 and grows by one with every change. A mutation with it as `expectedVersion` is refused if the grant has changed since.',
      resolve: (row, _, context) => settled(row, context, ({ version }) => version),
    }),
    ticket: t.relation('ticket', { viewerIndependent: true, description: 'The ticket it belongs to.' }),
    engineer: t.relation('engineer', {
      type: SupportEngineer,
      nullable: true,
      viewerIndependent: true,
      description:
        "The engineer who has it: the ticket's assigned engineer as long as the grant is open, and the last one after that. Null where nobody was assigned.",
    }),
    requestedBy: t.relation('requestedBy', {
      type: Account,
      viewerIndependent: true,
      description: 'The account that asked for it: the engineer, or the reporter with the ticket.',
    }),
    endedBy: t.relation('endedBy', {
      type: Account,
      nullable: true,
      viewerIndependent: true,
      description:
        'The account that ended it. Null as long as it is open, where a time limit ended it, and where its site or licence has ended until that is recorded.',
    }),
    auditTrail: t.field({
      type: GrantAuditTrail,
      nullable: true,
      viewerIndependent: false,
      description:
        "Whether what happened with the grant is sealed in the audit log. For those who see its organization's `auditLogHead`; null for everybody else, and as long as nothing in the log is sealed.",
      resolve: async ({ id, organizationId }, _, context) => {
        const head = await headFor(context, organizationId, 'GRANT');
        const nothing = { last: null, removedThrough: null };
        return head === null
          ? null
          : { ...((await context.loaders.trailsOfGrants.load(id)) ?? nothing), head };
      },
    }),
    viewerMay: t.field({
      type: GrantPermissions,
      viewerIndependent: false,
      description:
        'What the viewer may do with the grant at this moment: also in an event, which shows the grant as it was.',
      resolve: (row, _, context) => grantPermissions(row, context),
    }),
    decisions: t.relation('decisions', {
      viewerIndependent: true,
      description: `The decisions made on it, in order; of more than ${maxDecisions}, the last. A request is decided again by the customer after an approval has lapsed.`,
      query: itsDecisions,
      ...shownRows(itsDecisions),
    }),
  }),
});

export const GrantEdge = builder.edgeObject({
  name: 'GrantEdge',
  type: Grant,
  description: 'A grant in a list.',
});

export const GrantConnection = builder.connectionObject(
  {
    name: 'GrantConnection',
    type: Grant,
    description: 'A page of grants.',
    fields: (t) => ({ totalCount: t.field(totalCount) }),
  },
  GrantEdge,
);
