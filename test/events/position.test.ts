import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  covers,
  type EventOffset,
  firstCovered,
  includes,
  isCovered,
  isOfItsPosition,
  origin,
  type Position,
  positionAfterAppended,
  positionAfterEvent,
  positionAfterTransaction,
  positionOfSnapshot,
  union,
  withAtMostOpen,
  withChecksumComplete,
  withEventRead,
  withoutFinished,
} from '../../src/events/position.ts';
import { bySize } from '../support/size.ts';

/** A stream small enough to list: ten transactions of three events each. */
const transactions = Array.from({ length: 10 }, (_, index) => BigInt(index));
const offsets: EventOffset[] = transactions.flatMap((txid) => [1n, 2n, 3n].map((seq) => ({ txid, seq })));

const positions: fc.Arbitrary<Position> = fc
  .record({
    next: fc.bigInt(0n, 10n),
    through: fc.array(fc.option(fc.bigInt(0n, 2n)), { minLength: 10, maxLength: 10 }),
  })
  .map(({ next, through }) => ({
    next,
    open: transactions.flatMap((txid, index) => {
      const open = through[index];
      return txid < next && open !== null && open !== undefined ? [{ txid, through: open }] : [];
    }),
  }));

const snapshots: fc.Arbitrary<Position> = positions.map(({ next, open }) => ({
  next,
  open: open.map(({ txid }) => ({ txid, through: 0n })),
}));

const includedIn = (position: Position): string[] =>
  offsets.filter((offset) => includes(position, offset)).map(({ txid, seq }) => `${txid}/${seq}`);

describe('a position', () => {
  test('of a PostgreSQL snapshot includes what the snapshot sees', () => {
    const position = positionOfSnapshot('4:8:4,6');
    expect(position).toStrictEqual({
      next: 8n,
      open: [
        { txid: 4n, through: 0n },
        { txid: 6n, through: 0n },
      ],
    });
    const seen = [3n, 4n, 5n, 6n, 7n, 8n].filter((txid) => includes(position, { txid, seq: 1n }));
    expect(seen).toStrictEqual([3n, 5n, 7n]);
    expect(positionOfSnapshot('8:8:')).toStrictEqual({ next: 8n, open: [] });
    expect(() => positionOfSnapshot('8')).toThrow('Not a PostgreSQL snapshot: 8');
    expect(() => positionOfSnapshot('8:9')).toThrow('Not a PostgreSQL snapshot: 8:9');
  });

  test('at the origin includes no event', () => {
    expect(includedIn(origin)).toStrictEqual([]);
    expect(origin.open).toStrictEqual([]);
  });

  test('covers another exactly when it includes every event that the other includes', () => {
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        const expected = includedIn(other).every((offset) => includedIn(one).includes(offset));
        expect(covers(one, other)).toBe(expected);
      }),
      { numRuns: bySize(150, 5_000) },
    );
  });

  test('covers a later one that includes no event of the transactions in between', () => {
    const one: Position = { next: 5n, open: [] };
    const third = { txid: 3n, through: 0n };
    const fifth = { txid: 5n, through: 0n };
    const sixth = { txid: 6n, through: 0n };
    expect(covers(one, { next: 7n, open: [fifth, sixth] })).toBe(true);
    expect(covers(one, { next: 7n, open: [third, fifth, sixth] })).toBe(true);
    expect(covers(one, { next: 7n, open: [third, sixth] })).toBe(false);
    expect(covers(one, { next: 7n, open: [fifth, { txid: 6n, through: 1n }] })).toBe(false);
  });

  test('covers one that ends where its own open transaction begins', () => {
    const one: Position = { next: 6n, open: [{ txid: 5n, through: 0n }] };
    expect(covers(one, { next: 5n, open: [] })).toBe(true);
    expect(covers(one, { next: 6n, open: [] })).toBe(false);
  });

  test('united with another includes every event that one of the two includes', () => {
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        const either = offsets
          .map(({ txid, seq }) => `${txid}/${seq}`)
          .filter((offset) => includedIn(one).includes(offset) || includedIn(other).includes(offset));
        expect(includedIn(union(one, other))).toStrictEqual(either);
      }),
      { numRuns: bySize(150, 5_000) },
    );
  });

  test('after appended events includes exactly these in addition, unless others were committed before them', () => {
    const appended = fc.record({ txid: fc.bigInt(0n, 12n), seq: fc.bigInt(1n, 3n), isLast: fc.boolean() });
    fc.assert(
      fc.property(positions, snapshots, appended, (position, snapshot, { txid, seq, isLast }) => {
        fc.pre(!includes(snapshot, { txid, seq: 1n }) && !includes(position, { txid, seq: 1n }));
        const isUnread = (offset: EventOffset) => includes(snapshot, offset) && !includes(position, offset);
        const after = positionAfterAppended(position, snapshot, { txid, seq }, isLast);
        if (offsets.some(isUnread)) expect(after).toBeUndefined();
        else {
          const isNew = (offset: EventOffset) => offset.txid === txid && (isLast || offset.seq <= seq);
          const expected = offsets.filter((offset) => includes(position, offset) || isNew(offset));
          expect(after === undefined ? undefined : includedIn(after)).toStrictEqual(
            expected.map((offset) => `${offset.txid}/${offset.seq}`),
          );
          const open = after?.open.map((each) => each.txid) ?? [];
          expect(open).toStrictEqual(open.toSorted((one, other) => Number(one - other)));
        }
      }),
      { numRuns: bySize(150, 5_000) },
    );
    // Too many transactions in between to name them all.
    expect(positionAfterAppended(origin, origin, { txid: 33n, seq: 1n }, true)).toBeUndefined();
  });

  test('united with one that it covers, or that covers it, is one of the two itself', () => {
    const earlier: Position = { next: 5n, open: [{ txid: 3n, through: 1n }] };
    const later: Position = { next: 7n, open: [{ txid: 3n, through: 1n }] };
    expect(union(earlier, later)).toBe(later);
    expect(union(later, earlier)).toBe(later);
  });

  test('united with another names the open transactions of both in ascending order, and no others', () => {
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        const { next, open } = union(one, other);
        expect([one.next, other.next]).toContain(next);
        for (const [index, { txid, through }] of open.entries()) {
          expect(txid).toBeGreaterThan(open[index - 1]?.txid ?? -1n);
          expect(txid).toBeLessThan(next);
          expect(through).toBeLessThan(3n);
        }
      }),
      { numRuns: bySize(150, 5_000) },
    );
    const one: Position = {
      next: 5n,
      open: [
        { txid: 2n, through: 1n },
        { txid: 4n, through: 0n },
      ],
    };
    const other: Position = {
      next: 8n,
      open: [
        { txid: 2n, through: 2n },
        { txid: 3n, through: 0n },
        { txid: 6n, through: 1n },
      ],
    };
    expect(union(one, other)).toStrictEqual({
      next: 8n,
      open: [
        { txid: 2n, through: 2n },
        { txid: 6n, through: 1n },
      ],
    });
  });

  test('of a reader includes what it has read of the snapshot, and nothing else', () => {
    fc.assert(
      fc.property(snapshots, fc.constantFrom(...offsets), (snapshot, offset) => {
        fc.pre(includes(snapshot, offset));
        const upTo = includedIn(snapshot).filter((other) => {
          const [txid, seq] = other.split('/').map(BigInt);
          return txid !== undefined && seq !== undefined && isNotAfter({ txid, seq }, offset);
        });
        expect(includedIn(positionAfterEvent(snapshot, offset))).toStrictEqual(upTo);
        const next = offset.txid + 1n;
        const open = snapshot.open.filter(({ txid }) => txid < offset.txid);
        expect(positionAfterEvent(snapshot, offset)).toStrictEqual({
          next,
          open: [...open, { txid: offset.txid, through: offset.seq }],
        });
        expect(positionAfterTransaction(snapshot, offset.txid)).toStrictEqual({ next, open });
      }),
    );
  });

  test('drops the transactions that have finished, and no others', () => {
    fc.assert(
      fc.property(positions, snapshots, (position, snapshot) => {
        const open = position.open.filter(({ txid }) => snapshot.open.some((still) => still.txid === txid));
        const present = withoutFinished(position, snapshot);
        expect(present).toStrictEqual({ next: position.next, open });
        if (open.length === position.open.length) expect(present).toBe(position);
      }),
    );
  });

  test('of a reader has a checksum of the events that were read since it was last completed, and of no others', () => {
    /** Distinct bits, so that a checksum shows which events it covers. */
    const tagAt = ({ txid, seq }: EventOffset): bigint => 1n << (txid * 3n + seq);
    fc.assert(
      fc.property(
        positions,
        fc.shuffledSubarray(offsets),
        fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
        (start, order, completions) => {
          // A reader gets the events of a transaction in their order.
          const unread = order
            .filter((offset) => !includes(start, offset))
            .map(({ txid }) => txid)
            .flatMap((txid, index, all) => (all.indexOf(txid) === index ? [txid] : []));
          let position = start;
          for (const [index, txid] of unread.entries()) {
            if (completions[index] === true) position = withChecksumComplete(position);
            for (const offset of offsets.filter((each) => each.txid === txid && !includes(start, each))) {
              const reached = union(position, {
                next: offset.txid + 1n,
                open: [
                  ...transactions
                    .filter((other) => other < txid)
                    .map((other) => ({ txid: other, through: 0n })),
                  { txid, through: offset.seq },
                ],
              });
              position = withEventRead(reached, position, offset, tagAt(offset));
              const { checksum } = position;
              if (checksum === undefined) continue;
              const covered = offsets.filter((each) => isCovered(checksum, each));
              expect(covered.reduce((sum, each) => sum ^ tagAt(each), 0n)).toBe(checksum.value);
              for (const each of covered) {
                expect(includes(position, each)).toBe(true);
                expect(includes(start, each)).toBe(false);
                expect(each.txid).toBeGreaterThanOrEqual(firstCovered(checksum));
              }
              const isPartOfEarlier = includes(start, { txid, seq: 1n });
              expect(covered.some((each) => each.txid === txid)).toBe(!isPartOfEarlier);
            }
          }
        },
      ),
      { numRuns: bySize(120, 5_000) },
    );
  });

  test('names at most 64 late transactions in its checksum', () => {
    const next = 1_000n;
    const open = Array.from({ length: 100 }, (_, index) => ({ txid: 800n + BigInt(index), through: 0n }));
    let position: Position = { next, open };
    for (const [index, { txid }] of open.entries()) {
      const reached = { next, open: open.slice(index + 1) };
      position = withEventRead(reached, position, { txid, seq: 1n }, 1n << BigInt(index));
    }
    expect(position.checksum?.late).toHaveLength(64);
    expect(position.checksum?.value).toBe(2n ** 64n - 1n);
  });

  test('keeps the checksum of the position that was read last when it is united with another', () => {
    const checksumOf = (value: bigint) => ({ late: [], from: 1n, to: 2n, except: [], value });
    const one = { next: 10n, open: [{ txid: 7n, through: 0n }], checksum: checksumOf(1n) };
    const other = { next: 8n, open: [], checksum: checksumOf(2n) };
    expect(union(one, other)).toStrictEqual({ next: 10n, open: [], checksum: checksumOf(2n) });
    expect(union(one, { next: 8n, open: [] }).checksum).toStrictEqual(checksumOf(1n));
  });

  test('keeps its checksum when transactions that it names have finished', () => {
    const open = [{ txid: 7n, through: 0n }];
    const checksum = { late: [], from: 5n, to: 10n, except: open, value: 1n };
    const rested = withoutFinished({ next: 10n, open, checksum }, { next: 12n, open: [] });
    expect(rested).toStrictEqual({ next: 10n, open: [], checksum: { ...checksum, except: [] } });
    expect(isOfItsPosition(rested)).toBe(true);
    const ofAnother = { ...checksum, except: [{ txid: 8n, through: 0n }] };
    const finished = withoutFinished({ next: 10n, open, checksum: ofAnother }, { next: 12n, open: [] });
    expect(finished.checksum).toBe(ofAnother);
  });

  test('limited to fewer open transactions is the same position or an earlier one', () => {
    fc.assert(
      fc.property(positions, fc.nat({ max: 10 }), (position, limit) => {
        const limited = withAtMostOpen(position, limit);
        expect(limited.open.length).toBeLessThanOrEqual(limit);
        expect(covers(position, limited)).toBe(true);
        if (position.open.length <= limit) expect(limited).toBe(position);
      }),
    );
  });
});

function isNotAfter(one: EventOffset, other: EventOffset): boolean {
  return one.txid < other.txid || (one.txid === other.txid && one.seq <= other.seq);
}
