import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMoments, parseLsn } from '../../src/platform/replica-lag.ts';

const at = (lsn: bigint, history = 'cluster/1') => ({ history, lsn });

test('a replica that has all of a quiet primary is not behind, however long ago the last commit was', () => {
  const moments = createMoments(60_000);
  for (let moment = 0; moment <= 50_000; moment += 1_000) moments.note(moment, at(500n));
  expect(moments.reachedBy(at(500n))).toBe(50_000);
  expect(moments.reachedBy(at(499n))).toBeNull();
});

test('what a replica has is told by the last moment that it has reached', () => {
  const moments = createMoments(60_000);
  for (const [moment, lsn] of [
    [1_000, 100n],
    [2_000, 200n],
    [3_000, 300n],
  ] as const)
    moments.note(moment, at(lsn));
  const reached = ([99n, 100n, 199n, 200n, 301n] as const).map((lsn) => moments.reachedBy(at(lsn)));
  expect(reached).toEqual([null, 1_000, 1_000, 2_000, 3_000]);
});

test('another cluster, and the same one after a failover, has nothing in common, however far it is', () => {
  const moments = createMoments(60_000);
  moments.note(1_000, at(100n));
  expect(moments.reachedBy(at(900n, 'other/1'))).toBeNull();
  moments.note(2_000, at(90n, 'cluster/2'));
  // It has followed the former primary further than the new one has come.
  expect(moments.reachedBy(at(100n))).toBeNull();
  expect(moments.reachedBy(at(90n, 'cluster/2'))).toBe(2_000);
});

test('moments are forgotten', () => {
  const moments = createMoments(10_000);
  moments.note(0, at(100n));
  moments.note(10_001, at(200n));
  expect(moments.reachedBy(at(150n))).toBeNull();
});

/** A primary writes all the time, and a replica follows: what it is said to have, it has. */
test('nothing is said to be there that is not, whatever happens when', () => {
  const step = fc.record({
    ms: fc.integer({ min: 1, max: 3_000 }),
    written: fc.bigInt({ min: 0n, max: 3n }),
    replayed: fc.bigInt({ min: 0n, max: 3n }),
    isNoted: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const moments = createMoments(20_000);
      const commits: { moment: number; lsn: bigint }[] = [];
      let [now, primary, replica] = [0, 0n, 0n];
      for (const { ms, written, replayed, isNoted } of steps) {
        now += ms;
        for (let n = 0n; n < written; n += 1n) {
          primary += 1n;
          commits.push({ moment: now, lsn: primary });
        }
        if (isNoted) moments.note(now + 1, at(primary));
        now += 2;
        replica = replica + replayed < primary ? replica + replayed : primary;
        const reached = moments.reachedBy(at(replica));
        if (reached === null) continue;
        const missing = commits.filter(({ moment, lsn }) => moment < reached && lsn > replica);
        expect(missing).toEqual([]);
      }
    }),
    { numRuns: 200 },
  );
});

test('places in the log are numbers', () => {
  expect(parseLsn('0/0')).toBe(0n);
  expect(parseLsn('16/B374D848')).toBe(0x16_b374_d848n);
  expect(parseLsn('1/0') - parseLsn('0/FFFFFFFF')).toBe(1n);
  for (const text of ['', '16', '16/', 'x/1', '1/2/3'])
    expect(() => parseLsn(text)).toThrow('no place in the log');
});
