import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeliveryQueue } from '../../src/events/delivery-queue.ts';
import type { GrantEventType } from '../../src/events/envelope.ts';
import { isBehind, origin, type Position } from '../../src/events/position.ts';
import { grantEvent } from './events.ts';

const after = (txid: bigint): Position => ({ next: txid + 1n, open: [] });

/** A queue into which events of named grants were pushed; the n-th is of transaction n. */
function queueOf(...pushed: [grant: string, type: GrantEventType][]) {
  const queue = new DeliveryQueue(origin);
  for (const [index, [grantId, type]] of pushed.entries()) {
    queue.push(grantEvent({ grantId, type }), after(BigInt(index + 1)));
  }
  return queue;
}

const drain = (queue: DeliveryQueue): string[] => {
  const taken: string[] = [];
  for (let next = queue.take(); next !== undefined; next = queue.take()) {
    taken.push(`${next.event.grantId} ${next.event.type} → ${next.position.next}`);
  }
  return taken;
};

describe('the queue of a subscriber', () => {
  test('keeps the order of the stream', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['a', 'ACTIVATED']);
    expect(queue.size).toBe(3);
    expect(drain(queue)).toStrictEqual(['a REQUESTED → 2', 'b REQUESTED → 3', 'a ACTIVATED → 4']);
    expect(queue.size).toBe(0);
  });

  test('holds what went ahead until what was passed has left', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REVOKED'], ['c', 'REVOKED']);
    queue.take();
    queue.take();
    expect([queue.size, queue.held]).toEqual([1, 3]);
    queue.take();
    expect([queue.size, queue.held]).toEqual([0, 0]);
  });

  test.each(['REVOKED', 'ENDED', 'REASSIGNED'] as const)(
    'lets %s go ahead of other grants; the position waits for what was passed',
    (type) => {
      const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['c', type], ['b', 'ACTIVATED']);
      expect(drain(queue)).toStrictEqual([
        `c ${type} → 0`,
        'a REQUESTED → 2',
        // Behind this one lies the one that went ahead.
        'b REQUESTED → 4',
        'b ACTIVATED → 5',
      ]);
    },
  );

  test('takes along what comes before it of the same grant', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REQUESTED'], ['b', 'ACTIVATED'], ['b', 'REVOKED']);
    expect(drain(queue)).toStrictEqual([
      'b REQUESTED → 0',
      'b ACTIVATED → 0',
      'b REVOKED → 0',
      'a REQUESTED → 5',
    ]);
  });

  test('goes on after it was cleared', () => {
    const queue = queueOf(['a', 'REQUESTED'], ['b', 'REVOKED']);
    queue.clear();
    expect(queue.size).toBe(0);
    expect(queue.take()).toBeUndefined();
  });

  test('whatever happens: each event once, in order per grant, no position ahead of what is still to come', () => {
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
          const next = queue.take();
          if (next === undefined) return;
          taken.push(next.event.id);
          const toCome = pushed.filter(({ id }) => !taken.includes(id));
          for (const { txid } of toCome) expect(isBehind(next.position, { txid, seq: 1n })).toBe(false);
        };
        for (const step of steps) {
          if (step === 'take') {
            take();
            continue;
          }
          const event = grantEvent(step);
          const txid = BigInt(pushed.length + 1);
          queue.push(event, after(txid));
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
