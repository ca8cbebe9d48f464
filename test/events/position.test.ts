import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  covers,
  isBehind,
  origin,
  type Place,
  type Position,
  positionAfter,
  positionAt,
  positionOfSnapshot,
  settled,
  union,
  withAtMostOpen,
} from '../../src/events/position.ts';

/** A world small enough to list: ten transactions of three events each. */
const transactions = Array.from({ length: 10 }, (_, index) => BigInt(index));
const places: Place[] = transactions.flatMap((txid) => [1n, 2n, 3n].map((seq) => ({ txid, seq })));

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

const behind = (position: Position): string[] =>
  places.filter((place) => isBehind(position, place)).map(({ txid, seq }) => `${txid}/${seq}`);

describe('a position', () => {
  test('knows what a snapshot of PostgreSQL sees', () => {
    const position = positionOfSnapshot('4:8:4,6');
    expect(position).toStrictEqual({
      next: 8n,
      open: [
        { txid: 4n, through: 0n },
        { txid: 6n, through: 0n },
      ],
    });
    const seen = [3n, 4n, 5n, 6n, 7n, 8n].filter((txid) => isBehind(position, { txid, seq: 1n }));
    expect(seen).toStrictEqual([3n, 5n, 7n]);
    expect(positionOfSnapshot('8:8:')).toStrictEqual({ next: 8n, open: [] });
    expect(() => positionOfSnapshot('8')).toThrow('Not a PostgreSQL snapshot: 8');
  });

  test('has nothing behind it at the origin', () => {
    expect(behind(origin)).toStrictEqual([]);
  });

  test('covers another exactly when everything behind the other is behind it', () => {
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        const expected = behind(other).every((place) => behind(one).includes(place));
        expect(covers(one, other)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test('joined with another has behind it what is behind either', () => {
    fc.assert(
      fc.property(positions, positions, (one, other) => {
        const either = places
          .map(({ txid, seq }) => `${txid}/${seq}`)
          .filter((place) => behind(one).includes(place) || behind(other).includes(place));
        expect(behind(union(one, other))).toStrictEqual(either);
      }),
      { numRuns: 2000 },
    );
  });

  test('of a reader is behind what it has read in order of the snapshot, and ahead of all else', () => {
    fc.assert(
      fc.property(snapshots, fc.constantFrom(...places), (snapshot, place) => {
        fc.pre(isBehind(snapshot, place));
        const upTo = behind(snapshot).filter((other) => {
          const [txid, seq] = other.split('/').map(BigInt);
          return txid !== undefined && seq !== undefined && comesNotAfter({ txid, seq }, place);
        });
        expect(behind(positionAt(snapshot, place))).toStrictEqual(upTo);
        expect(positionAfter(snapshot, place.txid)).toStrictEqual({
          ...positionAt(snapshot, place),
          open: snapshot.open.filter(({ txid }) => txid < place.txid),
        });
      }),
    );
  });

  test('settles transactions that are over, and no others', () => {
    fc.assert(
      fc.property(positions, snapshots, (position, snapshot) => {
        const open = position.open.filter(({ txid }) => snapshot.open.some((still) => still.txid === txid));
        expect(settled(position, snapshot)).toStrictEqual({ next: position.next, open });
      }),
    );
  });

  test('cut to fewer open transactions stays before itself', () => {
    fc.assert(
      fc.property(positions, fc.nat({ max: 10 }), (position, limit) => {
        const cut = withAtMostOpen(position, limit);
        expect(cut.open.length).toBeLessThanOrEqual(limit);
        expect(covers(position, cut)).toBe(true);
        if (position.open.length <= limit) expect(cut).toBe(position);
      }),
    );
  });
});

function comesNotAfter(one: Place, other: Place): boolean {
  return one.txid < other.txid || (one.txid === other.txid && one.seq <= other.seq);
}
