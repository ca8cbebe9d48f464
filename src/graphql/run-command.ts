/** Runs the command of a mutation and converts a refusal to the typed error of the API. */
import type { Command } from '../commands/command.ts';
import { execute } from '../commands/execute.ts';
import { executeEach } from '../commands/execute-each.ts';
import { RefusedError } from '../commands/refusal.ts';
import { type Context, clearReadCaches, viewerOf } from './context.ts';
import { type MutationError, toApiError } from './errors.ts';

/** Runs a command for the viewer and returns its row. Throws the typed error of the API if the command is refused. */
export async function runCommand<Input, Facts, Row extends object>(
  context: Context,
  command: Command<Input, Facts, Row>,
  input: Input,
  idempotencyKey: string | null | undefined,
): Promise<Row> {
  try {
    return await execute(context.services, command, input, {
      accountId: viewerOf(context).id,
      idempotencyKey: idempotencyKey ?? null,
    });
  } catch (error) {
    throw error instanceof RefusedError ? toApiError(error.refusal) : error;
  } finally {
    clearReadCaches(context);
  }
}

/**
 * Runs a command for each input, each in a transaction of its own, and returns the results in the order of the
 * inputs.
 */
export async function runCommandForEach<Input, Facts, Row extends object>(
  context: Context,
  command: Command<Input, Facts, Row>,
  inputs: readonly Input[],
  idempotencyKeyOf: (input: Input) => string | null,
): Promise<({ row: Row } | { error: MutationError })[]> {
  const accountId = viewerOf(context).id;
  const callers = inputs.map((input) => ({
    input,
    caller: { accountId, idempotencyKey: idempotencyKeyOf(input) },
  }));
  const results = await executeEach(context.services, command, callers);
  clearReadCaches(context);
  return results.map((result) =>
    'refused' in result ? { error: toApiError(result.refused) } : { row: result.answer },
  );
}
