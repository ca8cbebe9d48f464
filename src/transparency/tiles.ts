/**
 * How the hashes and the entries of a log are cut into files: C2SP tlog-tiles, https://c2sp.org/tlog-tiles. A tile has up to
 * 256 hashes, those of level 0 of leaves and the others of full tiles one level below. It grows to the right and never
 * changes, so every earlier state of a tile is its beginning.
 */
import { type Hash, hashBytes, joined, nodeHash, type Range, type Subtree } from './merkle-tree.ts';

const heightOfTile = 8;

/** How many hashes a full tile has. */
export const tileWidth = 2 ** heightOfTile;

/** Which tile: from left to right within its level, both counted from 0. */
export type TileId = { readonly level: number; readonly index: number };

/** What is asked for by a path: the tile of hashes, or the bundle of the entries, in the width that it once had. */
export type TileRequest = {
  /** Null: the entries themselves. */
  readonly level: number | null;
  readonly index: number;
  readonly width: number;
};

/** How many hashes a tile has in a tree of this size: 0 if it is not there. */
export function widthOf({ level, index }: TileId, size: number): number {
  const nodes = Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, nodes - index * tileWidth));
}

/** The path below the prefix of the log: `tile/0/x001/234`, `tile/entries/000.p/7`. */
export function tilePath({ level, index, width }: TileRequest): string {
  const partial = width === tileWidth ? '' : `.p/${width}`;
  return `tile/${level ?? 'entries'}/${pathOfIndex(index)}${partial}`;
}

function pathOfIndex(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** What a path asks for; null for what no log has. Each tile has one path. */
export function parseTilePath(path: string): TileRequest | null {
  const [, of = '', groups = '', partial] =
    /^tile\/(entries|\d|[1-5]\d|6[0-3])\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path) ?? [];
  const request = {
    level: of === 'entries' ? null : Number(of),
    index: Number(groups.replaceAll(/\D/g, '')),
    width: partial === undefined ? tileWidth : Number(partial),
  };
  return of !== '' && tilePath(request) === path ? request : null;
}

/** The tile that has the hash of a subtree, or from whose hashes it follows. */
export function tileWith({ level, index }: Subtree): TileId {
  const tileLevel = Math.floor(level / heightOfTile);
  const inTile = 2 ** (heightOfTile - (level % heightOfTile));
  return { level: tileLevel, index: Math.floor(index / inTile) };
}

/** The hash of a subtree, from the tile of {@link tileWith}. */
export function hashInTile({ level, index }: Subtree, tile: Buffer): Hash {
  const width = 2 ** (level % heightOfTile);
  const from = (index * width) % tileWidth;
  const hashes = hashesOf(tile).slice(from, from + width);
  if (hashes.length < width) throw new Error(`A tile lacks hashes of subtree ${index} at level ${level}`);
  return rootOfComplete(hashes);
}

/** The hashes of a tile. */
export function hashesOf(tile: Buffer): Hash[] {
  return Array.from({ length: tile.length / hashBytes }, (_, at) =>
    tile.subarray(at * hashBytes, (at + 1) * hashBytes),
  );
}

/** The root above as many hashes as a power of two. */
function rootOfComplete(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1)
    row = Array.from({ length: row.length / 2 }, (_, at) =>
      nodeHash(row[2 * at] as Hash, row[2 * at + 1] as Hash),
    );
  return row[0] as Hash;
}

/**
 * The tiles at the right edge of a tree: what it takes to know its root, and to append to it. Those that are full are
 * represented one level above.
 */
export type Edge = {
  readonly size: number;
  /** The hashes of the partial tile of each level, from level 0 on. */
  readonly partial: readonly Buffer[];
};

export const emptyEdge: Edge = { size: 0, partial: [] };

/** The partial tiles that the edge of a tree of this size has, and their widths. */
export function edgeTiles(size: number): (TileId & { readonly width: number })[] {
  const tiles: (TileId & { width: number })[] = [];
  for (let [level, nodes] = [0, size]; nodes > 0; level += 1, nodes = Math.floor(nodes / tileWidth))
    tiles.push({ level, index: Math.floor(nodes / tileWidth), width: nodes % tileWidth });
  return tiles;
}

/** The root of the tree. */
export function rootOf({ partial }: Edge): Hash {
  return joined(partial.toReversed().flatMap((tile) => completeSubtrees(hashesOf(tile))));
}

/** The hash of the node that covers a tile: what a full tile is one level above. */
export function hashOfTile(hashes: readonly Hash[]): Hash {
  return joined(completeSubtrees(hashes));
}

/** The leaves that a tile of level 0 covers in a tree of this size. */
export function leavesOfTile(index: number, size: number): Range {
  const start = index * tileWidth;
  return { start, end: start + widthOf({ level: 0, index }, size) };
}

/** The roots of the complete subtrees above hashes that begin a tile, the larger ones first. */
function completeSubtrees(hashes: readonly Hash[]): Hash[] {
  const roots: Hash[] = [];
  for (let from = 0; from < hashes.length; ) {
    const width = 2 ** Math.floor(Math.log2(hashes.length - from));
    roots.push(rootOfComplete(hashes.slice(from, from + width)));
    from += width;
  }
  return roots;
}

/** A tile that has grown: all of its hashes, and how many of them it had before. */
export type GrownTile = TileId & { readonly hashes: Buffer; readonly before: number };

/** Appends leaves. Costs what is appended and the height of the tree, however large that is. */
export function appendLeaves(edge: Edge, leaves: readonly Hash[]): { edge: Edge; grown: GrownTile[] } {
  const partial: Buffer[] = [];
  const grown: GrownTile[] = [];
  let added = leaves;
  let nodes = edge.size;
  for (let level = 0; level < edge.partial.length || added.length > 0; level += 1) {
    const kept = edge.partial[level] ?? Buffer.alloc(0);
    const all = Buffer.concat([kept, ...added]);
    const first = Math.floor(nodes / tileWidth);
    const tiles = Array.from({ length: Math.ceil(all.length / bytesOfTile) }, (_, at) =>
      all.subarray(at * bytesOfTile, (at + 1) * bytesOfTile),
    );
    if (added.length > 0)
      grown.push(
        ...tiles.map((hashes, at) => {
          return { level, index: first + at, hashes, before: at === 0 ? kept.length / hashBytes : 0 };
        }),
      );
    const full = tiles.filter((tile) => tile.length === bytesOfTile);
    partial.push(all.subarray(full.length * bytesOfTile));
    added = full.map((tile) => rootOfComplete(hashesOf(tile)));
    nodes = first;
  }
  return { edge: { size: edge.size + leaves.length, partial }, grown };
}

const bytesOfTile = tileWidth * hashBytes;

/** The most bytes of an entry in a bundle: its length has two. */
const maxEntryBytes = 65_535;

/** A bundle of entries: each after its length. Null if one of them is too large for that. */
export function entryBundle(entries: readonly Buffer[]): Buffer | null {
  if (entries.some(({ length }) => length > maxEntryBytes)) return null;
  return Buffer.concat(
    entries.flatMap((entry) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}
