-- A new entry gets its place in the log. Its time is compared with the log below: once for all entries of a statement, since
-- to compare each of them took as long as to write it.
CREATE OR REPLACE FUNCTION "set_order_of_audit_entry"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.txid := pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8;
  NEW.seq := pg_catalog.nextval('public.audit_entries_seq_seq');
  RETURN NEW;
END $$;

-- Keeps those of the new entries whose order in the log is not that of their times. With the owner's rights: gateways do not
-- write the table.
CREATE FUNCTION "keep_displaced_audit_entries"() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  latest timestamptz;
  earliest_written timestamptz;
  last_in_order record;
  tolerance CONSTANT interval := '10 seconds';
BEGIN
  SELECT min(occurred_at) INTO earliest_written FROM written;
  SELECT max(occurred_at) INTO latest FROM public.audit_entries;
  IF earliest_written < latest - tolerance THEN
    -- Displaced ones, from a clock that was wrong for a while, do not displace all that follow. Where the latest hundred
    -- are all displaced, the database's clock alone decides, below.
    SELECT max(near.occurred_at) INTO latest
      FROM (SELECT id, occurred_at FROM public.audit_entries ORDER BY occurred_at DESC LIMIT 100) AS near
     WHERE NOT EXISTS (SELECT FROM public.displaced_audit_entries AS displaced WHERE displaced.id = near.id);
  END IF;
  SELECT txid, occurred_at INTO last_in_order FROM public.audit_entries ORDER BY txid DESC, seq DESC LIMIT 1;
  INSERT INTO public.displaced_audit_entries (id, occurred_at, txid)
  SELECT entry.id, entry.occurred_at, entry.txid
    FROM written AS entry
   WHERE entry.occurred_at < latest - tolerance
      -- Also after a dump was restored into a cluster that has not come as far: the new entries are before its entries.
      OR (entry.txid < last_in_order.txid AND last_in_order.occurred_at < entry.occurred_at - tolerance)
      -- Entries that are written at the same time do not see each other.
      OR entry.occurred_at NOT BETWEEN clock_timestamp() - tolerance AND clock_timestamp() + tolerance
      OR now() < clock_timestamp() - tolerance;
  RETURN NULL;
END $$;

CREATE TRIGGER "audit_entries_displaced" AFTER INSERT ON "audit_entries"
  REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION "keep_displaced_audit_entries"();
