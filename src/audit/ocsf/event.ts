/** The record of an entry as an event of OCSF 1.8.0. Pure functions; the rules of the schema are in schema.ts. */
import type { AuditRecord } from '../record.ts';
import { attemptOnRole, type Mapping, mappings, unknownAction } from './actions.ts';
import { classes, ocsfVersion } from './schema.ts';

export type OcsfEvent = Readonly<Record<string, unknown>>;

/** What is not there is left out. What the class has no attribute for is in `unmapped`, by the names of the record. */
export function ocsfEventOf(record: AuditRecord): OcsfEvent {
  const mapping = mappingOf(record);
  const { uid, caption, category, activities } = classes[mapping.class];
  const { activity } = mapping;
  const activityId = typeof activity === 'number' ? activity : 99;
  const activityName =
    typeof activity === 'number' ? (activities as Record<number, string>)[activity] : activity;
  const isRefused = record.outcome === 'REFUSED';
  const { since, until } = record.details;
  return present({
    activity_id: activityId,
    activity_name: activityName,
    category_uid: category.uid,
    category_name: category.caption,
    class_uid: uid,
    class_name: caption,
    type_uid: uid * 100 + activityId,
    type_name: `${caption}: ${activityId === 99 ? 'Other' : activityName}`,
    ...(isRefused ? { severity_id: 2, severity: 'Low' } : { severity_id: 1, severity: 'Informational' }),
    ...(isRefused ? { status_id: 2, status: 'Failure' } : { status_id: 1, status: 'Success' }),
    status_code: record.refusalCode,
    time: Date.parse(record.occurredAt),
    count: record.count,
    ...(typeof since === 'string' && typeof until === 'string'
      ? { start_time: Date.parse(since), end_time: Date.parse(until) }
      : {}),
    message: `${record.actor.name}: ${record.action} of ${record.resource.type} ${nameOf(record) ?? record.resource.id}`,
    metadata: metadataOf(record),
    actor: actorOf(record),
    src_endpoint: sourceOf(record, mapping),
    http_request: requestOf(record),
    ...subjectOf(record, mapping),
    unmapped: restOf(record),
  });
}

function mappingOf({ action, details }: AuditRecord): Mapping {
  const mapping = (mappings as Readonly<Record<string, Mapping>>)[action] ?? unknownAction;
  const isKnown = typeof details['role'] === 'string' && typeof details['userId'] === 'string';
  return mapping.class === 'USER_ACCESS' && !isKnown ? attemptOnRole : mapping;
}

function metadataOf({ id, position, occurredAt, action, requestId, organizationId }: AuditRecord): object {
  return present({
    version: ocsfVersion,
    product: { name: 'Latchkey', vendor_name: 'Latchkey' },
    uid: id,
    sequence: position,
    event_code: action,
    log_name: 'audit',
    original_time: occurredAt,
    correlation_uid: requestId,
    tenant_uid: organizationId,
  });
}

function actorOf({ actor, supportSessionId }: AuditRecord): object {
  const { kind, id, email, name } = actor;
  if (id === undefined) return { app_name: name };
  return present({
    user: present({ uid: id, name: email, display_name: name, ...addressOf(email), ...typeOfUser(kind) }),
    session: supportSessionId === undefined ? undefined : { uid: supportSessionId },
  });
}

/** Of a question of a backend, which has no address: the account that asked. */
function sourceOf({ clientAddress, details, actor }: AuditRecord, mapping: Mapping): object | undefined {
  if (clientAddress !== undefined) return { ip: clientAddress };
  if (mapping.class !== 'API_ACTIVITY') return undefined;
  const { askedBy, askedById } = details;
  return typeof askedBy === 'string' ? present({ svc_name: askedBy, uid: askedById }) : { name: actor.name };
}

function requestOf({ userAgent, requestId }: AuditRecord): object | undefined {
  const request = present({ user_agent: userAgent, uid: requestId });
  return Object.keys(request).length === 0 ? undefined : request;
}

/** What the event is about, in the attributes that its class has for that. */
function subjectOf(record: AuditRecord, { class: ofClass }: Mapping): object {
  const { action, resource, details, productKey, siteId, organizationId, siteUrl } = record;
  const { uid, name } = { uid: resource.id, name: nameOf(record) };
  switch (ofClass) {
    case 'ENTITY_MANAGEMENT': {
      const { reason } = details;
      return present({
        entity: present({ uid, name, ...typeOfEntity(resource) }),
        comment: typeof reason === 'string' ? reason : undefined,
      });
    }
    case 'API_ACTIVITY':
      return {
        api: present({
          operation: action,
          service: productKey === undefined ? undefined : { name: productKey },
        }),
        resources: [present({ uid, name, type: resource.type })],
      };
    case 'ACCOUNT_CHANGE':
      return { user: userOf(resource.id, details, typeOfUser(kindsByType[resource.type] ?? '')) };
    case 'USER_ACCESS': {
      const { productId } = details;
      const over: Record<string, unknown> =
        typeof productId === 'string'
          ? { uid: productId, type: 'Product' }
          : siteId !== undefined
            ? present({ uid: siteId, name: siteUrl, type: 'Site' })
            : { uid: organizationId, type: 'Organization' };
      return {
        privileges: [details['role']],
        user: userOf(details['userId'], details, typeOfUser('USER')),
        ...(over['uid'] === undefined ? {} : { resources: [over] }),
      };
    }
  }
}

function userOf(uid: unknown, { email, name }: AuditRecord['details'], type: object): object {
  const address = typeof email === 'string' ? email : undefined;
  return present({
    ...{ uid, name: address, ...addressOf(address), ...type },
    display_name: typeof name === 'string' ? name : undefined,
  });
}

/** What people call the resource, as far as the record says so. */
function nameOf({ resource: { type }, ticketKey, siteUrl, details }: AuditRecord): string | undefined {
  if (['Ticket', 'Grant', 'SupportSession', 'ChangeRequest'].includes(type)) return ticketKey;
  if (type === 'Site') return siteUrl;
  const { key } = details;
  return type === 'Product' && typeof key === 'string' ? key : undefined;
}

function typeOfEntity({ type, id }: AuditRecord['resource']): object {
  if (type === 'Organization') return { type_id: 4, type, org: { uid: id } };
  if (type in kindsByType) return { type_id: 2, type: 'User', user: { uid: id } };
  return { type_id: 99, type };
}

const kindsByType: Readonly<Record<string, string>> = {
  User: 'USER',
  SupportEngineer: 'SUPPORT_ENGINEER',
  Operator: 'OPERATOR',
  ComplianceAnalyst: 'COMPLIANCE_ANALYST',
  ServiceAccount: 'SERVICE_ACCOUNT',
};

function typeOfUser(kind: string): object {
  switch (kind) {
    case 'USER':
    case 'SUPPORT_ENGINEER':
    case 'COMPLIANCE_ANALYST':
      return { type_id: 1, type: 'User' };
    case 'OPERATOR':
      return { type_id: 2, type: 'Admin' };
    case 'SERVICE_ACCOUNT':
      return { type_id: 4, type: 'Service' };
    default:
      return { type_id: 0, type: 'Unknown' };
  }
}

/** An address that is one by the pattern of OCSF, which knows fewer than there are. */
function addressOf(email: string | undefined): object {
  return email !== undefined && emailPattern.test(email) ? { email_addr: email } : {};
}

const emailPattern = /^[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$/;

function restOf(record: AuditRecord): object {
  const { details, outcome, resource, siteId, siteUrl, productKey } = record;
  const { ticketId, ticketKey, grantId, supportSessionId, traceId } = record;
  return present({
    ...{ actorKind: record.actor.kind, outcome, resource, siteId, siteUrl, productKey },
    ...{ ticketId, ticketKey, grantId, supportSessionId, traceId, details },
  });
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
