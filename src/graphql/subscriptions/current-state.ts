/** The open items whose events a viewer may receive, in their present state: a subscription may begin with them. */
import { mayReceive } from '../../authorization/event-visibility.ts';
import { untilAvailable } from '../../events/outage.ts';
import type { Viewer } from '../../identity/viewer.ts';
import type { Services } from '../context.ts';
import type { EventFilter, OpenItem, StreamKind, TicketEvent } from './stream-kind.ts';

/** An item's present state, and the moment at which it was read. */
type CurrentItem<Content extends object> = { item: OpenItem<Content>; at: Date };

/** Items read by one statement. */
const pageLength = 100;

/** Milliseconds after which items not yet delivered are read again, so that a slow reader gets the present state. */
const freshFor = 250;

/**
 * Yields the items one after the other, in no particular order. The viewer's right to each is checked right before
 * it is yielded. During an outage of the database, it waits.
 * @param currentViewer resolves with the viewer and their present rights; a rejection ends the list
 */
export async function* currentState<Content extends object>(
  { listOpen }: Pick<StreamKind<TicketEvent, Content>, 'listOpen'>,
  { database, clock, feed }: Pick<Services, 'database' | 'clock' | 'feed'>,
  currentViewer: () => Promise<Viewer>,
  filter: EventFilter,
): AsyncGenerator<CurrentItem<Content>, undefined, undefined> {
  let after: string | null = null;
  for (let hasMore = true; hasMore; ) {
    const { viewer, at, found } = await untilAvailable(feed.outage, async () => {
      const now = { viewer: await currentViewer(), at: clock() };
      const page = { filter, at: now.at, after, limit: pageLength + 1 };
      return { ...now, found: await listOpen(database.prisma, now.viewer, page) };
    });
    const page = found.slice(0, pageLength);
    const receivable = page.filter(({ audience }) => mayReceive(viewer, audience));
    const staleAt = performance.now() + freshFor;
    const last = receivable.at(-1);
    let reached: OpenItem<Content> | undefined;
    for (const item of receivable) {
      const viewerAfter = await currentViewer();
      // The first of a page counts as fresh however long the read took, unless the rights were reloaded since.
      const isFresh = performance.now() <= staleAt || (reached === undefined && viewerAfter === viewer);
      if (!isFresh) break;
      reached = item;
      if (mayReceive(viewerAfter, item.audience)) yield { item, at };
    }
    const isPageDone = reached === last;
    after = (isPageDone ? page.at(-1) : reached)?.id ?? after;
    hasMore = found.length > pageLength || !isPageDone;
  }
}
