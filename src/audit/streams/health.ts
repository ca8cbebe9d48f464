/** How a stream is, in one word. Pure. */
import type { StreamHealth } from './store.ts';

export type StreamStatus = 'HEALTHY' | 'FAILING' | 'SILENT' | 'PAUSED' | 'DISABLED';

/** Milliseconds for which an entry may wait without an attempt to send it. */
const silentAfter = 5 * 60_000;

export function statusOf(
  state: 'ACTIVE' | 'PAUSED' | 'DISABLED',
  {
    waitingSince,
    attempts,
    dueAt,
    lastAttemptAt,
  }: Pick<StreamHealth, 'waitingSince' | 'attempts' | 'dueAt' | 'lastAttemptAt'>,
  now: Date,
): StreamStatus {
  if (state !== 'ACTIVE') return state;
  // Since when something could have been sent, and was not.
  const quietSince = Math.max(
    waitingSince?.getTime() ?? Number.POSITIVE_INFINITY,
    dueAt.getTime(),
    lastAttemptAt?.getTime() ?? 0,
  );
  if (now.getTime() - quietSince > silentAfter) return 'SILENT';
  return attempts > 0 ? 'FAILING' : 'HEALTHY';
}
