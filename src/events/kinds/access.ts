/** Changes of an account's rights. Delivered to nobody: they make the account's subscriptions reload its rights. */
import { vendorOrganizationId } from '../../roles/vendor-organization.ts';
import type { EventKind } from '../envelope.ts';
import { oneOf, uuid } from '../payload-reader.ts';

/** A role was given, removed or synced, a membership changed, or the account was deactivated. */
export type AccessChangedEnvelope = {
  id: string;
  kind: EventKind<AccessChangedEnvelope>;
  type: 'ACCESS_CHANGED';
  occurredAt: Date;
  accountId: string;
};

export const accessKind: EventKind<AccessChangedEnvelope> = {
  name: 'access',
  read: (row, payload) => ({
    id: row.id,
    occurredAt: row.occurredAt,
    kind: accessKind,
    type: oneOf({ ACCESS_CHANGED: 'ACCESS_CHANGED' } as const, row, 'type'),
    accountId: uuid(payload, 'accountId'),
  }),
  // An account is nobody's: it may be a member of several organizations.
  organizationOf: () => vendorOrganizationId,
  topicsOf: () => [],
  subjectOf: ({ accountId }) => accountId,
  isUrgent: () => false,
  changesRightsOf: ({ accountId }) => accountId,
};
