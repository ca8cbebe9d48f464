import type { Addressed } from '../events.ts';
import type { Setting } from '../servers/server.ts';
import { openEventTable } from './table.ts';

/** How events reach a server: from a process that is not the server's, as from another gateway. */
export type Publisher = {
  /** Before they are published, where they are kept: resolves when they are on the disk. */
  commit?(events: readonly Addressed[]): Promise<unknown>;
  /** Resolves when what carries them has them: Redis has answered, where its answer is waited for. */
  publish(events: readonly Addressed[]): Promise<unknown>;
  /** Publications under way at a time, at most. */
  readonly lanes: number;
};

/** As a backend without a gateway does: commits what happened, just as Latchkey does, and publishes it then. */
export async function committing(publisher: Publisher, { databaseUrl }: Setting): Promise<Publisher> {
  return { ...publisher, ...(await openEventTable(databaseUrl)) };
}
