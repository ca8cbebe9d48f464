/**
 * What `auditEvents` delivers: `STARTED`, then the entries of the audit log, in the order in which they get positions.
 *
 * It has its rights and its end from the feed of events, as the other subscriptions. The entries it reads from the log: those that
 * have positions, page by page, and waits at their end with all others who follow logs.
 */
import { isDeepStrictEqual } from 'node:util';
import type { GraphQLResolveInfo } from 'graphql';
import type { AuditEntry as AuditRow } from '../../../prisma/generated/client/client.ts';
import { type FollowedPage, readFollowing } from '../../audit/follow.ts';
import { readLastEntry } from '../../audit/new-positions.ts';
import { type EntryPlace, listPositions } from '../../audit/positions.ts';
import { isReading } from '../../audit/readings.ts';
import { logsLookedIn } from '../../authorization/logs-read.ts';
import { seesAuditEntry } from '../../authorization/visibility.ts';
import { AccessEndedError, HistoryReplacedError } from '../../events/errors.ts';
import type { EventSubscription } from '../../events/feed.ts';
import { untilAvailable } from '../../events/outage.ts';
import type { Delivery, Subscriber } from '../../events/subscriber.ts';
import type { Viewer } from '../../identity/viewer.ts';
import { encodeGlobalId } from '../../platform/global-id.ts';
import { newId } from '../../platform/ids.ts';
import { type Context, viewerOf } from '../context.ts';
import { type AskedOfLog, checkPeriod, searchOf } from '../lists/audit-filter.ts';
import { recordSearch } from '../record-reading.ts';
import { AuditCursors } from './audit-cursors.ts';
import { reloadViewer } from './reload-viewer.ts';
import type { SourceStream } from './subscribe.ts';

/** What a subscriber receives. */
export type AuditEvent = {
  readonly id: string;
  readonly type: 'STARTED' | 'ENTRY';
  readonly occurredAt: Date;
  /** Only in `ENTRY`: the entry, and its position in the log of its organization. */
  readonly entry?: AuditRow;
  readonly position?: number | null;
};

/** Entries that are read at once. So many a subscription holds in memory, at most. */
const pageSize = 100;

type Page = FollowedPage & {
  readonly positions: readonly (number | null)[];
  readonly search: Awaited<ReturnType<typeof searchOf>>;
  /** The viewer whose rights the page was read with. */
  readonly viewer: Viewer;
};

/** @throws BAD_USER_INPUT, or a FeedError if `after` is not a cursor of this subscription */
export function streamAuditEvents(
  context: Context,
  filter: AskedOfLog,
  after: string | null,
  info: GraphQLResolveInfo,
): SourceStream<AuditEvent> {
  checkPeriod(filter);
  const cursors = new AuditCursors(context, filter);
  return new AuditEventStream(context, filter, cursors, info, after === null ? 'NOW' : cursors.read(after));
}

class AuditEventStream implements SourceStream<AuditEvent> {
  readonly #context: Context;
  readonly #filter: AskedOfLog;
  readonly #cursors: AuditCursors;
  readonly #info: GraphQLResolveInfo;
  readonly #from: ReturnType<AuditCursors['read']> | 'NOW';
  readonly #over = new AbortController();
  #subscription: EventSubscription | undefined;
  /** Ends the wait at the end of the log. */
  #wake = new AbortController();
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(
    context: Context,
    filter: AskedOfLog,
    cursors: AuditCursors,
    info: GraphQLResolveInfo,
    from: ReturnType<AuditCursors['read']> | 'NOW',
  ) {
    this.#context = context;
    this.#filter = filter;
    this.#cursors = cursors;
    this.#info = info;
    this.#from = from;
  }

  start(subscriber: Subscriber<Delivery<AuditEvent>>): void {
    this.#run(subscriber).catch((error: Error) => {
      if (this.#subscription !== undefined) this.#subscription.end(error);
      else if (!this.#over.signal.aborted) subscriber.onEnd(error);
    });
  }

  end(): void {
    this.#over.abort();
    this.#subscription?.end();
  }

  async mayStillReceive({ entry }: AuditEvent): Promise<boolean> {
    if (!(await this.#isRunning())) return false;
    return entry === undefined || seesAuditEntry(viewerOf(this.#context), entry);
  }

  rights(): Viewer | null {
    return this.#context.viewer;
  }

  [Symbol.asyncIterator](): never {
    throw new TypeError('These events are pushed, from a call of `start` on.');
  }

  async #run(subscriber: Subscriber<Delivery<AuditEvent>>): Promise<void> {
    const { feed, clock } = this.#context.services;
    const now = await feed.now();
    if (this.#over.signal.aborted) return;
    const subscription = this.#watchRights(now, subscriber);
    this.#subscription = subscription;
    if (!(await this.#isRunning())) return;
    const { place, cursor } = await untilAvailable(feed.outage, () => this.#begin());
    // Whoever follows a log is on record, also if it has nothing to say.
    await this.#record({ ...(await this.#search()), shown: [] });
    if (!(await this.#isRunning())) return;
    const startedAt = clock();
    const started = { id: newId(startedAt), type: 'STARTED', occurredAt: startedAt } as const;
    await subscriber.onEvent({ event: started, cursor });
    subscription.start();
    await this.#follow(place, subscriber);
  }

  async #begin(): Promise<{ place: EntryPlace | null; cursor: string }> {
    const { pool } = this.#context.services.database;
    const from = this.#from;
    if (from !== 'NOW') return { place: await from.verified(pool), cursor: from.text };
    const { last } = await readLastEntry(pool, null);
    return { place: last, cursor: this.#cursors.after(last) };
  }

  /** Reads page after page, each once the one before it is delivered, and waits where the log ends. */
  async #follow(from: EntryPlace | null, subscriber: Subscriber<Delivery<AuditEvent>>): Promise<void> {
    const { feed, auditTail } = this.#context.services;
    const { signal } = this.#over;
    let place = from;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const page = await untilAvailable(feed.outage, () => auditTail.read(() => this.#read(place)));
      // Entries about readings are no news: two who follow a log would otherwise leave entries of having read those of each other.
      if (page.rows.some(({ action }) => !isReading(action)))
        await this.#record({ ...page.search, shown: page.rows });
      const delivered = await this.#deliver(page, subscriber);
      if (delivered < page.rows.length) {
        place = page.rows[delivered - 1] ?? place;
        continue;
      }
      place = page.through;
      if (!page.isAtEnd) continue;
      const logs = logsLookedIn(page.viewer, page.search.places);
      await auditTail.growthAfter(place, logs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** Resolves with how many entries it has delivered: those before the subscription ended, or the viewer got other rights. */
  async #deliver(page: Page, subscriber: Subscriber<Delivery<AuditEvent>>): Promise<number> {
    for (const [at, entry] of page.rows.entries()) {
      if (!(await this.#isRunning()) || this.#context.viewer !== page.viewer) return at;
      const { occurredAt } = entry;
      const id = encodeGlobalId('AuditEntry', entry.id);
      const event = { id, type: 'ENTRY', occurredAt, entry, position: page.positions[at] ?? null } as const;
      await subscriber.onEvent({ event, cursor: this.#cursors.after(entry) });
    }
    return page.rows.length;
  }

  /** A subscription to no event: it ends with the right to this one, with the gateway and when history is replaced. */
  #watchRights(
    now: Parameters<Context['services']['feed']['subscribe']>[0],
    subscriber: Subscriber<Delivery<AuditEvent>>,
  ): EventSubscription {
    return this.#context.services.feed.subscribe(
      now,
      {
        viewerId: viewerOf(this.#context).id,
        recheck: async () => {
          const reason = await this.#reload();
          this.#wake.abort();
          return reason;
        },
        topics: () => [],
        matches: (event): event is never => event === undefined,
        mayReceive: () => false,
        cursorAt: () => '',
      },
      {
        onEvent: () => undefined,
        onEnd: (error) => {
          this.#over.abort();
          subscriber.onEnd(error);
        },
      },
    );
  }

  /** Once the viewer's rights are loaded: whether the subscription goes on. */
  async #isRunning(): Promise<boolean> {
    await this.#subscription?.rightsLoaded();
    return this.#subscription?.hasEnded === false && !this.#over.signal.aborted;
  }

  async #search() {
    return await searchOf(this.#context, this.#filter);
  }

  /**
   * A page, read with rights that the viewer still had when it had been read: so it has nothing that was written after they
   * lost the right to it.
   *
   * @throws HistoryReplacedError if the log does not have the entry any more. The feed learns of a restore by events, which most
   * entries do not have.
   */
  async #read(after: EntryPlace | null): Promise<Page> {
    const { database } = this.#context.services;
    for (;;) {
      const viewer = viewerOf(this.#context);
      const search = await this.#search();
      const page = await readFollowing(database.pool, search.places, search.filter, after, pageSize);
      if (page === null) throw new HistoryReplacedError();
      const reason = await this.#reload();
      if (reason !== null) throw new AccessEndedError(reason);
      if (this.#context.viewer !== viewer) continue;
      const positions = page.rows.length === 0 ? [] : await listPositions(database.prisma, page.rows);
      return { ...page, positions, search, viewer };
    }
  }

  /** Loads the viewer's rights. One after the other, so that those loaded last count. The reason why it ends, or null. */
  #reload(): Promise<string | null> {
    const reload = () => {
      const known = viewerOf(this.#context);
      return reloadViewer(this.#context, { viewerId: known.id, operation: 'auditEvents' }, (viewer) => {
        // Another object only if something is different: what was read with other rights is read again.
        if (!isDeepStrictEqual(viewer, known)) this.#context.viewer = viewer;
      });
    };
    const reloaded = this.#reloading.then(reload, reload);
    this.#reloading = reloaded;
    return reloaded;
  }

  async #record(read: Parameters<typeof recordSearch>[3]): Promise<void> {
    const { outage } = this.#context.services.feed;
    await untilAvailable(outage, () => recordSearch(this.#context, 'audit_entries.stream', this.#info, read));
  }
}
