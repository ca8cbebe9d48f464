/** A journal of what is written to the database, row by row: for tests that must know that nothing was. */
import type pg from 'pg';

export type Written = {
  /** The table. */
  relation: string;
  operation: 'INSERT' | 'UPDATE' | 'DELETE';
  // The row as it is after it was written, or was before it was deleted: the columns are the table's.
  // biome-ignore lint/suspicious/noExplicitAny: any table's row
  row: any;
};

/**
 * Begins the journal: every row that is inserted, updated or deleted in any table from now on, committed.
 * Answers how to take what was written since the last time.
 */
export async function journal(sql: pg.Pool): Promise<() => Promise<Written[]>> {
  await sql.query(`
    CREATE TABLE journal (number bigserial, relation text, operation text, "row" jsonb);
    CREATE FUNCTION into_journal() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO journal (relation, operation, "row")
      VALUES (TG_TABLE_NAME, TG_OP, CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END);
      RETURN NULL;
    END $$;
    DO $$
    DECLARE
      name text;
    BEGIN
      FOR name IN SELECT tablename FROM pg_tables
                   WHERE schemaname = 'public' AND tablename NOT IN ('journal', '_prisma_migrations') LOOP
        EXECUTE format('CREATE TRIGGER into_journal AFTER INSERT OR UPDATE OR DELETE ON %I
                          FOR EACH ROW EXECUTE FUNCTION into_journal()', name);
      END LOOP;
    END $$;`);
  return async () => {
    const { rows } = await sql.query<Written & { number: string }>(
      `WITH taken AS (DELETE FROM journal RETURNING *)
       SELECT number, relation, operation, "row" FROM taken ORDER BY number`,
    );
    return rows.map(({ relation, operation, row }) => ({ relation, operation, row }));
  };
}
