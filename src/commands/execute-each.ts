import { isUnavailable } from '../platform/database.ts';
import type { Command } from './command.ts';
import { type Caller, type Dependencies, execute } from './execute.ts';
import type { Answer } from './idempotency.ts';
import { RefusedError, unavailable } from './refusal.ts';

/** How many run at the same time: enough to use the waiting times, few enough to leave connections to others. */
const atOnce = 4;

/**
 * Runs one command for many inputs, each in a transaction of its own, and returns their answers in the order of
 * the inputs. One that is refused or fails does not affect the others.
 *
 * Once the database is unavailable, those not yet started are answered as unavailable, so that they do not each
 * wait for a timeout. Those answered before stay done.
 */
export async function executeEach<Input, Facts, Row extends object>(
  dependencies: Dependencies,
  command: Command<Input, Facts, Row>,
  items: readonly { input: Input; caller: Caller }[],
): Promise<Answer<Row>[]> {
  const waiting = items.entries();
  const answers: Answer<Row>[] = items.map(() => ({ refused: unavailable }));
  let databaseIsGone = false;

  async function work(): Promise<void> {
    for (const [index, { input, caller }] of waiting) {
      if (databaseIsGone) return;
      try {
        answers[index] = { answer: await execute(dependencies, command, input, caller) };
      } catch (error) {
        if (error instanceof RefusedError) answers[index] = { refused: error.refusal };
        else if (isUnavailable(error)) databaseIsGone = true;
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
