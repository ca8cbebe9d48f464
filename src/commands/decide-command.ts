/**
 * Decides a command on its facts: whether the viewer may see its resource, what has expired or lapsed, and what it
 * changes or why it is refused.
 */
import { may } from '../authorization/operations.ts';
import type { Viewer } from '../identity/viewer.ts';
import { type Command, defaultRules, type Outcome, type Question } from './command.ts';
import type { DecidedGrantChange } from './grant-change-effects.ts';
import { forbidden, notFound } from './refusal.ts';

export type CommandDecision<Row extends object> = {
  /** Whether the viewer may know that what the command names exists. */
  isVisible: boolean;
  /** What changed before the command was decided, because its time had run out or it had lapsed: even if it is refused. */
  preceding: readonly DecidedGrantChange[];
  outcome: Outcome<Row>;
};

/** Whether the viewer sees what the command names, and may run it. */
export function mayRun<Input, Facts, Row extends object>(
  { operation, relations: relationsOf, isVisible }: Command<Input, Facts, Row>,
  facts: Facts,
  viewer: Viewer,
): boolean {
  const relations = relationsOf(viewer, facts);
  return isVisible(relations) && may(operation, relations);
}

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
  { viewer, now, rules = defaultRules, isConfirmed = false, exceeded = null }: Question,
): CommandDecision<Row> {
  const relations = command.relations(viewer, loaded);
  if (!command.isVisible(relations)) {
    return { isVisible: false, preceding: [], outcome: { refused: notFound(command.resource) } };
  }
  const { facts, changes: expired } = command.applyTimeLimits?.(loaded, now) ?? {
    facts: loaded,
    changes: [],
  };
  if (!may(command.operation, relations)) {
    const refused = command.refuse?.(viewer, facts) ?? forbidden('Your role does not allow this.');
    return { isVisible: true, preceding: expired, outcome: { refused } };
  }
  if (exceeded !== null) return { isVisible: true, preceding: expired, outcome: { refused: exceeded } };
  const lapsed = command.lapse?.(facts, now) ?? null;
  if (lapsed !== null) {
    const { changes, refused } = lapsed;
    return { isVisible: true, preceding: [...expired, ...changes], outcome: { refused } };
  }
  const outcome = command.decide(facts, input, { viewer, now, rules, isConfirmed, relations });
  return { isVisible: true, preceding: expired, outcome };
}
