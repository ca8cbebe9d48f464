import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FairQueue, type NoTurn, type Share } from '../../src/http/admission/fair-queue.ts';

const limits = { running: 4, runningPerAccount: 2, runningPerOrganization: 3, waiting: 100, waitMs: 1_000 };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const of = (account: string, ...organizations: string[]): Share => ({ account, organizations });

/** A queue that notes whose turns begin, and how the others end. */
function noted(given: Partial<typeof limits> = {}) {
  const queue = new FairQueue({ ...limits, ...given });
  const turns: string[] = [];
  const ended: NoTurn[] = [];
  const leaves: (() => void)[] = [];
  const enter = async (share: Share): Promise<void> => {
    const outcome = await queue.enter(share, (leave) => leaves.push(leave));
    if (outcome === 'TURN') turns.push(share.account);
    else ended.push(outcome);
  };
  const settled = () => vi.advanceTimersByTimeAsync(0);
  return { queue, turns, ended, leaves, enter, settled };
}

test('one account runs no more than its part, however many of it wait', async () => {
  const { queue, turns, enter, settled } = noted();
  for (let i = 0; i < 50; i++) void enter(of('flood'));
  void enter(of('other'));
  await settled();
  expect(turns).toEqual(['flood', 'flood', 'other']);
  expect([queue.running, queue.waiting]).toEqual([3, 48]);
});

test('one organization runs no more than its part, whoever of it asks', async () => {
  const { turns, enter, settled } = noted();
  for (const account of ['a', 'b', 'c', 'd']) void enter(of(account, 'acme'));
  void enter(of('e', 'globex'));
  await settled();
  expect(turns).toEqual(['a', 'b', 'c', 'e']);
});

test('accounts that wait take turns', async () => {
  const { queue, turns, enter, settled } = noted({ running: 1, runningPerAccount: 1 });
  for (let i = 0; i < 3; i++) void enter(of('flood'));
  void enter(of('second'));
  void enter(of('third'));
  for (const account of ['flood', 'flood', 'second', 'third', 'flood']) {
    await settled();
    if (queue.running > 0) queue.leave(of(turns.at(-1) ?? account));
  }
  await settled();
  expect(turns).toEqual(['flood', 'flood', 'second', 'third', 'flood']);
});

test('an account whose part is used up does not hold up those behind it', async () => {
  const { queue, turns, enter, settled } = noted({ running: 3 });
  for (const account of ['busy', 'busy', 'busy', 'first', 'second']) void enter(of(account));
  await settled();
  expect(turns).toEqual(['busy', 'busy', 'first']);
  queue.leave(of('first'));
  await settled();
  expect(turns).toEqual(['busy', 'busy', 'first', 'second']);
});

test('nothing waits for longer than its time, and no more wait than may', async () => {
  const { queue, ended, enter, settled } = noted({ waiting: 2 });
  for (let i = 0; i < 5; i++) void enter(of('flood'));
  await settled();
  expect(ended).toEqual(['QUEUE_FULL']);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ended).toEqual(['QUEUE_FULL', 'WAITED_TOO_LONG', 'WAITED_TOO_LONG']);
  expect([queue.running, queue.waiting]).toEqual([2, 0]);
});

test('what nobody waits for any more gets no turn', async () => {
  const { queue, turns, ended, leaves, enter, settled } = noted({ running: 1 });
  for (const account of ['a', 'b', 'c']) void enter(of(account));
  await settled();
  leaves[0]?.();
  leaves[0]?.();
  queue.leave(of('a'));
  await settled();
  expect([turns, ended, vi.getTimerCount()]).toEqual([['a', 'c'], ['OVER'], 0]);
});
