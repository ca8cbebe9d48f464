/**
 * Decides which viewers may receive which events of grants, sessions and change requests: an engineer those of assigned
 * tickets, a user those of their own tickets and of the sites that their roles cover. Pure functions.
 */
import type { EventAudience } from '../events/audience.ts';
import type { Topics } from '../events/topics.ts';
import type { Viewer } from '../identity/viewer.ts';
import { reachesSite } from '../roles/role.ts';

/** Whether the viewer, with the rights they have now, may receive an event with this audience. */
export function mayReceive(viewer: Viewer, audience: EventAudience): boolean {
  switch (viewer.kind) {
    case 'SUPPORT_ENGINEER':
      return audience.engineerIds.includes(viewer.id);
    case 'SERVICE_ACCOUNT':
      return (
        viewer.capabilities.includes('GRANT_WATCHING') &&
        (viewer.organizationId === null || viewer.organizationId === audience.organizationId)
      );
    case 'USER': {
      if (!viewer.organizationIds.includes(audience.organizationId)) return false;
      const site = { id: audience.siteId, organizationId: audience.organizationId };
      return audience.reporterId === viewer.id || viewer.assignments.some((held) => reachesSite(held, site));
    }
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return false;
  }
}

/**
 * The topics of all events that the viewer may receive. Only the events of these topics are checked with
 * `mayReceive`.
 */
export function topicsFor(viewer: Viewer): Topics {
  switch (viewer.kind) {
    case 'SUPPORT_ENGINEER':
      return [`engineer:${viewer.id}`];
    case 'SERVICE_ACCOUNT':
      return viewer.organizationId === null ? 'EVERYTHING' : [`organization:${viewer.organizationId}`];
    case 'USER': {
      const reached = viewer.assignments.map(({ siteId, organizationId }) =>
        siteId === null ? (`organization:${organizationId}` as const) : (`site:${siteId}` as const),
      );
      return [`reporter:${viewer.id}`, ...new Set(reached)];
    }
    case 'OPERATOR':
    case 'COMPLIANCE_ANALYST':
      return [];
  }
}
