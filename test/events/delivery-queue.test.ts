import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeliveryQueue, type Dequeued } from '../../src/events/delivery-queue.ts';
import type { EventEnvelope } from '../../src/events/envelope.ts';
import type { GrantEventType } from '../../src/events/kinds/grant.ts';
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

const grantOf = (next: Dequeued | undefined) => next?.event.kind.subjectOf(next.event);

const drain = (queue: DeliveryQueue): string[] => {
  const taken: string[] = [];
  for (let next = queue.dequeue(); next !== undefined; next = queue.dequeue()) {
    taken.push(`${grantOf(next)} ${next.event.type} → ${next.position.next}`);
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

  test('delivers the event at the head after eight events have overtaken it', () => {
    const urgent = Array.from({ length: 20 }, (_, index): [string, GrantEventType] => [
      `u${index}`,
      'REVOKED',
    ]);
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ...urgent);
    const grants = drain(queue).map((taken) => taken.split(' ')[0]);
    const [first, second, third] = [urgent.slice(0, 8), urgent.slice(8, 16), urgent.slice(16)];
    const namesOf = (events: typeof urgent) => events.map(([grant]) => grant);
    expect(grants).toEqual([...namesOf(first), 'a', ...namesOf(second), 'b', ...namesOf(third)]);
  });

  test('does not count an urgent event at the head, or an event of its grant, as one that overtakes', () => {
    const queue = queueOf(['u', 'REVOKED'], ['v', 'REQUESTED'], ['v', 'REVOKED'], ['a', 'REQUESTED']);
    for (let index = 0; index < 8; index += 1) {
      queue.enqueue(grantEvent({ grantId: `w${index}`, type: 'ENDED' }), positionAt(BigInt(index + 5)));
    }
    const taken = drain(queue);
    expect(taken.slice(0, 3)).toEqual(['u REVOKED → 2', 'v REQUESTED → 3', 'v REVOKED → 4']);
    // All eight overtake it: the three before did not.
    expect(taken.indexOf('a REQUESTED → 13')).toBe(11);
  });

  test('delivers the event at the head half a second after it was first overtaken', () => {
    let now = 1_000;
    const queue = new DeliveryQueue(origin, () => now);
    const enqueue = (grantId: string, type: GrantEventType, txid: bigint) =>
      queue.enqueue(grantEvent({ grantId, type }), positionAt(txid));
    const next = () => grantOf(queue.dequeue());
    enqueue('a', 'REQUESTED', 1n);
    enqueue('b', 'REQUESTED', 2n);
    // However long it has waited: only the time since it was overtaken counts.
    now += 60_000;
    for (const [index, grant] of ['u', 'v', 'w', 'x'].entries()) enqueue(grant, 'REVOKED', BigInt(3 + index));
    expect(next()).toBe('u');
    now += 499;
    expect(next()).toBe('v');
    now += 1;
    expect(next()).toBe('a');
    expect(next()).toBe('w');
    now += 500;
    expect([next(), next(), next()]).toEqual(['b', 'x', undefined]);
  });

  test('starts to count overtaking events again after it was cleared', () => {
    const fill = (queue: DeliveryQueue): void => {
      for (let index = 0; index < 9; index += 1) {
        queue.enqueue(
          grantEvent({ grantId: String(index), type: index === 0 ? 'REQUESTED' : 'ENDED' }),
          origin,
        );
      }
    };
    const queue = new DeliveryQueue(origin);
    fill(queue);
    for (let index = 0; index < 5; index += 1) queue.dequeue();
    queue.clear();
    fill(queue);
    expect(drain(queue).at(-1)).toMatch(/^0 REQUESTED/);
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
    const passed: WeakRef<EventEnvelope>[] = [];
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
    const passed: WeakRef<EventEnvelope>[] = [];
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

  test('delivers each event once, in order per grant, with positions that include no event still to come and soon advance', () => {
    const events = fc.record({
      grantId: fc.constantFrom('a', 'b', 'c', 'd'),
      type: fc.constantFrom<GrantEventType>('REQUESTED', 'ACTIVATED', 'REVOKED', 'REASSIGNED'),
    });
    // An event of a grant of its own overtakes every event of another grant.
    const urgent = fc.uuid().map((grantId) => ({ grantId, type: 'REVOKED' as const }));
    const takes = fc.record({ afterMs: fc.nat({ max: 200 }) });
    fc.assert(
      fc.property(fc.array(fc.oneof(events, urgent, takes), { maxLength: 600 }), (steps) => {
        let now = 0;
        const queue = new DeliveryQueue(origin, () => now);
        const pushed: { id: string; grantId: string; txid: bigint }[] = [];
        const waiting: typeof pushed = [];
        const taken: string[] = [];
        /** The deliveries since the position last advanced, while an event waits that it does not include. */
        let unmoved: { at: number }[] = [];
        const take = (): void => {
          const [head] = waiting;
          const next = queue.dequeue();
          if (next === undefined) return;
          taken.push(next.event.id);
          waiting.splice(
            waiting.findIndex(({ id }) => id === next.event.id),
            1,
          );
          for (const { txid } of waiting) expect(includes(next.position, { txid, seq: 1n })).toBe(false);
          if (next.event.id === head?.id) {
            expect(includes(next.position, { txid: head.txid, seq: 1n })).toBe(true);
            unmoved = [];
            return;
          }
          unmoved.push({ at: now });
          expect(unmoved.length).toBeLessThanOrEqual(8);
          expect(now - (unmoved[0]?.at ?? now)).toBeLessThan(500);
        };
        for (const step of steps) {
          if ('afterMs' in step) {
            now += step.afterMs;
            take();
            continue;
          }
          const event = grantEvent(step);
          const txid = BigInt(pushed.length + 1);
          queue.enqueue(event, positionAt(txid));
          pushed.push({ id: event.id, grantId: event.grantId, txid });
          waiting.push({ id: event.id, grantId: event.grantId, txid });
        }
        while (queue.size > 0) take();
        expect(taken.toSorted()).toStrictEqual(pushed.map(({ id }) => id).toSorted());
        for (const grant of new Set(pushed.map(({ grantId }) => grantId))) {
          const theirs = pushed.filter(({ grantId }) => grantId === grant).map(({ id }) => id);
          const ids = new Set(theirs);
          expect(taken.filter((id) => ids.has(id))).toStrictEqual(theirs);
        }
      }),
      { numRuns: 50 },
    );
  });
});
