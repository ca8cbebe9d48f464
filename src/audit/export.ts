/** What is downloaded of a sealed audit log: lines that `npm run audit:verify` reads, and the files of C2SP tlog-tiles. */
import { canonicalJson } from '../platform/canonical-json.ts';
import { encodeGlobalId } from '../platform/global-id.ts';
import { inclusionProofText } from '../transparency/inclusion-proof.ts';
import { hashBytes, inclusionRanges, rangesBeside } from '../transparency/merkle-tree.ts';
import { entryBundle, leavesOfTile, type TileRequest, tileWidth, widthOf } from '../transparency/tiles.ts';
import { type AuditRecord, leafOf } from './record.ts';
import { readRecords, readRecordsOfGrant, readTrailsOfGrants } from './record-store.ts';
import { readRemovedThrough, removedLine } from './removals.ts';
import { type Queryable, readHeads, readProofs, readTiles } from './sealed-log.ts';

/** Tiles of entries in one download: 5,120 entries. */
const tilesAtOnce = 20;

/** Entries of a grant in one download. */
const entriesOfGrant = 1_000;

export type Export = {
  readonly lines: readonly string[];
  /** Where the next download goes on; null: this one has everything up to its head. */
  readonly next: number | null;
};

const lineOf = (line: object): string => `${JSON.stringify(line)}\n`;
const recordLine = (record: AuditRecord): string => `${canonicalJson(record)}\n`;

/**
 * The entries of a log from the tile on that has the position, with their hashes and the head to which these lead. Where they
 * were removed, it begins with the tile of the first one that is kept, and says so. Null: nothing is sealed there.
 */
export async function readExport(db: Queryable, log: string, from: number): Promise<Export | null> {
  const head = (await readHeads(db, [log])).get(log);
  if (head === undefined || from > head.size) return null;
  const firstKept = (await readRemovedThrough(db, log)) + 1;
  const firstTile = Math.floor((Math.max(from, firstKept) - 1) / tileWidth);
  const tiles = Array.from({ length: tilesAtOnce }, (_, at) => ({
    log,
    level: 0,
    index: firstTile + at,
  })).filter((tile) => widthOf(tile, head.size) > 0);
  const hashesOfTile = await readTiles(db, tiles);
  const paths = await readProofs(
    db,
    tiles.map(({ index }) => ({ log, ranges: rangesBeside(leavesOfTile(index, head.size), head.size) })),
  );
  const records: AuditRecord[][] = [];
  for (const tile of tiles) {
    const { start, end } = leavesOfTile(tile.index, head.size);
    // What is there, whether or not it is what was sealed.
    records.push(await readRecords(db, log, start, end - start));
  }
  // Read after the records, so that what was removed meanwhile is not taken for missing.
  const removedThrough = await readRemovedThrough(db, log);
  const begins = Math.min(from, firstTile * tileWidth + 1);
  const lines = [
    lineOf({ checkpoint: head.note }),
    ...(begins <= removedThrough ? [lineOf(await removedLine(db, log, removedThrough))] : []),
  ];
  for (const [at, tile] of tiles.entries()) {
    const { start, end } = leavesOfTile(tile.index, head.size);
    const hashes = (hashesOfTile(tile) ?? Buffer.alloc(0)).subarray(0, (end - start) * hashBytes);
    const path = (paths[at] ?? []).map((hash) => hash.toString('base64'));
    lines.push(lineOf({ tile: { index: tile.index, hashes: hashes.toString('base64'), path } }));
    const kept = (records[at] ?? []).filter(({ position }) => position > removedThrough && position <= end);
    lines.push(...kept.map(recordLine));
  }
  const last = Math.min(head.size, (firstTile + tilesAtOnce) * tileWidth);
  return { lines, next: last < head.size ? last + 1 : null };
}

/** The sealed entries of a grant after a position, each with its proof. Null: nothing is sealed there. */
export async function readGrantStory(
  db: Queryable,
  log: string,
  grantId: string,
  after: number,
): Promise<Export | null> {
  const head = (await readHeads(db, [log])).get(log);
  if (head === undefined || after > head.size) return null;
  const records = await readRecordsOfGrant(db, log, grantId, after, entriesOfGrant);
  const sealed = records.filter(({ position }) => position <= head.size);
  // Read after the records, as in an export.
  const { last, removedThrough } = (await readTrailsOfGrants(db, [grantId])).get(grantId) ?? {
    ...{ last: null, removedThrough: null },
  };
  const end = sealed.at(-1)?.position ?? after;
  const proofs = await readProofs(
    db,
    sealed.map(({ position }) => ({ log, ranges: inclusionRanges(position - 1, head.size) })),
  );
  const grant = {
    id: encodeGlobalId('Grant', grantId),
    entries: sealed.length,
    isWhole: after === 0 && end === last && removedThrough === null,
    ...(removedThrough === null ? {} : { removedThrough }),
  };
  const lines = sealed.flatMap((record, at) => {
    const proof = { leaf: record.position - 1, path: proofs[at] ?? [], checkpoint: head.note };
    return [recordLine(record), lineOf({ inclusionProof: inclusionProofText(proof) })];
  });
  return {
    lines: [lineOf({ checkpoint: head.note }), lineOf({ grant }), ...lines],
    next: sealed.length === entriesOfGrant ? end : null,
  };
}

/** The bytes of a tile or of a bundle of entries, in the width that is asked for. Null: no head needs it, or entries of it are removed. */
export async function readTileFile(db: Queryable, log: string, asked: TileRequest): Promise<Buffer | null> {
  const { level, index, width } = asked;
  const size = (await readHeads(db, [log])).get(log)?.size ?? 0;
  if (width > widthOf({ level: level ?? 0, index }, size)) return null;
  if (level === null) {
    const start = index * tileWidth;
    const records = await readRecords(db, log, start, width);
    if (start < (await readRemovedThrough(db, log))) return null;
    return entryBundle(records.filter(({ position }) => position <= start + width).map(leafOf));
  }
  const tile = { log, level, index };
  const hashes = (await readTiles(db, [tile]))(tile);
  return hashes === undefined ? null : hashes.subarray(0, width * hashBytes);
}
