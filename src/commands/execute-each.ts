import { isUnavailable } from '../platform/database.ts';
import type { Command } from './command.ts';
import { type Caller, type Dependencies, execute } from './execute.ts';
import type { Answer } from './idempotency.ts';
import { RefusedError, unavailable } from './refusal.ts';

/** How many are carried out at the same time: enough to fill the waits, few enough to leave others room. */
const atOnce = 4;

/**
 * Carries out one command for many inputs. Each is a transaction of its own and has its own answer, in the
 * order of the inputs: one that is refused or fails does not touch the others.
 *
 * Once the database has gone away, those not yet begun are answered as unavailable instead of each waiting
 * in turn; what was answered before stays done.
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
