/**
 * Reads the viewer together with the rows that a query asks for. The query begins with the viewer as they were when they were
 * last read. Its first statement reads the viewer as well, from the same snapshot as the rows, and what came of the query counts
 * only if that is the same viewer, with the same rights: otherwise the query is asked again for the viewer as they are. So nothing
 * is decided by a remembered right, and a revocation counts at once.
 */
import type pg from 'pg';
import type { Viewer } from '../identity/viewer.ts';
import { type Subject, type ViewerAt, viewerOfRow, viewerSql } from '../identity/viewer-store.ts';
import { GenerationalCache } from '../platform/generational-cache.ts';
import { createStatementNames } from '../platform/statement-names.ts';
import { noteViewer, type Reading } from './sign-in.ts';

/** A viewer who may have changed since they were read. */
export type ViewerInDoubt = {
  readonly remembered: Viewer;
  /** Whose first prepared statement reads the viewer, too. */
  readonly pool: pg.Pool;
  /** Resolves to the viewer as they are, null if there is none; or to `SAME`. Reads the viewer unless a statement has. */
  settle(): Promise<Viewer | null | 'SAME'>;
};

export type KnownViewers = {
  /** Undefined: they have to be read first. */
  doubted(reading: Reading, subject: Subject): ViewerInDoubt | undefined;
  note(subject: Subject, viewer: ViewerAt): void;
};

/** Viewers that are kept, of which twice as many may be in memory. */
const kept = 5_000;

export function createKnownViewers(): KnownViewers {
  const viewers = new GenerationalCache<string, ViewerAt>();
  const keyOf = ({ issuer, subject }: Subject) => JSON.stringify([issuer, subject]);
  const note = (subject: Subject, viewer: ViewerAt): void => {
    viewers.set(keyOf(subject), viewer);
    if (viewers.size > kept) viewers.rotate();
  };
  return {
    note,
    doubted(reading, subject) {
      const known = viewers.get(keyOf(subject));
      return known === undefined
        ? undefined
        : doubt(known, reading, subject, (now) => {
            if (now === null) viewers.delete(keyOf(subject));
            else note(subject, now);
          });
    },
  };
}

function doubt(
  known: ViewerAt,
  reading: Reading,
  subject: Subject,
  note: (now: ViewerAt | null) => void,
): ViewerInDoubt {
  const { pool } = reading.database;
  let reads: Promise<ViewerAt | null> | undefined;

  /** Sends a prepared statement that reads the viewer beside its rows. Resolves to the rows. */
  async function readWith({ text, values }: { text: string; values: unknown[] }) {
    const found = pool.query<Beside>(withViewer(text, values, subject));
    reads = found.then(({ rows }) => viewerOfRow(rows[0]?.viewer ?? null));
    // It is read again by `settle`.
    reads.catch(() => {
      reads = undefined;
    });
    const result = await found;
    return { ...result, rows: result.rows.filter((row) => row.is_row === true) };
  }

  const query = (...statement: unknown[]): unknown => {
    const [asked] = statement;
    return reads === undefined && isPrepared(asked)
      ? readWith(asked)
      : Reflect.apply(pool.query, pool, statement);
  };

  return {
    remembered: known.viewer,
    pool: new Proxy(pool, {
      get: (target, name) => (name === 'query' ? query : Reflect.get(target, name)),
    }),
    async settle() {
      const now = await (reads ?? readAlone(pool, subject));
      note(now);
      if (now === null) return null;
      noteViewer(reading, now);
      return now.asRead === known.asRead ? 'SAME' : now.viewer;
    },
  };
}

/** The columns beside those of the statement: the viewer, in the first row, and whether there is a row of the statement. */
type Beside = { viewer: object | null; is_row: boolean | null };

const nameOf = createStatementNames();

function withViewer(text: string, values: readonly unknown[], { issuer, subject }: Subject) {
  const given = [`$${values.length + 1}`, `$${values.length + 2}`] as const;
  const both = `SELECT CASE WHEN row_number() OVER () = 1 THEN found.viewer END AS viewer, read.*
    FROM (SELECT (${viewerSql(...given)}) AS viewer) AS found
    LEFT JOIN (SELECT true AS is_row, asked.* FROM (${text}) AS asked) AS read ON true`;
  const name = nameOf(both);
  return { text: both, values: [...values, subject, issuer], ...(name === undefined ? {} : { name }) };
}

async function readAlone(pool: pg.Pool, { issuer, subject }: Subject): Promise<ViewerAt | null> {
  const text = `SELECT (${viewerSql('$1', '$2')}) AS viewer`;
  const { rows } = await pool.query<{ viewer: object | null }>({
    ...{ name: nameOf(text), text, values: [subject, issuer] },
  });
  return viewerOfRow(rows[0]?.viewer ?? null);
}

function isPrepared(statement: unknown): statement is { name: string; text: string; values: unknown[] } {
  return typeof statement === 'object' && statement !== null && 'name' in statement;
}
