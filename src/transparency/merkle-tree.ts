/**
 * The Merkle tree of a log: RFC 9162, section 2.1, over SHA-256. Hashes of leaves and of inner nodes are told apart by their
 * first byte, so that no entry can pass for a part of the tree.
 *
 * A proof is a list of ranges of leaves, each of which has one hash. So whoever has the hashes of subtrees, wherever they are
 * kept, can make every proof.
 */
import { hash as digest } from 'node:crypto';

/** The 32 bytes of SHA-256. */
export type Hash = Buffer;

export const hashBytes = 32;

/** The leaves from `start` up to but without `end`, counted from 0. */
export type Range = { readonly start: number; readonly end: number };

/** A complete subtree: that of the 2 ** `level` leaves from `index` * 2 ** `level` on. */
export type Subtree = { readonly level: number; readonly index: number };

const leafPrefix = Buffer.of(0x00);
const nodePrefix = Buffer.of(0x01);

const sha256 = (data: Uint8Array): Hash => digest('sha256', data, 'buffer');

/** The root of a tree without leaves. */
export const emptyRoot: Hash = sha256(Buffer.alloc(0));

export function leafHash(entry: Uint8Array): Hash {
  return sha256(Buffer.concat([leafPrefix, entry]));
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return sha256(Buffer.concat([nodePrefix, left, right]));
}

/** The complete subtrees that a range of a proof, or a whole tree, is made of, from left to right. */
export function subtreesOf({ start, end }: Range): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let from = start; from < end; ) {
    const level = Math.floor(Math.log2(end - from));
    subtrees.push({ level, index: from / 2 ** level });
    from += 2 ** level;
  }
  return subtrees;
}

/** The hash of a range, from those of its subtrees. */
export function rangeHash(range: Range, hashOf: (subtree: Subtree) => Hash): Hash {
  return joined(subtreesOf(range).map(hashOf));
}

/** The hash of subtrees that follow each other, the larger ones first. */
export function joined(hashes: readonly Hash[]): Hash {
  return hashes.length === 0 ? emptyRoot : hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** The ranges whose hashes prove that the leaf is in the tree of this size, its sibling first. */
export function inclusionRanges(leaf: number, size: number): Range[] {
  if (!(leaf >= 0 && leaf < size)) throw new RangeError(`A tree of ${size} leaves has no leaf ${leaf}`);
  return rangesBeside({ start: leaf, end: leaf + 1 }, size);
}

/**
 * The ranges whose hashes lead from the hash of a node, which covers these leaves, to the root: its sibling first. The leaves
 * must be those of a leaf, of a complete subtree, or of a part at the right edge.
 */
export function rangesBeside(node: Range, size: number): Range[] {
  const ranges: Range[] = [];
  for (let { start, end } = { start: 0, end: size }; start < node.start || end > node.end; ) {
    const middle = start + splitOf(end - start);
    if (node.start < middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  return ranges;
}

/** The ranges whose hashes prove that the tree of the first size is the beginning of the tree of the second. */
export function consistencyRanges(first: number, second: number): Range[] {
  if (!(first >= 1 && first <= second))
    throw new RangeError(`A tree of ${first} leaves is not the beginning of one of ${second}`);
  const ranges: Range[] = [];
  let { start, end } = { start: 0, end: second };
  while (first < end) {
    const middle = start + splitOf(end - start);
    if (first <= middle) {
      ranges.unshift({ start: middle, end });
      end = middle;
    } else {
      ranges.unshift({ start, end: middle });
      start = middle;
    }
  }
  // The first tree itself is known to whoever verifies; its last part is not.
  return start === 0 ? ranges : [{ start, end }, ...ranges];
}

/** The greatest power of two below the size: where a tree is divided. */
function splitOf(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}

/** The root that follows from the hash of a node and the hashes beside it; null if these are too many or too few. */
export function rootAbove(node: Range, size: number, hash: Hash, path: readonly Hash[]): Hash | null {
  const ranges = rangesBeside(node, size);
  if (ranges.length !== path.length) return null;
  return ranges.reduce((reached, { start }, at) => {
    const sibling = path[at] as Hash;
    return start < node.start ? nodeHash(sibling, reached) : nodeHash(reached, sibling);
  }, hash);
}

export type Inclusion = {
  readonly leaf: number;
  readonly leafHash: Hash;
  readonly size: number;
  readonly root: Hash;
};

/** Whether the hashes prove that the leaf is in the tree with the root. RFC 9162, section 2.1.3.2. */
export function provesInclusion(
  { leaf, leafHash: hashed, size, root }: Inclusion,
  path: readonly Hash[],
): boolean {
  if (leaf >= size) return false;
  let place = { node: leaf, last: size - 1 };
  let hash = hashed;
  for (const sibling of path) {
    if (place.last === 0) return false;
    if (isRight(place)) {
      hash = nodeHash(sibling, hash);
      place = aboveLeftEdges(place);
    } else {
      hash = nodeHash(hash, sibling);
    }
    place = above(place);
  }
  return place.last === 0 && hash.equals(root);
}

export type TreeHead = { readonly size: number; readonly root: Hash };

/** Whether the hashes prove that the first tree is the beginning of the second. RFC 9162, section 2.1.4.2. */
export function provesConsistency(first: TreeHead, second: TreeHead, path: readonly Hash[]): boolean {
  if (first.size > second.size) return false;
  if (first.size === 0) return path.length === 0 && first.root.equals(emptyRoot);
  if (first.size === second.size) return path.length === 0 && first.root.equals(second.root);
  const [seed, ...others] = Number.isInteger(Math.log2(first.size)) ? [first.root, ...path] : path;
  if (path.length === 0 || seed === undefined) return false;
  let place = { node: first.size - 1, last: second.size - 1 };
  while (place.node % 2 === 1) place = above(place);
  let [ofFirst, ofSecond] = [seed, seed];
  for (const sibling of others) {
    if (place.last === 0) return false;
    if (isRight(place)) {
      ofFirst = nodeHash(sibling, ofFirst);
      ofSecond = nodeHash(sibling, ofSecond);
      place = aboveLeftEdges(place);
    } else {
      ofSecond = nodeHash(ofSecond, sibling);
    }
    place = above(place);
  }
  return place.last === 0 && ofFirst.equals(first.root) && ofSecond.equals(second.root);
}

/** A node at some level of the tree, and the last one there, counted from 0. */
type Place = { readonly node: number; readonly last: number };

/** Whether the node is joined with one to its left: also the last one, which may have been raised to this level. */
const isRight = ({ node, last }: Place): boolean => node % 2 === 1 || node === last;

const above = ({ node, last }: Place): Place => ({ node: Math.floor(node / 2), last: Math.floor(last / 2) });

/** Up past the levels at which the last node has nothing to be joined with. */
function aboveLeftEdges(place: Place): Place {
  let reached = place;
  while (reached.node % 2 === 0 && reached.node !== 0) reached = above(reached);
  return reached;
}
