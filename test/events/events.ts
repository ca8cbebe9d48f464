/** Builds events for tests: a typical event, with the fields that the test names. */

import type { EventAudience } from '../../src/events/audience.ts';
import { type AccessChangedEnvelope, accessKind } from '../../src/events/kinds/access.ts';
import { type ChangeRequestEventEnvelope, changeRequestKind } from '../../src/events/kinds/change-request.ts';
import { type GrantEventEnvelope, grantKind, type TicketAtEvent } from '../../src/events/kinds/grant.ts';
import { type SessionEventEnvelope, sessionKind } from '../../src/events/kinds/session.ts';
import { newId } from '../../src/platform/ids.ts';

export function grantEvent(facts: Partial<GrantEventEnvelope> = {}): GrantEventEnvelope {
  const { grantId = newId(), ticketId = newId(), grantVersion = 1 } = facts;
  const audience = facts.audience ?? {
    organizationId: newId(),
    siteId: newId(),
    reporterId: newId(),
    engineerIds: [newId()],
  };
  const occurredAt = facts.occurredAt ?? new Date('2026-03-02T10:00:00.125Z');
  return {
    id: newId(),
    kind: grantKind,
    type: 'REQUESTED',
    occurredAt,
    audience,
    ticketId,
    grantId,
    grantVersion,
    grant: {
      id: grantId,
      organizationId: audience.organizationId,
      ticketId,
      siteId: audience.siteId,
      scopeKind: 'PRODUCT_DATA',
      conversationIds: [],
      state: 'PENDING_APPROVAL',
      path: null,
      engineerId: audience.engineerIds[0] ?? null,
      requestedById: audience.reporterId,
      justification: 'The board does not load.',
      requestedAt: occurredAt,
      approvalDueAt: new Date(occurredAt.getTime() + 14 * 86_400_000),
      guardRequired: true,
      maxGrantSeconds: 3_600,
      samePersonMayApproveTwice: false,
      customerApprovedAt: null,
      customerApprovedById: null,
      activatedAt: null,
      expiresAt: null,
      endedAt: null,
      endReason: null,
      endedById: null,
      version: grantVersion,
    },
    ...facts,
  };
}

export const ticketAtEvent: TicketAtEvent = {
  ...{ status: 'RESOLVED', version: 3, supportAccessRestricted: true, requestWaitSeconds: 60 },
  ...{ maxGrantSeconds: null, samePersonMayApproveTwice: false, relayedConsentCounts: false },
  ...{ dataResidencyPinned: true, engineerCountries: ['DE', 'IE'] },
  ...{ sessionIdleSeconds: 60, maxSessionSeconds: 300 },
};

/** The start of a session, and its end: by the revocation of its grant. */
export function sessionEvents(
  concerns?: EventAudience,
): [started: SessionEventEnvelope, ended: SessionEventEnvelope] {
  const { grant, ...granted } = grantEvent({ grantVersion: 3, ...(concerns && { audience: concerns }) });
  const { audience, ticketId, grantId } = granted;
  const [startedAt, lastUsedAt, endedAt] = [0, 61_001, 62_002].map(
    (ms) => new Date(granted.occurredAt.getTime() + ms),
  ) as [Date, Date, Date];
  const started: SessionEventEnvelope = {
    ...{
      id: newId(),
      kind: sessionKind,
      type: 'SESSION_STARTED',
      occurredAt: startedAt,
      audience,
      ticketId,
      grantId,
    },
    session: {
      ...{ id: newId(), grantId, ticketId, siteId: audience.siteId, organizationId: audience.organizationId },
      engineerId: audience.engineerIds[0] ?? newId(),
      ...{ reason: 'GATHER_LOGS', note: 'The logs of the last hour.', country: 'DE' },
      ...{ startedAt, lastUsedAt: startedAt, idleSeconds: 1_800 },
      expiresAt: new Date(startedAt.getTime() + 28_800_000),
      dueAt: new Date(startedAt.getTime() + 1_800_000),
      ...{ endedAt: null, endReason: null, endedById: null, version: 1 },
    },
    ...{ grant, ticket: ticketAtEvent },
  };
  const end = { endReason: 'GRANT_REVOKED', endedById: audience.reporterId } as const;
  const ended: SessionEventEnvelope = {
    ...{ ...started, id: newId(), type: 'SESSION_ENDED', occurredAt: endedAt },
    session: { ...started.session, ...end, lastUsedAt, endedAt, version: 2 },
    grant: { ...grant, state: 'REVOKED', endReason: 'REVOKED_BY_CUSTOMER', endedAt, version: 4 },
  };
  return [started, ended];
}

/** The request for a change, and its end: the customer refuses it. */
export function changeRequestEvents(
  concerns?: EventAudience,
): [requested: ChangeRequestEventEnvelope, refused: ChangeRequestEventEnvelope] {
  const { audience, ticketId, occurredAt: requestedAt } = grantEvent(concerns && { audience: concerns });
  const refusedAt = new Date(requestedAt.getTime() + 61_001);
  const engineerId = audience.engineerIds[0] ?? newId();
  const { organizationId, siteId, reporterId } = audience;
  const requested: ChangeRequestEventEnvelope = {
    ...{ id: newId(), kind: changeRequestKind, type: 'REQUESTED', occurredAt: requestedAt },
    ...{ audience, ticketId },
    changeRequest: {
      ...{ id: newId(), ticketId, siteId, organizationId, kind: 'PERMISSIONS', resourceType: 'project' },
      ...{ resourceId: 'ACME', description: 'Add the group.', justification: 'The board cannot be opened.' },
      ...{ requestedById: engineerId, requestedAt, validUntil: new Date(requestedAt.getTime() + 86_400_000) },
      ...{ state: 'PENDING_CONSENT', decidedById: null, decidedAt: null, decisionReason: null },
      ...{ allowedAt: null, sessionId: null, result: null, resultNote: null },
      ...{ endedAt: null, endedById: null, endReason: null, version: 1 },
    },
    ticket: {
      ...{ ...ticketAtEvent, assigneeId: engineerId, closedAt: null },
      ...{ siteIsActive: true, isLicensed: true },
    },
  };
  const refusal = { decidedById: reporterId, decidedAt: refusedAt, decisionReason: 'Not this project.' };
  const over = { endedAt: refusedAt, endedById: reporterId, endReason: 'REFUSED_BY_CUSTOMER' } as const;
  const refused: ChangeRequestEventEnvelope = {
    ...{ ...requested, id: newId(), type: 'REFUSED', occurredAt: refusedAt },
    changeRequest: { ...requested.changeRequest, ...refusal, ...over, state: 'REFUSED', version: 2 },
  };
  return [requested, refused];
}

export function accessChanged(accountId: string): AccessChangedEnvelope {
  return {
    id: newId(),
    kind: accessKind,
    type: 'ACCESS_CHANGED',
    occurredAt: new Date('2026-03-02T10:00:00.125Z'),
    accountId,
  };
}
