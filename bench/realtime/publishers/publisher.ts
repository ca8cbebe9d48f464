import type { Addressed } from '../events.ts';

/** How events reach a server: from a process that is not the server's, as from another gateway. */
export type Publisher = {
  /** Resolves when what carries them has them: PostgreSQL has committed, Redis has answered. */
  publish(events: readonly Addressed[]): Promise<unknown>;
  /** Publications under way at a time, at most. */
  readonly lanes: number;
};
