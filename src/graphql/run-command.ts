/** Runs the command of a mutation and converts a refusal to the typed error of the API. */
import type { MutationName } from '../authorization/operations.ts';
import type { Command } from '../commands/command.ts';
import { executeAndLook } from '../commands/execute.ts';
import { executeEach } from '../commands/execute-each.ts';
import { claimKey, repetitionOf } from '../commands/idempotency.ts';
import { idempotencyKeyReused } from '../commands/refusal.ts';
import { type Context, clearReadCaches, viewerOf } from './context.ts';
import { type MutationError, toApiError } from './errors.ts';

/** Runs a command for the viewer and returns its row. Throws the typed error of the API if the command is refused. */
export async function runCommand<Input, Facts, Row extends object>(
  context: Context,
  command: Command<Input, Facts, Row>,
  input: Input,
  idempotencyKey: string | null | undefined,
): Promise<Row> {
  const caller = { accountId: viewerOf(context).id, idempotencyKey: idempotencyKey ?? null };
  try {
    const { answer, viewer } = await executeAndLook(context.services, command, input, caller);
    context.viewer = viewer;
    if ('refused' in answer) throw toApiError(answer.refused);
    return answer.answer;
  } finally {
    clearReadCaches(context);
  }
}

/**
 * Runs a command for each input, each in a transaction of its own, and returns the results in the order of the
 * inputs. Throws the typed error of the API if the viewer has used the key for another mutation or other inputs.
 */
export async function runCommandForEach<Input, Facts, Row extends object>(
  context: Context,
  operation: MutationName,
  command: Command<Input, Facts, Row>,
  items: readonly { id: string; input: Input }[],
  idempotencyKey: string | null | undefined,
): Promise<({ row: Row } | { error: MutationError })[]> {
  const accountId = viewerOf(context).id;
  const key = idempotencyKey ?? null;
  if (key !== null) {
    const repetition = repetitionOf(accountId, key, operation, items);
    if (!(await claimKey(context.services.database.prisma, repetition)))
      throw toApiError(idempotencyKeyReused);
  }
  // With a key for each item, a repetition returns the first result of each. A caller's own key has no space.
  const callers = items.map(({ id, input }) => ({
    input,
    caller: { accountId, idempotencyKey: key === null ? null : `${key} ${id}` },
  }));
  const results = await executeEach(context.services, command, callers, (viewer) => {
    context.viewer = viewer;
  });
  clearReadCaches(context);
  return results.map((result) =>
    'refused' in result ? { error: toApiError(result.refused) } : { row: result.answer },
  );
}
