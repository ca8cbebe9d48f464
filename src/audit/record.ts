/**
 * The record of an entry: the plain JSON object as which it leaves the audit log, for machines. Pure functions.
 *
 * It holds only what is stored with the entry and never changes, so one entry is always the same record. What an entry does not
 * have is left out, so entries of earlier versions keep their records when a version adds a field. Whoever proves a record
 * relies on both: a rule here may be added to, never changed.
 */
import type { AuditEntry as AuditRow } from '../../prisma/generated/client/client.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import { encodeGlobalId } from '../platform/global-id.ts';

/** Ids are global ids, and names are those of `AuditEntry` in the API. */
export type AuditRecord = {
  readonly id: string;
  /** In the log of its organization; without one, in the vendor's own. */
  readonly position: number;
  /** ISO 8601 in UTC, with milliseconds. */
  readonly occurredAt: string;
  /** `grant.approve` */
  readonly action: string;
  readonly outcome: 'SUCCEEDED' | 'REFUSED';
  readonly refusalCode?: string;
  /** How many attempts it stands for. */
  readonly count: number;
  /** Without an id and an address: Latchkey itself. */
  readonly actor: {
    readonly kind: string;
    readonly id?: string;
    readonly email?: string;
    readonly name: string;
  };
  /** The id of a resource of a product is as its backend calls it. */
  readonly resource: { readonly type: string; readonly id: string };
  readonly organizationId?: string;
  readonly siteId?: string;
  readonly siteUrl?: string;
  readonly productKey?: string;
  readonly ticketId?: string;
  readonly ticketKey?: string;
  readonly grantId?: string;
  readonly supportSessionId?: string;
  readonly clientAddress?: string;
  readonly userAgent?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly details: Readonly<Record<string, unknown>>;
};

/** An entry as it is stored, at its position in its log. */
export type PositionedEntry = Omit<AuditRow, 'txid' | 'seq'> & { readonly position: number };

/**
 * The record of an entry. All who read the whole log get the same: what a log shows of where people are is what its owner's
 * side sees. So the log of an organization must not be given as records to the vendor's people.
 */
export function recordOf(entry: PositionedEntry): AuditRecord {
  const place = isOfProduct(entry.resourceType)
    ? entry.resourceId
    : encodeGlobalId(entry.resourceType, entry.resourceId);
  return {
    id: encodeGlobalId('AuditEntry', entry.id),
    position: entry.position,
    occurredAt: entry.occurredAt.toISOString(),
    action: entry.action,
    outcome: entry.outcome,
    count: entry.count,
    actor: {
      kind: entry.actorKind,
      name: entry.actorName,
      ...present({ id: globalId(typesOfAccounts[entry.actorKind], entry.actorId), email: entry.actorEmail }),
    },
    resource: { type: entry.resourceType, id: place },
    ...present({
      refusalCode: entry.refusalCode,
      organizationId: globalId('Organization', entry.organizationId),
      siteId: globalId('Site', entry.siteId),
      siteUrl: entry.siteUrl,
      productKey: entry.productKey,
      ticketId: globalId('Ticket', entry.ticketId),
      ticketKey: entry.ticketKey,
      grantId: globalId('Grant', entry.grantId),
      supportSessionId: globalId('SupportSession', entry.sessionId),
      requestId: entry.requestId,
      traceId: entry.traceId,
      ...(showsOrigin(entry) ? { clientAddress: entry.clientAddress, userAgent: entry.userAgent } : {}),
    }),
    details: detailsWithGlobalIds(entry.details),
  };
}

/**
 * Whether a log shows from where the actor of an entry acted, to all of its owner's side: an organization's the users, and the
 * vendor's own everybody.
 */
function showsOrigin({ organizationId, actorKind }: Pick<AuditRow, 'organizationId' | 'actorKind'>): boolean {
  return organizationId === null || actorKind === 'USER';
}

/** Whether a resource is one of a product's, which its backend asked about. Types of this schema have capital letters. */
export function isOfProduct(type: string): boolean {
  return /^[a-z]/.test(type);
}

/** What is there, without the keys that are null. */
function present<T extends Record<string, string | null>>(fields: T): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as never;
}

const typesOfAccounts: Readonly<Record<string, string>> = {
  USER: 'User',
  SUPPORT_ENGINEER: 'SupportEngineer',
  OPERATOR: 'Operator',
  COMPLIANCE_ANALYST: 'ComplianceAnalyst',
  SERVICE_ACCOUNT: 'ServiceAccount',
};

function globalId(type: string | undefined, id: string | null): string | null {
  return type === undefined || id === null ? null : encodeGlobalId(type, id);
}

/** The types of the ids in `details`, by key. */
const typesOfIds: Readonly<Record<string, string>> = {
  approverId: 'User',
  askedById: 'ServiceAccount',
  changeRequestId: 'ChangeRequest',
  engineerId: 'SupportEngineer',
  formerEngineerId: 'SupportEngineer',
  grantId: 'Grant',
  onBehalfOfId: 'User',
  organizationId: 'Organization',
  productId: 'Product',
  recipientId: 'User',
  relayedById: 'ServiceAccount',
  reporterId: 'User',
  siteId: 'Site',
  userId: 'User',
};

/** The details of an entry as the API shows them. */
export function detailsWithGlobalIds(details: AuditRow['details']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details as Record<string, unknown>).map(([key, value]) => {
      const type = typesOfIds[key];
      return [key, type === undefined || typeof value !== 'string' ? value : encodeGlobalId(type, value)];
    }),
  );
}

/** The bytes of a record, of which the leaf of the entry in the tree of its log is the hash. */
export function leafOf(record: AuditRecord): Buffer {
  return Buffer.from(canonicalJson(record));
}
