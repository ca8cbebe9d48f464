/**
 * Decides a command on its facts: whether the viewer may see its resource, what has expired, and what it changes or
 * why it is refused.
 */
import { may } from '../authorization/operations.ts';
import type { Viewer } from '../identity/viewer.ts';
import type { Command, Outcome } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { forbidden, notFound } from './refusal.ts';

export type CommandDecision<Row extends object> = {
  /** Whether the viewer may know that what the command names exists. */
  isVisible: boolean;
  /** The grants whose time had run out before the command was decided. They are over even if it is refused. */
  expired: readonly DecidedGrantChange[];
  outcome: Outcome<Row>;
};

/**
 * Decides whether the viewer may run the command on these facts at the moment `now`, and what it changes.
 *
 * Pure. `execute` runs commands by it, and allowed-actions.ts answers by it what a viewer may do, so that the
 * two cannot disagree.
 */
export function decideCommand<Input, Facts, Row extends object>(
  command: Command<Input, Facts, Row>,
  loaded: Facts,
  input: Input,
  { viewer, now }: { viewer: Viewer; now: Date },
): CommandDecision<Row> {
  const relations = command.relations(viewer, loaded);
  if (!command.isVisible(relations)) {
    return { isVisible: false, expired: [], outcome: { refused: notFound(command.resource) } };
  }
  const { facts, changes: expired } = command.applyTimeLimits?.(loaded, now) ?? {
    facts: loaded,
    changes: [],
  };
  const outcome = may(command.operation, relations)
    ? command.decide(facts, input, { viewer, now, relations })
    : { refused: command.refuse?.(viewer, facts) ?? forbidden('Your role does not allow this.') };
  return { isVisible: true, expired, outcome };
}
