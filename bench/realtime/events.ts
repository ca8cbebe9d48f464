/** One event of the benchmark: as Latchkey keeps it, and as its peers are given it. */
import type { GrantEventEnvelope } from '../../src/events/envelope.ts';
import { newId } from '../../src/platform/ids.ts';
import { grantEvent } from '../../test/events/events.ts';

/** What is to be published: an event by its id, and who is to get it. */
export type Addressed = {
  id: string;
  /** Engineers by account id, or everybody who administers the organization: topics, to the peers. */
  to: { engineers: readonly string[] } | { organization: string };
};

/** What every GraphQL server is asked for. */
export const subscription =
  'subscription { grantEvents { id cursor type occurredAt grant { id state version endReason expiresAt } } }';

/** A customer approved, and an engineer has access for an hour. */
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

/** The same, as it goes to a client: what Latchkey answers to `subscription`, with as many characters. */
export function answerOf({ id }: Addressed) {
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

export type Answer = ReturnType<typeof answerOf>;

/** The topics of an event, to servers that know only topics. */
export function topicsOf({ to }: Addressed): readonly string[] {
  return 'engineers' in to ? to.engineers : [to.organization];
}
