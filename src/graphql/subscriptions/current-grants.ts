/** The open grants whose events a viewer may receive, in their present state: a subscription may begin with them. */
import { mayReceive } from '../../authorization/event-visibility.ts';
import { visibleGrants } from '../../authorization/visibility.ts';
import type { EventAudience } from '../../events/audience.ts';
import { untilAvailable } from '../../events/outage.ts';
import { asOf, inStates } from '../../grants/as-of.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Viewer } from '../../identity/viewer.ts';
import type { Services } from '../context.ts';

/** A grant's present state, and the moment at which it was read. */
export type CurrentGrant = { grant: GrantRow; at: Date };

/** Grants read by one statement. */
const pageLength = 100;

/** Milliseconds after which grants not yet delivered are read again, so that a slow reader gets the present state. */
const freshFor = 250;

/**
 * Yields the grants one after the other, in no particular order. The viewer's right to each is checked right before
 * it is yielded. During an outage of the database, it waits.
 * @param currentViewer resolves with the viewer and their present rights; a rejection ends the list
 */
export async function* currentGrants(
  { database, clock, feed }: Pick<Services, 'database' | 'clock' | 'feed'>,
  currentViewer: () => Promise<Viewer>,
  filter: { siteId?: string | null | undefined; ticketId?: string | null | undefined },
): AsyncGenerator<CurrentGrant, undefined, undefined> {
  let after: string | null = null;
  for (let hasMore = true; hasMore; ) {
    const { viewer, at, page } = await untilAvailable(feed.outage, async () => {
      const now = { viewer: await currentViewer(), at: clock() };
      return {
        ...now,
        page: await listOpenGrants(database.prisma, now.viewer, filter, { after, at: now.at }),
      };
    });
    const receivable = page.grants.filter(({ audience }) => mayReceive(viewer, audience));
    const staleAt = performance.now() + freshFor;
    const last = receivable.at(-1);
    let reached: OpenGrant | undefined;
    for (const each of receivable) {
      const viewerAfter = await currentViewer();
      // The first of a page counts as fresh however long the read took, unless the rights were reloaded since.
      const isFresh = performance.now() <= staleAt || (reached === undefined && viewerAfter === viewer);
      if (!isFresh) break;
      reached = each;
      if (mayReceive(viewerAfter, each.audience)) yield { grant: asOf(each.row, at), at };
    }
    const isPageDone = reached === last;
    after = (isPageDone ? page.grants.at(-1) : reached)?.row.id ?? after;
    hasMore = page.hasMore || !isPageDone;
  }
}

type OpenGrant = { row: GrantRow; audience: EventAudience };

async function listOpenGrants(
  prisma: Services['database']['prisma'],
  viewer: Viewer,
  { siteId, ticketId }: { siteId?: string | null | undefined; ticketId?: string | null | undefined },
  { after, at }: { after: string | null; at: Date },
): Promise<{ grants: OpenGrant[]; hasMore: boolean }> {
  const found = await prisma.grant.findMany({
    where: {
      AND: [
        visibleGrants(viewer),
        inStates(['PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE'], at),
        siteId == null ? {} : { siteId },
        ticketId == null ? {} : { ticketId },
        after === null ? {} : { id: { gt: after } },
      ],
    },
    include: { ticket: { select: { reporterId: true, site: { select: { organizationId: true } } } } },
    relationLoadStrategy: 'join',
    orderBy: { id: 'asc' },
    take: pageLength + 1,
  });
  const grants = found.slice(0, pageLength).map(({ ticket: { reporterId, site }, ...row }) => ({
    row,
    audience: {
      organizationId: site.organizationId,
      siteId: row.siteId,
      reporterId,
      engineerIds: row.engineerId === null ? [] : [row.engineerId],
    },
  }));
  return { grants, hasMore: found.length > pageLength };
}
