/** What each command does to a deletion of Rovo's data, in each state. */
import { describe, expect, test } from 'vitest';
import { type Deletion, type DeletionCommand, decide, requested } from '../../src/rovo/deletion.ts';
import { fromNow, HOUR, NOW } from '../support/builders.ts';
import { deepFreeze } from '../support/deep-freeze.ts';

const started = { ...requested, version: 2, state: 'IN_PROGRESS' as const, startedAt: fromNow(-HOUR) };
const deletions: Record<Deletion['state'], Deletion> = deepFreeze({
  REQUESTED: requested,
  IN_PROGRESS: started,
  COMPLETED: { ...started, version: 3, state: 'COMPLETED', endedAt: fromNow(-HOUR) },
  FAILED: { ...started, version: 3, state: 'FAILED', failureReason: 'The index is locked.' },
  WITHDRAWN: { ...requested, version: 2, state: 'WITHDRAWN', endedAt: fromNow(-HOUR) },
});
const commands: Record<DeletionCommand['type'], DeletionCommand> = {
  Start: { type: 'Start' },
  Complete: { type: 'Complete' },
  Fail: { type: 'Fail', reason: 'No space.' },
  Withdraw: { type: 'Withdraw' },
};

/** The state after the command, or the code of the refusal. */
const table = {
  REQUESTED: {
    ...{ Start: 'IN_PROGRESS', Complete: 'DELETION_NOT_STARTED', Fail: 'DELETION_NOT_STARTED' },
    Withdraw: 'WITHDRAWN',
  },
  IN_PROGRESS: {
    ...{ Start: 'DELETION_STARTED', Complete: 'COMPLETED', Fail: 'FAILED', Withdraw: 'DELETION_STARTED' },
  },
  FAILED: {
    ...{ Start: 'IN_PROGRESS', Complete: 'DELETION_NOT_STARTED', Fail: 'DELETION_NOT_STARTED' },
    Withdraw: 'DELETION_STARTED',
  },
  COMPLETED: {
    ...{
      Start: 'DELETION_OVER',
      Complete: 'DELETION_OVER',
      Fail: 'DELETION_OVER',
      Withdraw: 'DELETION_OVER',
    },
  },
  WITHDRAWN: {
    ...{
      Start: 'DELETION_OVER',
      Complete: 'DELETION_OVER',
      Fail: 'DELETION_OVER',
      Withdraw: 'DELETION_OVER',
    },
  },
} as const satisfies Record<Deletion['state'], Record<DeletionCommand['type'], string>>;

describe.each(Object.entries(table))('a deletion that is %s', (state, row) => {
  const before = deletions[state as Deletion['state']];

  test.each(Object.entries(row))('on %s: %s', (type, expected) => {
    const decision = decide(before, commands[type as DeletionCommand['type']], NOW);
    if ('refused' in decision) return expect(decision.refused).toBe(expected);
    expect(decision.deletion).toEqual({
      state: expected,
      startedAt: type === 'Start' ? NOW : before.startedAt,
      failureReason: type === 'Fail' ? 'No space.' : null,
      endedAt: expected === 'COMPLETED' || expected === 'WITHDRAWN' ? NOW : null,
      version: before.version + 1,
    });
  });
});
