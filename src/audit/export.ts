/** What is downloaded of a sealed audit log: lines that `npm run audit:verify` reads, and the files of C2SP tlog-tiles. */
import { canonicalJson } from '../platform/canonical-json.ts';
import { encodeGlobalId } from '../platform/global-id.ts';
import { inclusionProofText } from '../transparency/inclusion-proof.ts';
import { hashBytes, inclusionRanges, rangesBeside } from '../transparency/merkle-tree.ts';
import { entryBundle, leavesOfTile, type TileRequest, tileWidth, widthOf } from '../transparency/tiles.ts';
import { type AuditRecord, leafOf } from './record.ts';
import { readLastPositionsOfGrants, readRecords, readRecordsOfGrant } from './record-store.ts';
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
 * The entries of a log from the tile on that has the position, with their hashes and the head to which these lead. Null: nothing
 * is sealed there.
 */
export async function readExport(db: Queryable, log: string, from: number): Promise<Export | null> {
  const head = (await readHeads(db, [log])).get(log);
  if (head === undefined || from > head.size) return null;
  const firstTile = Math.floor((from - 1) / tileWidth);
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
  const lines = [lineOf({ checkpoint: head.note })];
  for (const [at, tile] of tiles.entries()) {
    const { start, end } = leavesOfTile(tile.index, head.size);
    const hashes = (hashesOfTile(tile) ?? Buffer.alloc(0)).subarray(0, (end - start) * hashBytes);
    const path = (paths[at] ?? []).map((hash) => hash.toString('base64'));
    lines.push(lineOf({ tile: { index: tile.index, hashes: hashes.toString('base64'), path } }));
    // What is there, whether or not it is what was sealed.
    const records = await readRecords(db, log, start, end - start);
    lines.push(...records.filter(({ position }) => position <= end).map(recordLine));
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
  const last = (await readLastPositionsOfGrants(db, [grantId])).get(grantId);
  const end = sealed.at(-1)?.position ?? after;
  const proofs = await readProofs(
    db,
    sealed.map(({ position }) => ({ log, ranges: inclusionRanges(position - 1, head.size) })),
  );
  const grant = {
    id: encodeGlobalId('Grant', grantId),
    entries: sealed.length,
    isWhole: after === 0 && end === last,
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

/** The bytes of a tile or of a bundle of entries, in the width that is asked for. Null: no head needs it. */
export async function readTileFile(db: Queryable, log: string, asked: TileRequest): Promise<Buffer | null> {
  const { level, index, width } = asked;
  const size = (await readHeads(db, [log])).get(log)?.size ?? 0;
  if (width > widthOf({ level: level ?? 0, index }, size)) return null;
  if (level === null) {
    const start = index * tileWidth;
    const records = await readRecords(db, log, start, width);
    return entryBundle(records.filter(({ position }) => position <= start + width).map(leafOf));
  }
  const tile = { log, level, index };
  const hashes = (await readTiles(db, [tile]))(tile);
  return hashes === undefined ? null : hashes.subarray(0, width * hashBytes);
}
