/** The open grants of which a viewer hears, as they stand: what a subscription may begin with. */
import { mayReceive } from '../../authorization/event-visibility.ts';
import { visibleGrants } from '../../authorization/visibility.ts';
import type { EventAudience } from '../../events/envelope.ts';
import { asOf, inStates } from '../../grants/as-of.ts';
import type { GrantRow } from '../../grants/row.ts';
import type { Viewer } from '../../identity/viewer.ts';
import type { Services } from '../context.ts';

/** A grant as it stands, and the moment of which it is. */
export type CurrentGrant = { grant: GrantRow; at: Date /** Whether it is the last one. */; isLast: boolean };

/** Grants read at once. */
const pageLength = 100;

/** Milliseconds after which what has not been told is read again: whoever reads slowly is told how it stands. */
const freshFor = 250;

/**
 * One after the other, in no order to rely on. The right to hear of each is judged right before it is told.
 * @param viewerNow the viewer with the rights of the moment; a rejection ends the list
 */
export async function* currentGrants(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  viewerNow: () => Promise<Viewer>,
  place: { siteId?: string | null | undefined; ticketId?: string | null | undefined },
): AsyncGenerator<CurrentGrant, undefined, undefined> {
  let after: string | null = null;
  for (let hasMore = true; hasMore; ) {
    const viewer = await viewerNow();
    const at = clock();
    const page = await listOpenGrants(database.prisma, viewer, place, { after, at });
    const heard = page.grants.filter(({ audience }) => mayReceive(viewer, audience));
    const staleAt = performance.now() + freshFor;
    const last = heard.at(-1);
    let told: OpenGrant | undefined;
    for (const each of heard) {
      const viewerThen = await viewerNow();
      // One of a page is told however long its reading took, unless rights had to be read again after it.
      const isFresh = performance.now() <= staleAt || (told === undefined && viewerThen === viewer);
      if (!isFresh) break;
      told = each;
      const isLast = each === last && !page.hasMore;
      if (mayReceive(viewerThen, each.audience)) yield { grant: asOf(each.row, at), at, isLast };
    }
    const isRead = told === last;
    after = (isRead ? page.grants.at(-1) : told)?.row.id ?? after;
    hasMore = page.hasMore || !isRead;
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
