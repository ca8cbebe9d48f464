/** How a command takes its locks, and then reads what it is decided on: together in one round trip where it can. */
import { findViewerAt, type ViewerAt } from '../identity/viewer-store.ts';
import { inSpan } from '../metrics/spans.ts';
import type { Transaction } from '../platform/database.ts';
import { lockRights } from '../roles/locks.ts';
import type { Command } from './command.ts';
import { keyHasAnswer, type Repetition } from './idempotency.ts';

/** What was read, or is read when it is asked for. */
export type Reads<Facts> = {
  /** Whether the key has its answer already. */
  isRepeated: boolean;
  /** The caller; null: not an active account. */
  viewerAt: () => Promise<ViewerAt | null>;
  factsAt: (now: Date) => Promise<Facts | null>;
};

type Asked<Input> = { input: Input; accountId: string; repetition: Repetition | null };

/** Takes the locks of a command, then claims its key. */
export async function lockAndRead<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  asked: Asked<Input>,
): Promise<Reads<Facts>> {
  const { input, accountId, repetition } = asked;
  const { loadAtOnce } = command;
  if (loadAtOnce === undefined) {
    await inSpan('lock', {}, async () => {
      await command.lock(tx, input);
      await lockRights(tx, accountId, [(await command.rights?.(input, tx)) ?? []].flat());
    });
    return await readLater(tx, command, asked);
  }
  // They are sent in this order, and the server carries out each of them, and takes its snapshot, after those before it.
  const [, isRepeated, viewer, facts] = await Promise.all([
    inSpan('lock', {}, () => Promise.all([command.lock(tx, input), lockRights(tx, accountId, [])])),
    repetition === null ? false : keyHasAnswer(tx, repetition),
    findViewerAt(tx, accountId),
    inSpan('load', {}, () => loadAtOnce(tx, input)),
  ]);
  return { isRepeated, viewerAt: async () => viewer, factsAt: async () => facts };
}

/** Claims the key of a command without its locks. */
export async function readLater<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  { input, accountId, repetition }: Asked<Input>,
): Promise<Reads<Facts>> {
  return {
    isRepeated: repetition !== null && (await keyHasAnswer(tx, repetition)),
    viewerAt: () => findViewerAt(tx, accountId),
    factsAt: (now) => inSpan('load', {}, () => command.load(tx, input, now)),
  };
}
