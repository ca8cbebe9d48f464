import type { Sender } from '../audit/entry.ts';
import type { GrantRow } from '../grants/row.ts';
import type { Viewer } from '../identity/viewer.ts';
import { isStatementTimeout, isUnavailable } from '../platform/database-errors.ts';
import { withDeadline } from '../platform/deadline.ts';
import type { Dependencies } from './execute.ts';
import { type BulkItem, type CommandOnGrant, executeTogether } from './execute-together.ts';
import type { Answer } from './idempotency.ts';
import { notBegun, unavailable } from './refusal.ts';

/**
 * How many share a transaction: enough that its statements cost each little, few enough that nobody waits long for the
 * lock on one of their tickets.
 */
export const togetherAtMost = 25;

export type BulkRun = Sender & {
  /** The caller as they were a moment ago, for refusals without locks. Default: everything takes its locks. */
  viewer?: Viewer | undefined;
  /** Aborts when nothing more may be begun. */
  stop: AbortSignal;
  /** Milliseconds until the answers are needed, whatever is still running. */
  msLeft: () => number;
  /** Called with the caller, as they are after each transaction. */
  onViewer: (viewer: Viewer | null) => void;
};

/**
 * Runs one command for many inputs, and returns an answer for each, in the order of the inputs. One that is refused or
 * fails does not affect the others: they share transactions, and where one of these fails, each of its inputs is tried in
 * a transaction of its own, after the others.
 *
 * What was not begun by the end of its time is answered so. Once the database is unavailable, those not yet run are
 * answered as unavailable, so that they do not each wait for a timeout. Those answered before stay done.
 */
export async function executeEach<Input extends { grantId: string }>(
  dependencies: Dependencies,
  command: CommandOnGrant<Input>,
  items: readonly BulkItem<Input>[],
  { accountId, source, viewer, stop, msLeft, onViewer }: BulkRun,
): Promise<Answer<GrantRow>[]> {
  const answers: Answer<GrantRow>[] = items.map(() => ({ refused: notBegun }));
  const answerAll = (
    indexes: Iterable<number>,
    of: (place: number) => Answer<GrantRow> | undefined,
  ): void => {
    for (const [place, index] of [...indexes].entries())
      answers[index] = of(place) ?? { refused: unavailable };
  };
  const waiting = groupsOf(togetherAtMost, items.length);
  for (let group = waiting.shift(); group !== undefined && !stop.aborted; group = waiting.shift()) {
    try {
      const running = executeTogether(
        dependencies,
        command,
        group.flatMap((index) => items[index] ?? []),
        { accountId, source, viewer },
        stop,
      );
      const done = await withDeadline(running, msLeft(), () => new NotAnsweredInTimeError());
      answerAll(group, (place) => done.answers[place]);
      onViewer(done.viewer);
    } catch (error) {
      if (error === stop.reason) break;
      answerAll(group, () => undefined);
      if (error instanceof NotAnsweredInTimeError) break;
      if (isUnavailable(error) && !isStatementTimeout(error)) {
        answerAll(waiting.flat(), () => undefined);
        break;
      }
      if (group.length > 1) waiting.push(...group.map((index) => [index]));
      else if (!isStatementTimeout(error))
        dependencies.logger.error(
          { err: error, command: command.operation },
          'One of many failed unexpectedly',
        );
    }
  }
  return answers;
}

/** The transaction may have been committed nevertheless. */
class NotAnsweredInTimeError extends Error {}

/** The numbers from 0 to `count`, in their order, in groups of at most `size`. */
function groupsOf(size: number, count: number): number[][] {
  return Array.from({ length: Math.ceil(count / size) }, (_, group) =>
    Array.from({ length: Math.min(size, count - group * size) }, (_, place) => group * size + place),
  );
}
