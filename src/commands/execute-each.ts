import type { Viewer } from '../identity/viewer.ts';
import { isUnavailable } from '../platform/database.ts';
import type { Command } from './command.ts';
import { type Caller, type Dependencies, executeAndLook } from './execute.ts';
import type { Answer } from './idempotency.ts';
import { unavailable } from './refusal.ts';

/** How many run at the same time: enough to use the waiting times, few enough to leave connections to others. */
const atOnce = 4;

/**
 * Runs one command for many inputs, each in a transaction of its own, and returns their answers in the order of
 * the inputs. One that is refused or fails does not affect the others. Calls `onViewer` with the caller, as they are
 * after each of the commands.
 *
 * Once the database is unavailable, those not yet started are answered as unavailable, so that they do not each
 * wait for a timeout. Those answered before stay done.
 */
export async function executeEach<Input, Facts, Row extends object>(
  dependencies: Dependencies,
  command: Command<Input, Facts, Row>,
  items: readonly { input: Input; caller: Caller }[],
  onViewer: (viewer: Viewer | null) => void = () => undefined,
): Promise<Answer<Row>[]> {
  const waiting = items.entries();
  const answers: Answer<Row>[] = items.map(() => ({ refused: unavailable }));
  let databaseIsGone = false;

  async function work(): Promise<void> {
    for (const [index, { input, caller }] of waiting) {
      if (databaseIsGone) return;
      try {
        const { answer, viewer } = await executeAndLook(dependencies, command, input, caller);
        answers[index] = answer;
        onViewer(viewer);
      } catch (error) {
        if (isUnavailable(error)) databaseIsGone = true;
        else
          dependencies.logger.error(
            { err: error, command: command.operation },
            'One of many failed unexpectedly',
          );
      }
    }
  }

  await Promise.all(Array.from({ length: atOnce }, work));
  return answers;
}
