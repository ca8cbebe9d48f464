/** A journal of every row written to the database, for tests that check that a request wrote nothing. */
import type pg from 'pg';

export type Written = {
  /** The table. */
  relation: string;
  operation: 'INSERT' | 'UPDATE' | 'DELETE';
  // The row after it was written, or before it was deleted.
  // biome-ignore lint/suspicious/noExplicitAny: any table's row
  row: any;
};

/**
 * Starts the journal of every committed insert, update and delete in any table. Returns a function that returns
 * the rows written since its last call. Whether an entry of the audit log is displaced depends on how fast the machine is;
 * that a refusal was counted is a part of its entry.
 */
export async function journal(sql: pg.Pool): Promise<() => Promise<Written[]>> {
  await sql.query(`
    CREATE TABLE journal (number bigserial, relation text, operation text, "row" jsonb);
    CREATE FUNCTION into_journal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
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
                   WHERE schemaname = 'public' AND tablename NOT IN
                         ('journal', '_prisma_migrations', 'displaced_audit_entries', 'audit_positions', 'audit_tiles',
                          'audit_checkpoints', 'repeated_refusals', 'repeated_readings') LOOP
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
