/** Whom the events of a ticket concern: those of its grants and of the sessions under them. */
import { type Fields, uuid, uuids } from './payload-reader.ts';
import type { Topic } from './topics.ts';

/** Whom an event concerns. Authorization decides at every event which viewers may receive it. */
export type EventAudience = {
  organizationId: string;
  siteId: string;
  /** The ticket's reporter. */
  reporterId: string;
  /** The engineers it concerns: for a reassignment of a grant, the previous one and the new one. */
  engineerIds: readonly string[];
};

export function topicsOfTicket({
  audience,
  ticketId,
}: {
  audience: EventAudience;
  ticketId: string;
}): readonly Topic[] {
  return [
    `organization:${audience.organizationId}`,
    `site:${audience.siteId}`,
    `ticket:${ticketId}`,
    `reporter:${audience.reporterId}`,
    ...audience.engineerIds.map((id) => `engineer:${id}` as const),
  ];
}

/** @throws InvalidPayloadError */
export function audienceIn(audience: Fields): EventAudience {
  return {
    organizationId: uuid(audience, 'organizationId'),
    siteId: uuid(audience, 'siteId'),
    reporterId: uuid(audience, 'reporterId'),
    engineerIds: uuids(audience, 'engineerIds'),
  };
}
