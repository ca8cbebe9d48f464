/**
 * Verifies what was downloaded of an audit log, without a server: docs/audit.md#proving says which lines a file has. Whoever
 * trusts the key of the log learns which entry is the first that is not as it was sealed.
 */
import { type Checkpoint, decodeHash, parseCheckpoint } from '../transparency/checkpoint.ts';
import { openInclusionProof, parseInclusionProof } from '../transparency/inclusion-proof.ts';
import { type Hash, hashBytes, leafHash, rootAbove } from '../transparency/merkle-tree.ts';
import { NoteError, openNote, parseNote, type Verifier } from '../transparency/signed-note.ts';
import {
  appendLeaves,
  type Edge,
  edgeTiles,
  emptyEdge,
  hashesOf,
  hashOfTile,
  leavesOfTile,
  rootOf,
  tileWidth,
} from '../transparency/tiles.ts';
import { type AuditRecord, leafOf } from './record.ts';
import type { RemovedLine } from './removed-line.ts';

/** The file does not hold what was sealed. The message says what is wrong, first of all with which entry. */
export class NotProvedError extends Error {
  override readonly name = 'NotProvedError';
}

/** The hashes of the entries that come next in the file, and how their hash leads to the root of the head before. */
type TileLine = { readonly index: number; readonly hashes: string; readonly path: readonly string[] };

/** What a grant's story says of itself. */
type GrantLine = {
  readonly id: string;
  /** How many sealed entries of the grant are in the file. */
  readonly entries: number;
  /** Whether the grant has no other entries: none that is not sealed yet or was removed, and none in another file. */
  readonly isWhole: boolean;
  /** Up to which position the log was removed, and entries of the grant with it. Left out: none was. */
  readonly removedThrough?: number;
};

export type Line =
  | { readonly checkpoint: string }
  | { readonly removed: RemovedLine }
  | { readonly tile: TileLine }
  | { readonly inclusionProof: string }
  | { readonly grant: GrantLine }
  | AuditRecord;

export type Proved = {
  /** The positions of the entries that follow each other; null: each is proved by itself. */
  readonly entries: { readonly first: number; readonly last: number } | null;
  /** The entries up to this position were removed from the log, as the file says; 0: none was. */
  readonly removedThrough: number;
  /** The sizes of the heads that were not compared, since entries that they state are not in the file. */
  readonly notCompared: readonly number[];
  /** How many are proved by themselves. */
  readonly alone: number;
  readonly grant: GrantLine | null;
  /** The last head. */
  readonly head: Checkpoint;
};

const hashOf = (record: AuditRecord): Hash => leafHash(leafOf(record));

/** The line, read. @throws NotProvedError */
export function parseLine(text: string, number: number): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  const line = value as Partial<Record<string, unknown>> | null;
  const isKnown =
    typeof line === 'object' &&
    line !== null &&
    (typeof line['checkpoint'] === 'string' ||
      typeof line['inclusionProof'] === 'string' ||
      isObject(line['removed']) ||
      isObject(line['tile']) ||
      isObject(line['grant']) ||
      Number.isSafeInteger(line['position']));
  if (!isKnown) throw new NotProvedError(`Line ${number} is not one of a file of an audit log.`);
  return value as Line;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** What heads say, once they are signed with one of the keys; without keys, nobody knows who has signed them. */
export function createHeads(verifiers: readonly Verifier[] | null) {
  const heads = new Map<number, Checkpoint>();
  return {
    /** @throws NotProvedError if it is not signed, or of another log or history than one before */
    add(note: string): Checkpoint {
      const head = explained('A head in the file', () =>
        parseCheckpoint(verifiers === null ? parseNote(note).text : openNote(note, verifiers)),
      );
      const [known] = heads.values();
      if (known !== undefined && known.origin !== head.origin)
        throw new NotProvedError(`The file has heads of two logs: ${known.origin} and ${head.origin}.`);
      const same = heads.get(head.size);
      if (same !== undefined && !same.root.equals(head.root))
        throw new NotProvedError(
          `There are two different heads of ${head.size} entries: the log has two histories.`,
        );
      heads.set(head.size, head);
      return head;
    },
    inOrder: (): Checkpoint[] => [...heads.values()].sort((a, b) => a.size - b.size),
  };
}

function explained<Result>(what: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new NotProvedError(`${what} cannot be trusted. ${error.message}`);
  }
}

/**
 * Reads the lines of a file one after the other, in memory that does not grow with it.
 *
 * @param heads all heads of the file, and those that were kept elsewhere, in order
 */
export function createProof(heads: readonly Checkpoint[], verifiers: readonly Verifier[] | null) {
  /** The position that comes next, once there was one. */
  let next: number | null = null;
  let first = 1;
  /** The tree of the entries so far, as long as they begin with the first one, or with the hashes of what was removed. */
  let edge: Edge | null = emptyEdge;
  const ahead = [...heads];
  let lastGood = 0;
  let removedThrough = 0;
  const notCompared: number[] = [];
  let head: Checkpoint | null = null;
  let tile: { readonly start: number; readonly hashes: readonly Hash[] } | null = null;
  /** The records of the tile; without one, the last record, since its proof may come next. */
  let waiting: AuditRecord[] = [];
  let alone = 0;
  let grant: GrantLine | null = null;

  /** Goes on with the hashes of the entries from `start` on, as far as they are new, and compares every head that is reached. */
  function goOn(start: number, hashes: readonly Hash[]): void {
    if (next === null) {
      first = start;
      if (start !== 1) edge = null;
      next = start;
    }
    if (start > next) throw missing(next, start - 1);
    let added = hashes.slice(next - start);
    next = Math.max(next, start + hashes.length);
    while (edge !== null && added.length > 0) {
      const [coming] = ahead;
      const until: number = coming === undefined ? added.length : coming.size - edge.size;
      edge = appendLeaves(edge, added.slice(0, until)).edge;
      added = added.slice(until);
      if (edge.size !== coming?.size) continue;
      if (!rootOf(edge).equals(coming.root)) throw notSealed(lastGood + 1, coming.size);
      lastGood = coming.size;
      ahead.shift();
    }
  }

  /** Begins after what was removed: with the hashes of it, which the next head has to confirm. */
  function beginAfter({ through, hashes }: RemovedLine): void {
    if (next !== null) {
      // Nothing is removed between entries of a file.
      if (through >= next) throw missing(next, through);
      return;
    }
    const partial = Array.isArray(hashes)
      ? hashes.map((encoded) => Buffer.from(String(encoded), 'base64'))
      : [];
    const tiles = Number.isSafeInteger(through) && through > 0 ? edgeTiles(through) : [];
    const isWhole = tiles.every(({ width }, level) => partial[level]?.length === width * hashBytes);
    if (tiles.length === 0 || partial.length !== tiles.length || !isWhole)
      throw new NotProvedError(
        'The file says that entries were removed, without the hashes that lead from these to the head.',
      );
    [removedThrough, first, next] = [through, through + 1, through + 1];
    edge = { size: through, partial };
    for (let [coming] = ahead; coming !== undefined && coming.size <= through; [coming] = ahead) {
      if (coming.size < through) notCompared.push(coming.size);
      else if (!rootOf(edge).equals(coming.root)) throw notSealed(1, through);
      ahead.shift();
    }
  }

  function openTile({ index, hashes: encoded, path: encodedPath }: TileLine): void {
    if (head === null) throw new NotProvedError('The file has hashes before the head to which they lead.');
    const hashes = hashesOf(Buffer.from(encoded, 'base64'));
    const path = encodedPath.map(decodeHash);
    const leaves = leavesOfTile(index, head.size);
    const isWhole = hashes.length > 0 && leaves.end - leaves.start === hashes.length;
    const root =
      isWhole && path.every((hash) => hash !== null)
        ? rootAbove(leaves, head.size, hashOfTile(hashes), path)
        : null;
    if (root?.equals(head.root) !== true)
      throw notSealed(index * tileWidth + 1, index * tileWidth + tileWidth);
    tile = { start: leaves.start + 1, hashes };
  }

  /** Compares what came since the last head or hashes. */
  function close(): void {
    const records = waiting;
    waiting = [];
    if (tile !== null) {
      const { start, hashes } = tile;
      tile = null;
      if (next !== null && start > next) throw missing(next, start - 1);
      const removed = Math.max(0, removedThrough - start + 1);
      compare(records, start + removed, hashes.slice(removed));
      goOn(start, hashes);
    } else for (const record of records) goOnWith(record);
  }

  function goOnWith(record: AuditRecord): void {
    if (next !== null && record.position < next)
      throw new NotProvedError(
        `Entry ${record.position} is not at its place: it comes after entry ${next - 1} (${described(record)}).`,
      );
    goOn(record.position, [hashOf(record)]);
    if (edge === null)
      throw new NotProvedError(
        `Nothing in the file proves entry ${record.position} (${described(record)}): neither hashes nor the entries before it.`,
      );
  }

  function proveAlone(text: string): void {
    const record = waiting.pop();
    if (record === undefined) throw new NotProvedError('The file has a proof without an entry before it.');
    explained(`Entry ${record.position} (${described(record)})`, () => {
      const keys = verifiers;
      const { leaf, head: proved } =
        keys === null ? openUnsigned(text, hashOf(record)) : openInclusionProof(text, hashOf(record), keys);
      if (leaf !== record.position - 1) throw new NoteError('The proof is that of another place in the log.');
      if (
        !heads.some(
          ({ origin, size, root }) =>
            origin === proved.origin && size === proved.size && root.equals(proved.root),
        )
      )
        throw new NoteError('The proof is that of another head than the one in the file.');
    });
    if (grant !== null && record.grantId !== grant.id)
      throw new NotProvedError(`Entry ${record.position} (${described(record)}) is not one of this grant.`);
    alone += 1;
  }

  return {
    /** @throws NotProvedError */
    read(line: Line): void {
      if ('checkpoint' in line) {
        close();
        const { size } = parseCheckpoint(parseNote(line.checkpoint).text);
        head = heads.find((one) => one.size === size) ?? null;
      } else if ('removed' in line) {
        close();
        beginAfter(line.removed);
      } else if ('tile' in line) {
        close();
        openTile(line.tile);
      } else if ('grant' in line) {
        grant = line.grant;
      } else if ('inclusionProof' in line) {
        proveAlone(line.inclusionProof);
      } else {
        if (tile === null) close();
        waiting.push(line);
      }
    },

    /** @throws NotProvedError if something is missing at the end */
    end(): Proved {
      close();
      const last = heads.at(-1);
      if (last === undefined)
        throw new NotProvedError('The file has no signed head: nothing in it can be proved.');
      if (grant !== null && grant.entries !== alone)
        throw new NotProvedError(
          `The file should have ${grant.entries} sealed entries of the grant, and has ${alone}.`,
        );
      if (next !== null && next <= last.size)
        throw new NotProvedError(
          `The entries from ${next} on are missing: the log was truncated, or the file was. Its head says that there are ${last.size}.`,
        );
      if (next === null && alone === 0 && grant === null && last.size > 0) throw missing(1, last.size);
      if (next !== null && next - 1 > last.size)
        throw new NotProvedError(
          `The entries from ${last.size + 1} on are not sealed by a head in the file.`,
        );
      const entries = next === null || next === first ? null : { first, last: next - 1 };
      return { entries, removedThrough, notCompared, alone, grant, head: last };
    },
  };
}

function openUnsigned(text: string, leaf: Hash): { leaf: number; head: Checkpoint } {
  const { leaf: index, path, checkpoint } = parseInclusionProof(text);
  const head = parseCheckpoint(parseNote(checkpoint).text);
  const root = index < head.size ? rootAbove({ start: index, end: index + 1 }, head.size, leaf, path) : null;
  if (root?.equals(head.root) !== true)
    throw new NoteError('The entry is not the one that is in the log at this place.');
  return { leaf: index, head };
}

/** Compares the entries with the hashes that were sealed at their positions, from `start` on. @throws NotProvedError */
function compare(records: readonly AuditRecord[], start: number, sealed: readonly Hash[]): void {
  const at = sealed.findIndex((hash, place) => {
    const record = records[place];
    return record === undefined || record.position !== start + place || !hashOf(record).equals(hash);
  });
  const position = start + at;
  const record = records[at];
  if (at === -1) {
    const extra = records[sealed.length];
    if (extra === undefined) return;
    throw new NotProvedError(
      `An entry was inserted after entry ${start + sealed.length - 1}: ${described(extra)}.`,
    );
  }
  if (record === undefined) throw missing(position, start + sealed.length - 1);
  // An entry that has moved is one that was sealed at another position.
  const placeOf = (moved: AuditRecord | undefined): number =>
    moved === undefined
      ? -1
      : sealed.findIndex((hash, place) => hashOf({ ...moved, position: start + place }).equals(hash));
  const here = placeOf(record);
  const isElsewhere = records.some((other) => placeOf(other) === at);
  if (here > at && isElsewhere)
    throw new NotProvedError(
      `Entry ${position} was reordered: at its place is the one that was sealed as entry ${start + here} (${described(record)}).`,
    );
  if (here > at) throw missing(position, start + here - 1);
  if (isElsewhere)
    throw new NotProvedError(`An entry was inserted before entry ${position}: ${described(record)}.`);
  throw new NotProvedError(`Entry ${position} was altered: ${described(record)}.`);
}

function missing(from: number, to: number): NotProvedError {
  return new NotProvedError(
    from === to ? `Entry ${from} is missing.` : `Entries ${from} to ${to} are missing.`,
  );
}

function notSealed(from: number, to: number): NotProvedError {
  return new NotProvedError(
    `The entries from ${from} to ${to} are not what the signed head seals: something in them was altered, inserted or left out.`,
  );
}

/** As people find it. */
function described({ action, actor, occurredAt }: AuditRecord): string {
  return `${action} by ${actor?.email ?? actor?.name} at ${occurredAt}`;
}
