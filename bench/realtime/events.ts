/** An event of the benchmark: as Latchkey stores it, and as it is published to the other servers. */
import type { GrantEventEnvelope } from '../../src/events/kinds/grant.ts';
import { newId } from '../../src/platform/ids.ts';
import { grantEvent } from '../../test/events/events.ts';

/** An event to publish: its id and its recipients. */
export type Addressed = {
  id: string;
  /** Engineers by account id, or all admins of the organization. The other servers take these as topics. */
  to: { engineers: readonly string[] } | { organization: string };
};

/** The document sent to every GraphQL server. */
export const subscription =
  'subscription { grantEvents { id cursor type occurredAt grant { id state version endReason expiresAt } } }';

/** The event of an approval: an engineer has access for an hour. */
export function envelopeOf({ id, to }: Addressed): GrantEventEnvelope {
  const occurredAt = new Date();
  const engineerIds = 'engineers' in to ? [...to.engineers] : [newId()];
  const organizationId = 'organization' in to ? to.organization : newId();
  const audience = { organizationId, siteId: newId(), reporterId: newId(), engineerIds };
  const requested = grantEvent({ id, audience, occurredAt, grantVersion: 2 });
  return {
    ...requested,
    type: 'ACTIVATED',
    grant: {
      ...requested.grant,
      state: 'ACTIVE',
      path: 'SUPPORT_PORTAL',
      customerApprovedAt: occurredAt,
      customerApprovedById: audience.reporterId,
      activatedAt: occurredAt,
      expiresAt: new Date(occurredAt.getTime() + 3_600_000),
    },
  };
}

/** The same event as a result of `subscription`, as long as the result that Latchkey sends. */
export function resultOf({ id }: Addressed) {
  const occurredAt = new Date();
  return {
    id,
    cursor: 'AQIDBAUGBwgJCgsMDQ4P7L_kAafK1zt0u8sJ0eYp2cXr5mWq4tVh',
    type: 'ACTIVATED',
    occurredAt: occurredAt.toISOString(),
    grant: {
      id: Buffer.from(`Grant:${newId()}`).toString('base64'),
      state: 'ACTIVE',
      version: 2,
      endReason: null,
      expiresAt: new Date(occurredAt.getTime() + 3_600_000).toISOString(),
    },
  };
}

export type Answer = ReturnType<typeof resultOf>;

/** Returns the topics of an event, for the servers that know only topics. */
export function topicsOf({ to }: Addressed): readonly string[] {
  return 'engineers' in to ? to.engineers : [to.organization];
}
