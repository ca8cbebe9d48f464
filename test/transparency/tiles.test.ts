import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyRanges,
  type Hash,
  leafHash,
  provesConsistency,
  rangeHash,
  type Subtree,
} from '../../src/transparency/merkle-tree.ts';
import {
  appendLeaves,
  type Edge,
  edgeTiles,
  emptyEdge,
  entryBundle,
  hashInTile,
  parseTilePath,
  rootOf,
  tilePath,
  tileWidth,
  tileWith,
  widthOf,
} from '../../src/transparency/tiles.ts';

describe('paths', () => {
  test.each([
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/1/000', { level: 1, index: 0, width: 256 }],
    ['tile/63/999.p/255', { level: 63, index: 999, width: 255 }],
    ['tile/entries/x001/000.p/7', { level: null, index: 1_000, width: 7 }],
  ])('%s', (path, request) => {
    expect(tilePath(request)).toBe(path);
    expect(parseTilePath(path)).toEqual(request);
  });

  test.each([
    ...['tile/0/1', 'tile/0/x000/001', 'tile/00/001', 'tile/64/001', 'tile/-1/001', 'tile/0/001.p/0'],
    ...[
      'tile/0/001.p/256',
      'tile/0/001.p/07',
      'tile/0/001/002',
      'tile/x/001',
      '',
      'tile/0/001.p/',
      'tile/data/001',
    ],
    'tile/0/x111/x111/x111/x111/x111/x111/111',
  ])('%s is none', (path) => {
    expect(parseTilePath(path)).toBeNull();
  });
});

/** The example of tlog-tiles, and the one that it gives for 256 entries. */
test('a tree of 70,000 entries has the tiles of the specification', () => {
  expect(edgeTiles(70_000)).toEqual([
    { level: 0, index: 273, width: 112 },
    { level: 1, index: 1, width: 17 },
    { level: 2, index: 0, width: 1 },
  ]);
  expect(edgeTiles(256)).toEqual([
    { level: 0, index: 1, width: 0 },
    { level: 1, index: 0, width: 1 },
  ]);
  const widths = (level: number, ...indexes: number[]) =>
    indexes.map((index) => widthOf({ level, index }, 70_000));
  expect(widths(0, 0, 272, 273, 274)).toEqual([256, 256, 112, 0]);
  expect(widths(1, 0, 1, 2)).toEqual([256, 17, 0]);
  expect(widths(2, 0, 1)).toEqual([1, 0]);
});

/** What a log keeps of its tiles. */
function createTiles() {
  const kept = new Map<string, Buffer>();
  let edge: Edge = emptyEdge;
  return {
    append(leaves: readonly Hash[]) {
      const { edge: next, grown } = appendLeaves(edge, leaves);
      for (const { level, index, hashes, before } of grown) {
        const known = kept.get(`${level}/${index}`) ?? Buffer.alloc(0);
        expect(known.length).toBe(before * 32);
        expect(hashes.subarray(0, known.length)).toEqual(known);
        kept.set(`${level}/${index}`, hashes);
      }
      edge = next;
      return grown.length;
    },
    edge: () => edge,
    /** What a gateway reads to go on. */
    readEdge: (size: number): Edge => ({
      size,
      partial: edgeTiles(size).map(({ level, index, width }) =>
        (kept.get(`${level}/${index}`) ?? Buffer.alloc(0)).subarray(0, width * 32),
      ),
    }),
    hashOf(subtree: Subtree): Hash {
      const { level, index } = tileWith(subtree);
      return hashInTile(subtree, kept.get(`${level}/${index}`) as Buffer);
    },
  };
}

const leaves = Array.from({ length: 66_000 }, (_, at) => leafHash(Buffer.from(String(at))));

test('a log that grows in batches has the tiles of one that came at once, and proves each of its states', () => {
  const batches = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(batches, (sizesOfBatches) => {
      const tiles = createTiles();
      const heads = [{ size: 0, root: rootOf(emptyEdge) }];
      let size = 0;
      for (const more of sizesOfBatches) {
        tiles.append(leaves.slice(size, size + more));
        size += more;
        expect(tiles.readEdge(size)).toEqual(tiles.edge());
        heads.push({ size, root: rootOf(tiles.edge()) });
        expect(rangeHash({ start: 0, end: size }, tiles.hashOf)).toEqual(rootOf(tiles.edge()));
      }
      const last = heads.at(-1) as { size: number; root: Hash };
      expect(rootOf(appendLeaves(emptyEdge, leaves.slice(0, size)).edge)).toEqual(last.root);
      for (const head of heads.slice(1)) {
        const proof = consistencyRanges(head.size, size).map((range) => rangeHash(range, tiles.hashOf));
        expect(provesConsistency(head, last, proof)).toBe(true);
        expect(rootOf(tiles.readEdge(head.size))).toEqual(head.root);
      }
    }),
    { numRuns: 5 },
  );
});

test('appending to a long log touches few tiles', () => {
  const tiles = createTiles();
  tiles.append(leaves.slice(0, 65_535));
  expect(tiles.append(leaves.slice(65_535, 65_536))).toBe(3);
  expect(tiles.append(leaves.slice(65_536, 65_537))).toBe(1);
  expect(tiles.append(leaves.slice(65_537, 65_537 + tileWidth))).toBe(3);
});

test('a bundle has its entries, each after its length', () => {
  const bundle = entryBundle([Buffer.from('{}'), Buffer.alloc(0), Buffer.alloc(300, 'x')]);
  expect(bundle?.subarray(0, 8)).toEqual(Buffer.from([0, 2, 0x7b, 0x7d, 0, 0, 1, 0x2c]));
  expect(bundle?.length).toBe(2 + 2 + 2 + 2 + 300);
  expect(entryBundle([Buffer.alloc(65_535)])?.length).toBe(65_537);
  expect(entryBundle([Buffer.alloc(65_536)])).toBeNull();
});
