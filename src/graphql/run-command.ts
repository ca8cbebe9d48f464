/** Runs the command of a mutation and converts a refusal to the typed error of the API. */
import type { MutationName } from '../authorization/operations.ts';
import type { Command } from '../commands/command.ts';
import { executeAndLook } from '../commands/execute.ts';
import { executeEach } from '../commands/execute-each.ts';
import type { CommandOnGrant } from '../commands/execute-together.ts';
import { claimKey, repetitionOf } from '../commands/idempotency.ts';
import { idempotencyKeyReused } from '../commands/refusal.ts';
import type { GrantRow } from '../grants/row.ts';
import { abortAfter } from '../platform/deadline.ts';
import { type Context, clearReadCaches, viewerOf } from './context.ts';
import { type MutationError, refuseOnceOver, toApiError } from './errors.ts';

/** Runs a command for the viewer and returns its row. Throws the typed error of the API if the command is refused. */
export async function runCommand<Input, Facts, Row extends object>(
  context: Context,
  command: Command<Input, Facts, Row>,
  input: Input,
  idempotencyKey: string | null | undefined,
): Promise<Row> {
  refuseOnceOver(context.operation);
  const viewer = viewerOf(context);
  const { source } = context.operation;
  const caller = { accountId: viewer.id, idempotencyKey: idempotencyKey ?? null, viewer, source };
  try {
    const { answer, viewer: after } = await executeAndLook(context.services, command, input, caller);
    context.viewer = after;
    if ('refused' in answer) throw toApiError(answer.refused);
    return answer.answer;
  } finally {
    context.services.laggingReads.wrote(viewer.id);
    clearReadCaches(context);
  }
}

/**
 * Runs a command for each input, and returns the results in the order of the inputs. Throws the typed error of the API if
 * the viewer has used the key for another mutation or other inputs. Begins nothing once two thirds of the operation's time
 * are over, so that it still answers for each input.
 */
export async function runCommandForEach<Input extends { grantId: string }>(
  context: Context,
  operation: MutationName,
  command: CommandOnGrant<Input>,
  inputs: readonly Input[],
  idempotencyKey: string | null | undefined,
): Promise<({ row: GrantRow } | { error: MutationError })[]> {
  refuseOnceOver(context.operation);
  const viewer = viewerOf(context);
  const accountId = viewer.id;
  const key = idempotencyKey ?? null;
  if (key !== null) {
    const all = inputs.map((input) => ({ id: input.grantId, input }));
    const repetition = repetitionOf(accountId, key, operation, all);
    if (!(await claimKey(context.services.database.prisma, repetition)))
      throw toApiError(idempotencyKeyReused);
  }
  // With a key for each item, a repetition returns the first result of each. A caller's own key has no space.
  const items = inputs.map((input) => ({
    input,
    idempotencyKey: key === null ? null : `${key} ${input.grantId}`,
  }));
  const msLeft = context.answerBy - performance.now();
  const giveUpAt = performance.now() + msLeft * answeredWithin;
  using time = abortAfter(msLeft * begunWithin, context.operation.signal);
  const results = await executeEach(context.services, command, items, {
    ...{ accountId, viewer, source: context.operation.source },
    stop: time.signal,
    msLeft: () => giveUpAt - performance.now(),
    onViewer: (after) => {
      context.viewer = after;
    },
  }).finally(() => context.services.laggingReads.wrote(accountId));
  clearReadCaches(context);
  return results.map((result) =>
    'refused' in result ? { error: toApiError(result.refused) } : { row: result.answer },
  );
}

/** The shares of the time of an operation within which the items of a bulk begin, and are answered. What is left is for reading the answer. */
const begunWithin = 2 / 3;
const answeredWithin = 8 / 9;
