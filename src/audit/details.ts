/**
 * The shape of `details` in the records of each action. docs/audit-record.schema.json is written from it, docs/audit.md has the
 * same in words, and tests hold every entry to it that is written anywhere.
 */
import { z } from 'zod';
import {
  AuditStreamState,
  ChangeKind,
  ChangeRequestEndReason,
  ChangeRequestState,
  ChangeResult,
  Confirmation,
  GrantEndReason,
  GrantPath,
  GrantState,
  InboundTicketEventReason,
  InboundTicketEventType,
  ProposedChangeKind,
  RelayedConsentOutcome,
  Role,
  RoleOrigin,
  RoleSyncState,
  RovoDataDeletionState,
  ServiceCapability,
  SiteStatus,
  SupportSessionEndReason,
  SupportSessionReason,
  TicketStatus,
  UserManagementExperience,
} from '../../prisma/generated/client/enums.ts';
import { decodeGlobalId } from '../platform/global-id.ts';
import { obstacleCodes } from '../roles/eligibility.ts';
import { type AuditAction, auditActions } from './actions.ts';
import { longestRetention, shortestRetention } from './retention.ts';

const text = z.string();
const count = z.int().min(0);
const seconds = z.int().min(1);
const days = z.int().min(shortestRetention).max(longestRetention);

/** A moment, as `Date.toJSON` writes it. */
export const moment = text
  .refine((value) => !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value)
  .meta({ format: 'date-time' });

/** The global id of one of these types. */
export const idOf = (...types: readonly string[]) =>
  text
    .refine((value) => types.includes(decodeGlobalId(value)?.typename ?? ''))
    .meta({ description: `The global id of: ${types.join(', ')}` });

/** An ISO 3166-1 alpha-2 code. */
const country = text.regex(/^[A-Z]{2}$/);

/** The URL of an endpoint may be secret in parts, so the log has its origin alone. */
const streamSettings = z.strictObject({
  ...{ name: text, origin: text, format: text, maxBatchBytes: count },
  filter: z.strictObject({
    actions: z.array(text).optional(),
    actorKinds: z.array(text).optional(),
    outcome: z.enum(['SUCCEEDED', 'REFUSED']).optional(),
    siteIds: z.array(idOf('Site')).optional(),
  }),
});

const streamState = z.strictObject({
  name: text,
  from: z.enum(AuditStreamState),
  to: z.enum(AuditStreamState),
});

const evaluation = z.strictObject({
  askedBy: text,
  askedById: idOf('ServiceAccount'),
  product: text,
  country: country.nullable(),
  region: text.nullable(),
  destinationRegion: text.optional(),
  changeRequestId: idOf('ChangeRequest').optional(),
  reason: text.optional(),
});

const scope = z.union([
  z.strictObject({ kind: z.literal('PRODUCT_DATA') }),
  z.strictObject({ kind: z.literal('ROVO_CONVERSATIONS'), conversationIds: z.array(text).min(1) }),
]);

const grant = z.strictObject({
  from: z.enum(GrantState).nullable(),
  to: z.enum(GrantState),
  version: z.int().min(1),
  scope,
  engineerId: idOf('SupportEngineer').nullable(),
  formerEngineerId: idOf('SupportEngineer').nullable().optional(),
  path: z.enum(GrantPath).optional(),
  expiresAt: moment.optional(),
  approvalDueAt: moment.optional(),
  endReason: z.enum(GrantEndReason).optional(),
  reason: text.optional(),
  approverId: idOf('User').optional(),
  relayedById: idOf('ServiceAccount').optional(),
  onBehalfOfId: idOf('User').nullable().optional(),
});

const change = z.strictObject({
  from: z.enum(ChangeRequestState).nullable(),
  to: z.enum(ChangeRequestState),
  version: z.int().min(1),
  kind: z.enum(ChangeKind),
  resourceType: text,
  resourceId: text,
  validUntil: moment,
  description: text.optional(),
  endReason: z.enum(ChangeRequestEndReason).optional(),
  result: z.enum(ChangeResult).optional(),
  resultNote: text.optional(),
  reason: text.optional(),
});

/** What a proposed change replaces, by name. */
const values = z.record(text, z.union([text, z.number(), z.boolean(), z.null(), z.array(text)]));

const proposal = z.strictObject({
  kind: z.enum(ProposedChangeKind),
  summary: text,
  before: values,
  after: values,
  needs: z.enum(Confirmation),
  userId: idOf('User').optional(),
  effectiveAt: moment.optional(),
  expiresAt: moment.optional(),
});

const role = z.strictObject({
  email: text,
  userId: idOf('User'),
  role: z.enum(Role),
  siteId: idOf('Site').nullable(),
  productId: idOf('Product').nullable(),
  origin: z.enum(RoleOrigin),
  syncState: z.enum(RoleSyncState),
});

/** The details of a refused command: of no eligibility the obstacles, of repeated refusals their times. */
const refusal = z.strictObject({
  obstacles: z.array(z.enum(obstacleCodes)).optional(),
  since: moment.optional(),
  until: moment.optional(),
});

/** What was asked for, as far as everybody may know who sees the entry; of repeated readings, their times. */
const reading = z.strictObject({
  conditions: z.array(text).optional(),
  filter: z.record(text, z.unknown()).optional(),
  since: moment.optional(),
  until: moment.optional(),
});

const account = z.strictObject({ email: text });
const person = z.strictObject({ email: text, name: text });
const siteStatus = z.strictObject({ status: z.enum(SiteStatus) });
const ticketStatus = z.strictObject({ from: z.enum(TicketStatus), to: z.enum(TicketStatus) });
const ticketFields = z.strictObject({
  summary: text.optional(),
  product: text.optional(),
  status: z.enum(TicketStatus).optional(),
});

/** The shapes that are common to several actions, by the names that the documents have for them. */
export const commonShapes = { evaluation, grant, change, proposal, role, reading, refusal };

/** The details of what succeeded. */
const succeeded = {
  'access.evaluate': z.strictObject({ askedBy: text, askedById: idOf('ServiceAccount'), reason: text }),
  'account.accept_invitation': z.strictObject({ email: text, userId: idOf('User') }),
  'account.add_compliance_analyst': person,
  'account.add_operator': person,
  'account.add_service_account': z.strictObject({
    email: text,
    name: text,
    capabilities: z.array(z.enum(ServiceCapability)),
    organizationId: idOf('Organization').nullable(),
    evaluatedProducts: z.array(text).optional(),
  }),
  'account.add_support_engineer': person,
  'account.add_user': person,
  'account.bind_subject': z.strictObject({ email: text, issuer: text, subject: text }),
  'account.deactivate': account,
  'account.invite': person,
  'account.reactivate': account,
  'account.remove_user': account,
  'account.withdraw_invitation': account,
  'admin_settings.view': evaluation,
  'attachment.read': evaluation,
  'audit_entries.count': reading.extend({ groupBy: z.array(text).optional() }),
  'audit_entries.export': reading.extend({
    of: z.enum(['TABLE', 'LOG', 'BUNDLE', 'GRANT']),
    grantId: idOf('Grant').optional(),
  }),
  'audit_entries.prove': reading.extend({
    of: z.enum(['HEAD', 'HASHES', 'ENTRY', 'GRANT', 'CONSISTENCY']),
  }),
  'audit_entries.search': reading,
  'audit_entries.stream': reading,
  'audit_log.view': evaluation,
  'audit_stream.create': z.strictObject({ name: text, to: streamSettings, after: count }),
  'audit_stream.delete': z.strictObject({ name: text, from: streamSettings }),
  'audit_stream.disable': z.strictObject({
    ...{ name: text, reason: z.enum(['GONE', 'FAILED']), lastError: text, attempts: count },
  }),
  'audit_stream.pause': streamState,
  'audit_stream.replay': z.strictObject({ name: text, after: count }),
  'audit_stream.resume': streamState,
  'audit_stream.rotate_secret': z.strictObject({ name: text, formerSecretUntil: moment }),
  'audit_stream.test': z.strictObject({ name: text }),
  'audit_stream.update': z.strictObject({ name: text, from: streamSettings, to: streamSettings }),
  'change.apply': evaluation,
  'change_request.begin': change,
  'change_request.complete': change,
  'change_request.consent': change,
  'change_request.expire': change,
  'change_request.refuse': change,
  'change_request.request': change,
  'change_request.revoke_consent': change,
  'change_request.withdraw': change,
  'comment.read': evaluation,
  'data.export': evaluation,
  'grant.approve': grant,
  'grant.approve_as_guard': grant,
  'grant.deny': grant,
  'grant.deny_as_guard': grant,
  'grant.end': grant,
  'grant.expire': grant,
  'grant.lapse_approval': grant,
  'grant.reassign': grant,
  'grant.release': grant,
  'grant.request': grant,
  'grant.revoke': grant,
  'grant.shorten_wait': grant,
  'grant.withdraw': grant,
  'groups.view': evaluation,
  'guard_mail.give_up': z.strictObject({ recipientId: idOf('User'), attempts: count }),
  'inbound_ticket_event.replay': z.strictObject({
    webhookId: text,
    externalId: text,
    type: z.enum(InboundTicketEventType),
    reason: z.enum(InboundTicketEventReason).nullable(),
  }),
  'mail.give_up': z.strictObject({ kind: text, recipientId: idOf('User'), attempts: count }),
  'organization.create': z.strictObject({ name: text, hasGuard: z.boolean() }),
  'organization.remove_audit_entries': z.strictObject({ through: z.int().min(1), entries: z.int().min(1) }),
  'organization.set_audit_retention': z.strictObject({
    ...{ from: days.nullable(), to: days.nullable(), effectiveAt: moment.nullable() },
  }),
  'organization.set_guard': z.strictObject({ hasGuard: z.boolean() }),
  'page.read': evaluation,
  'permissions.view': evaluation,
  'product.license': z.strictObject({ key: text, name: text }),
  'product.unlicense': z.strictObject({ key: text }),
  'proposed_change.apply': proposal,
  'proposed_change.confirm': proposal,
  'proposed_change.decline': proposal,
  'proposed_change.expire': proposal,
  'proposed_change.lapse': proposal.extend({ reason: text }),
  'proposed_change.propose': proposal,
  'proposed_change.withdraw': proposal,
  'role.assign': role,
  'role.remove': role,
  'role.sync': z.strictObject({ synced: count, proposed: count.optional() }),
  'rovo_conversation.read': evaluation,
  'rovo_data_deletion.record': z.strictObject({
    from: z.enum(RovoDataDeletionState),
    to: z.enum(RovoDataDeletionState),
    reason: text.optional(),
  }),
  'rovo_data_deletion.request': z.strictObject({
    to: z.enum(RovoDataDeletionState),
    reason: text.optional(),
  }),
  'rovo_data_deletion.withdraw': z.strictObject({
    from: z.enum(RovoDataDeletionState),
    to: z.enum(RovoDataDeletionState),
  }),
  'rovo_index.read': evaluation,
  'site.create': z.strictObject({
    organizationId: idOf('Organization'),
    url: text,
    name: text,
    experience: z.enum(UserManagementExperience),
    dataResidencyRegion: text,
  }),
  'site.deactivate': siteStatus,
  'site.reactivate': siteStatus,
  'site.set_support_access_policy': z.strictObject({
    requestWaitSeconds: seconds,
    maxGrantSeconds: seconds.nullable(),
    samePersonMayApproveTwice: z.boolean(),
    relayedConsentCounts: z.boolean(),
    dataResidencyPinned: z.boolean(),
    engineerCountries: z.array(country),
    sessionIdleSeconds: seconds,
    maxSessionSeconds: seconds,
  }),
  'site.set_support_access_restrictions': z.strictObject({ supportAccessRestricted: z.boolean() }),
  'support_session.end': z.strictObject({
    engineerId: idOf('SupportEngineer'),
    endReason: z.enum(SupportSessionEndReason),
    endedAt: moment,
  }),
  'support_session.start': z.strictObject({
    engineerId: idOf('SupportEngineer'),
    reason: z.enum(SupportSessionReason),
    note: text,
    country,
    idleSeconds: seconds,
    expiresAt: moment,
  }),
  'ticket.assign': z.strictObject({
    engineerId: idOf('SupportEngineer').nullable(),
    formerEngineerId: idOf('SupportEngineer').nullable(),
  }),
  'ticket.close': ticketStatus,
  'ticket.create': z.strictObject({
    key: text,
    product: text,
    reporterId: idOf('User'),
    grantDataAccess: z.boolean(),
    relayedConsent: z.enum(RelayedConsentOutcome).optional(),
    externalId: text.optional(),
  }),
  'ticket.reopen': ticketStatus,
  'ticket.update': z.strictObject({ before: ticketFields, after: ticketFields }),
  'ticket.update_status': ticketStatus,
  'users.view': evaluation,
  'work_item.read': evaluation,
} as const satisfies Record<AuditAction, z.ZodObject>;

/** Whether entries of the action are answers to the question of a product's backend, which has the same details if refused. */
export function isEvaluation(action: AuditAction): boolean {
  return action === 'access.evaluate' || succeeded[action] === evaluation;
}

/** The shapes by action, of what succeeded and of evaluations. */
export const detailsByAction: ReadonlyMap<AuditAction, z.ZodObject> = new Map(
  auditActions.map((action) => [action, succeeded[action]]),
);
