/** The audit entry of each change of a change request. */
import type { Actor, AuditEntry } from '../audit/entry.ts';
import type { ChangeRequest } from './change-request.ts';
import type { ChangeCommand } from './lifecycle.ts';
import { toRow } from './row.ts';

/** A change of a change request, with what its audit entry says besides. `before` null: it was made. */
export type DecidedChange = {
  before: Pick<ChangeRequest, 'state'> | null;
  request: ChangeRequest;
  command: ChangeCommand['type'] | 'Request' | 'Begin';
  actor: Actor;
  occurredAt: Date;
  /** What the person wrote: for a request, why the change is needed. */
  reason: string | null;
};

const actions = {
  Request: 'change_request.request',
  Consent: 'change_request.consent',
  Refuse: 'change_request.refuse',
  RevokeConsent: 'change_request.revoke_consent',
  Withdraw: 'change_request.withdraw',
  EndUse: 'change_request.withdraw',
  Begin: 'change_request.begin',
  RecordResult: 'change_request.complete',
  ElapseTime: 'change_request.expire',
} as const satisfies Record<DecidedChange['command'], AuditEntry['action']>;

export function changeRequestAuditEntry(change: DecidedChange): AuditEntry {
  const { before, request, command, actor, occurredAt, reason } = change;
  const { id, organizationId, siteId, ticketId, kind, resourceType, resourceId, validUntil } = request;
  const { sessionId, endReason, result, resultNote } = toRow(request);
  return {
    action: actions[command],
    actor,
    resource: { type: 'ChangeRequest', id },
    refusalCode: null,
    occurredAt,
    ...{ organizationId, siteId, ticketId, sessionId },
    details: {
      ...{ from: before?.state ?? null, to: request.state, version: request.version },
      ...{ kind, resourceType, resourceId, validUntil },
      ...(before === null ? { description: request.description } : {}),
      ...(endReason === null ? {} : { endReason }),
      ...(result === null ? {} : { result }),
      ...(resultNote === null ? {} : { resultNote }),
      ...(reason === null ? {} : { reason }),
    },
  };
}
