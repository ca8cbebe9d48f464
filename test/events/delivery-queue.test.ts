import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeliveryQueue } from '../../src/events/delivery-queue.ts';
import type { DeliverableEvent } from '../../src/events/envelope.ts';
import type { GrantEventType } from '../../src/events/grant-event-type.ts';
import { includes, origin, type Position } from '../../src/events/position.ts';
import { grantEvent } from './events.ts';

const positionAt = (txid: bigint): Position => ({ next: txid + 1n, open: [] });

/** A queue of events of named grants; the n-th is of transaction n. */
function queueOf(...events: [grant: string, type: GrantEventType][]) {
  const queue = new DeliveryQueue(origin);
  for (const [index, [grantId, type]] of events.entries()) {
    queue.enqueue(grantEvent({ grantId, type }), positionAt(BigInt(index + 1)));
  }
  return queue;
}

const drain = (queue: DeliveryQueue): string[] => {
  const taken: string[] = [];
  for (let next = queue.dequeue(); next !== undefined; next = queue.dequeue()) {
    taken.push(`${next.event.grantId} ${next.event.type} → ${next.position.next}`);
  }
  return taken;
};

/** Collects garbage, and expects at most so many of these objects to be held in memory. */
async function expectAtMost(count: number, objects: readonly WeakRef<object>[]): Promise<void> {
  // A WeakRef holds its object until the current job of the event loop is over.
  await new Promise(setImmediate);
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  expect(objects.filter((each) => each.deref() !== undefined).length).toBeLessThanOrEqual(count);
}

describe('the queue of a subscriber', () => {
  test('keeps the order of the stream', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['a', 'ACTIVATED']);
    expect(queue.size).toBe(3);
    expect(drain(queue)).toStrictEqual(['a REQUESTED → 2', 'b REQUESTED → 3', 'a ACTIVATED → 4']);
    expect(queue.size).toBe(0);
  });

  test('counts an event that overtook others as held until the others are delivered', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REVOKED'], ['c', 'REVOKED']);
    queue.dequeue();
    queue.dequeue();
    expect([queue.size, queue.held]).toEqual([1, 3]);
    queue.dequeue();
    expect([queue.size, queue.held]).toEqual([0, 0]);
  });

  test('does not count an event as held once it and all earlier ones are delivered', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['c', 'REQUESTED']);
    queue.dequeue();
    expect([queue.size, queue.held]).toEqual([2, 2]);
    queue.dequeue();
    expect([queue.size, queue.held]).toEqual([1, 1]);
  });

  test.each(['REVOKED', 'ENDED', 'REASSIGNED'] as const)(
    'lets %s overtake events of other grants; the position advances with the overtaken events',
    (type) => {
      const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['c', type], ['b', 'ACTIVATED']);
      expect(drain(queue)).toStrictEqual([
        `c ${type} → 0`,
        'a REQUESTED → 2',
        // This position includes the event that overtook it.
        'b REQUESTED → 4',
        'b ACTIVATED → 5',
      ]);
    },
  );

  test('delivers earlier events of the same grant first', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['b', 'ACTIVATED'], ['b', 'REVOKED']);
    expect(drain(queue)).toStrictEqual([
      'b REQUESTED → 0',
      'b ACTIVATED → 0',
      'b REVOKED → 0',
      'a REQUESTED → 5',
    ]);
  });

  test('is urgent while an event waits that ends the use of a grant', () => {
    expect(queueOf(['a', 'REQUESTED'], ['b', 'ACTIVATED']).isUrgent).toBe(false);
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REVOKED'], ['c', 'ENDED']);
    const seen = [queue.isUrgent];
    while (queue.dequeue() !== undefined) seen.push(queue.isUrgent);
    expect(seen).toEqual([true, true, false, false]);
  });

  test('is empty after it was cleared', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REVOKED']);
    queue.clear();
    expect([queue.size, queue.held, queue.isUrgent]).toEqual([0, 0, false]);
    expect(queue.dequeue()).toBeUndefined();
  });

  test('can be used again after it was cleared', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['c', 'REVOKED']);
    queue.dequeue();
    queue.dequeue();
    queue.clear();
    queue.enqueue(grantEvent({ grantId: 'd', type: 'REQUESTED' }), positionAt(4n));
    queue.enqueue(grantEvent({ grantId: 'e', type: 'ENDED' }), positionAt(5n));
    expect(drain(queue)).toStrictEqual(['e ENDED → 2', 'd REQUESTED → 6']);
  });

  test('keeps at most 256 delivered events in memory, however many pass through', async () => {
    const queue = queueOf(['a', 'REQUESTED']);
    const passed: WeakRef<DeliverableEvent>[] = [];
    for (let txid = 2n; txid < 1_500n; txid += 1n) {
      const event = grantEvent();
      passed.push(new WeakRef(event));
      queue.enqueue(event, positionAt(txid));
      // The queue is never empty: that would cut everything off.
      queue.dequeue();
    }
    await expectAtMost(258, passed);
    // Also keeps the queue itself in memory until here.
    expect(queue.size).toBe(1);
  });

  test('keeps no event in memory while it is empty', async () => {
    const queue = new DeliveryQueue(origin);
    const passed: WeakRef<DeliverableEvent>[] = [];
    for (let txid = 1n; txid <= 100n; txid += 1n) {
      const event = grantEvent();
      passed.push(new WeakRef(event));
      queue.enqueue(event, positionAt(txid));
      queue.dequeue();
    }
    await expectAtMost(1, passed);
    expect(queue.size).toBe(0);
  });

  test('does not copy a long backlog for each event that leaves it', () => {
    const queue = new DeliveryQueue(origin);
    const [event, position] = [grantEvent(), positionAt(1n)];
    for (let count = 0; count < 50_000; count += 1) queue.enqueue(event, position);
    // Of this thread alone: other tests run in other threads of the process.
    const before = process.threadCpuUsage();
    while (queue.size > 0) queue.dequeue();
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000, 'milliseconds of processor time').toBeLessThan(1_500);
  });

  test('delivers each event once, in order per grant, with positions that include no event still to come', () => {
    const events = fc.record({
      grantId: fc.constantFrom('a', 'b', 'c', 'd'),
      type: fc.constantFrom<GrantEventType>('REQUESTED', 'ACTIVATED', 'REVOKED', 'REASSIGNED'),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(events, fc.constant('take' as const)), { maxLength: 600 }), (steps) => {
        const queue = new DeliveryQueue(origin);
        const pushed: { id: string; grantId: string; txid: bigint }[] = [];
        const taken: string[] = [];
        const take = (): void => {
          const next = queue.dequeue();
          if (next === undefined) return;
          taken.push(next.event.id);
          const toCome = pushed.filter(({ id }) => !taken.includes(id));
          for (const { txid } of toCome) expect(includes(next.position, { txid, seq: 1n })).toBe(false);
        };
        for (const step of steps) {
          if (step === 'take') {
            take();
            continue;
          }
          const event = grantEvent(step);
          const txid = BigInt(pushed.length + 1);
          queue.enqueue(event, positionAt(txid));
          pushed.push({ id: event.id, grantId: event.grantId, txid });
        }
        while (queue.size > 0) take();
        expect(taken.toSorted()).toStrictEqual(pushed.map(({ id }) => id).toSorted());
        for (const grant of ['a', 'b', 'c', 'd']) {
          const theirs = pushed.filter(({ grantId }) => grantId === grant).map(({ id }) => id);
          expect(taken.filter((id) => theirs.includes(id))).toStrictEqual(theirs);
        }
      }),
      { numRuns: 50 },
    );
  });
});
