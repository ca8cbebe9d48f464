import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyRanges,
  emptyRoot,
  type Hash,
  inclusionRanges,
  leafHash,
  nodeHash,
  provesConsistency,
  provesInclusion,
  type Range,
  rangeHash,
  type Subtree,
} from '../../src/transparency/merkle-tree.ts';

/** The definition of RFC 9162, section 2.1.1, word for word. */
function naiveRoot(leaves: readonly Hash[]): Hash {
  const [only] = leaves;
  if (only === undefined) return emptyRoot;
  if (leaves.length === 1) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

const leavesOf = (size: number): Hash[] =>
  Array.from({ length: size }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));
const allLeaves = leavesOf(600);

const subtreeHash = ({ level, index }: Subtree): Hash =>
  naiveRoot(allLeaves.slice(index * 2 ** level, (index + 1) * 2 ** level));
const hashOf = (range: Range): Hash => rangeHash(range, subtreeHash);
const headOf = (size: number) => ({ size, root: naiveRoot(allLeaves.slice(0, size)) });

/** Roots that other implementations publish for these leaves. */
test('the roots are those of the test vectors of Certificate Transparency', () => {
  const leaves = [
    ...['', '00', '10', '2021', '3031', '40414243', '5051525354555657'],
    '606162636465666768696a6b6c6d6e6f',
  ].map((hex) => leafHash(Buffer.from(hex, 'hex')));
  const roots = leaves.map((_, at) =>
    rangeHash({ start: 0, end: at + 1 }, ({ level, index }) =>
      naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
    ).toString('hex'),
  );
  expect(emptyRoot.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(roots).toEqual([
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]);
});

/** Section 2.1.5 of RFC 9162: its tree of seven leaves, and its trees of three, four and six. */
test('the proofs are those of the example in the RFC', () => {
  const range = (start: number, end: number): Range => ({ start, end });
  const [b, c, f, g] = [range(1, 2), range(2, 3), range(5, 6), range(0, 2)];
  const [h, i, j, k, l, d] = [range(2, 4), range(4, 6), range(6, 7), range(0, 4), range(4, 7), range(3, 4)];
  expect(inclusionRanges(0, 7)).toEqual([b, h, l]);
  expect(inclusionRanges(3, 7)).toEqual([c, g, l]);
  expect(inclusionRanges(4, 7)).toEqual([f, j, k]);
  expect(inclusionRanges(6, 7)).toEqual([i, k]);
  expect(consistencyRanges(3, 7)).toEqual([c, d, g, l]);
  expect(consistencyRanges(4, 7)).toEqual([l]);
  expect(consistencyRanges(6, 7)).toEqual([i, j, k]);
  expect(consistencyRanges(7, 7)).toEqual([]);
  expect(inclusionRanges(4, 5)).toEqual([k]);
});

const sizes = fc.integer({ min: 1, max: allLeaves.length });

test('every proof verifies, and the root is that of the definition', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), (size, a, b) => {
      const [leaf, earlier] = [a % size, 1 + (b % size)];
      const head = headOf(size);
      expect(hashOf({ start: 0, end: size })).toEqual(head.root);
      const inclusion = { leaf, leafHash: allLeaves[leaf] as Hash, ...head };
      expect(provesInclusion(inclusion, inclusionRanges(leaf, size).map(hashOf))).toBe(true);
      const consistency = consistencyRanges(earlier, size).map(hashOf);
      expect(provesConsistency(headOf(earlier), head, consistency)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

const otherHash = leafHash(Buffer.from('another'));

/** The proof with one hash changed, left out, or one too many. */
const damaged = (path: readonly Hash[], at: number): Hash[][] => [
  ...(path.length === 0 ? [] : [path.with(at % path.length, otherHash), path.toSpliced(at % path.length, 1)]),
  [...path, otherHash],
];

describe('what is not so is not proved', () => {
  test('another entry, another place, another root, another proof', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, a, at) => {
        const leaf = a % size;
        const good = { leaf, leafHash: allLeaves[leaf] as Hash, ...headOf(size) };
        const path = inclusionRanges(leaf, size).map(hashOf);
        expect(provesInclusion({ ...good, leafHash: otherHash }, path)).toBe(false);
        expect(provesInclusion({ ...good, root: otherHash }, path)).toBe(false);
        if (size > 1) expect(provesInclusion({ ...good, leaf: (leaf + 1) % size }, path)).toBe(false);
        for (const bad of damaged(path, at)) expect(provesInclusion(good, bad)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  test('another beginning, another log, a log that was cut', () => {
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (size, b, at) => {
        const [first, second] = [headOf(1 + (b % size)), headOf(size)];
        const path = consistencyRanges(first.size, size).map(hashOf);
        expect(provesConsistency({ ...first, root: otherHash }, second, path)).toBe(false);
        expect(provesConsistency(first, { ...second, root: otherHash }, path)).toBe(false);
        if (first.size < size) expect(provesConsistency(second, first, path)).toBe(false);
        for (const bad of damaged(path, at)) expect(provesConsistency(first, second, bad)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  test('leaves and trees that are not there have no proofs', () => {
    expect(() => inclusionRanges(7, 7)).toThrow('A tree of 7 leaves has no leaf 7');
    expect(() => consistencyRanges(8, 7)).toThrow('A tree of 8 leaves is not the beginning of one of 7');
    expect(() => consistencyRanges(0, 7)).toThrow(RangeError);
    expect(provesInclusion({ leaf: 7, leafHash: otherHash, size: 7, root: otherHash }, [])).toBe(false);
  });
});
