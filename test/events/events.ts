/** Builds events for tests: a typical event, with the fields that the test names. */

import { type AccessChangedEnvelope, accessKind } from '../../src/events/kinds/access.ts';
import { type GrantEventEnvelope, grantKind } from '../../src/events/kinds/grant.ts';
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

export function accessChanged(accountId: string): AccessChangedEnvelope {
  return {
    id: newId(),
    kind: accessKind,
    type: 'ACCESS_CHANGED',
    occurredAt: new Date('2026-03-02T10:00:00.125Z'),
    accountId,
  };
}
