import type { Viewer } from '../identity/viewer.ts';
import type { Clock } from '../platform/clock.ts';
import type { Transaction } from '../platform/database.ts';
import type { Command, Rules } from './command.ts';
import { type Effects, effectsOf } from './effects.ts';

/** A refusal that needs no lock, since it changes nothing but the audit log. */
export type RefusedUnlocked<Row extends object> = { effects: Effects<Row>; viewer: Viewer; now: Date };

/**
 * Decides a command on the facts as they are at the moment, without its locks. Returns the refusal, so that whoever repeats
 * what is refused holds up nobody; or null for what must be decided under the locks: what is accepted, and what ends or
 * changes something although it is refused. Without a viewer, everything is decided under the locks.
 */
export async function refuseUnlocked<Input, Facts, Row extends object>(
  tx: Transaction,
  command: Command<Input, Facts, Row>,
  input: Input,
  viewer: Viewer | undefined,
  { clock, rules }: { clock: Clock; rules?: Rules | undefined },
): Promise<RefusedUnlocked<Row> | null> {
  if (viewer === undefined) return null;
  const now = clock();
  const facts = await command.load(tx, input, now);
  const effects = effectsOf(command, facts, input, { viewer, now, rules });
  return isRefusalOnly(effects) ? { effects, viewer, now } : null;
}

export function isRefusalOnly({ answer, write, grants }: Effects<object>): boolean {
  return 'refused' in answer && write === undefined && grants.length === 0;
}
