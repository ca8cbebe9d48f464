import type { AppendedEvents } from '../../../src/events/outbox.ts';
import type { Addressed } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import { openEventTable } from './table.ts';

/** Publishes events to a server: from another process, as another gateway would, or from the server's own. */
export type Publisher = {
  /** For servers that store events: resolves when they are committed. Called before `publish`. */
  commit?(events: readonly Addressed[]): Promise<AppendedEvents | null>;
  /**
   * Resolves when Redis has accepted the events, if the publisher waits for its response.
   * @param committed what `commit` resolved with
   */
  publish(events: readonly Addressed[], committed: AppendedEvents | null | undefined): Promise<unknown>;
  /** The maximum number of concurrent publications. */
  readonly concurrency: number;
};

/** A publisher that commits events as Latchkey does and then publishes them, as a backend would. */
export async function committing(publisher: Publisher, { databaseUrl }: Setting): Promise<Publisher> {
  return { ...publisher, ...(await openEventTable(databaseUrl)) };
}
