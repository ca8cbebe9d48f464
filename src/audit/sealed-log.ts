/** What is sealed of the audit logs: their signed heads, their hashes, and the proofs that follow from these. */
import type pg from 'pg';
import { type Hash, type Range, rangeHash, subtreesOf, type TreeHead } from '../transparency/merkle-tree.ts';
import { hashInTile, type TileId, tileWith } from '../transparency/tiles.ts';

export type Queryable = Pick<pg.Pool, 'query'>;

/** A signed head of a log. */
export type Head = TreeHead & {
  /** The signed checkpoint. */
  readonly note: string;
  readonly signedAt: Date;
};

/** The last heads of the logs of these organizations, by id. A log of which nothing is sealed has none. */
export async function readHeads(db: Queryable, logs: readonly string[]): Promise<Map<string, Head>> {
  const { rows } = await db.query<{ log: string; size: string; root: Buffer; note: string; signedAt: Date }>({
    name: 'read_heads_of_audit_logs',
    text: `SELECT log, size, root_hash AS root, note, signed_at AS "signedAt" FROM unnest($1::uuid[]) AS log
            CROSS JOIN LATERAL (SELECT * FROM audit_checkpoints WHERE organization_id = log
                                 ORDER BY size DESC LIMIT 1) AS head`,
    values: [logs],
  });
  return new Map(rows.map(({ log, size, ...head }) => [log, { ...head, size: Number(size) }]));
}

/** The last head of a log that states no more than its first entries; null: there is none. One look at an index. */
export async function readHeadUpTo(db: Queryable, log: string, size: number): Promise<Head | null> {
  const { rows } = await db.query<{ size: string; root: Buffer; note: string; signedAt: Date }>({
    name: 'read_head_of_audit_log_up_to',
    text: `SELECT size, root_hash AS root, note, signed_at AS "signedAt" FROM audit_checkpoints
            WHERE organization_id = $1::uuid AND size <= $2::bigint ORDER BY size DESC LIMIT 1`,
    values: [log, size],
  });
  const [head] = rows;
  return head === undefined ? null : { ...head, size: Number(head.size) };
}

/** A tile of a log. */
export type TileOfLog = TileId & { readonly log: string };

const keyOf = ({ log, level, index }: TileOfLog): string => `${log}/${level}/${index}`;

/** The hashes of tiles, as far as they are there. One statement. */
export async function readTiles(
  db: Queryable,
  wanted: readonly TileOfLog[],
): Promise<(tile: TileOfLog) => Buffer | undefined> {
  const distinct = [...new Map(wanted.map((tile) => [keyOf(tile), tile])).values()];
  if (distinct.length === 0) return () => undefined;
  const { rows } = await db.query<{ log: string; level: number; index: string; hashes: Buffer }>({
    name: 'read_tiles_of_audit_logs',
    text: `SELECT log, asked.level, asked.index, hashes
             FROM jsonb_to_recordset($1::jsonb) AS asked(log uuid, level smallint, index bigint)
             JOIN audit_tiles AS tile
               ON tile.organization_id = log AND tile.level = asked.level AND tile.tile_index = asked.index`,
    values: [JSON.stringify(distinct.map(({ log, level, index }) => ({ log, level, index })))],
  });
  const found = new Map(rows.map((row) => [keyOf({ ...row, index: Number(row.index) }), row.hashes]));
  return (tile) => found.get(keyOf(tile));
}

/** Ranges of the tree of a log: those of a proof. */
export type AskedProof = { readonly log: string; readonly ranges: readonly Range[] };

/** The hashes of ranges of the trees of logs, for each list of ranges that is asked for. One statement. */
export async function readProofs(db: Queryable, asked: readonly AskedProof[]): Promise<Hash[][]> {
  const tileOf = await readTiles(
    db,
    asked.flatMap(({ log, ranges }) =>
      ranges.flatMap(subtreesOf).map((subtree) => ({ log, ...tileWith(subtree) })),
    ),
  );
  return asked.map(({ log, ranges }) =>
    ranges.map((range) =>
      rangeHash(range, (subtree) => {
        const tile = tileOf({ log, ...tileWith(subtree) });
        if (tile === undefined) throw new Error('A sealed audit log lacks some of its hashes');
        return hashInTile(subtree, tile);
      }),
    ),
  );
}
