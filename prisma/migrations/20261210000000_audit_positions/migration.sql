-- Entries of the audit log get positions: dense for each organization, in the order of the log, once nothing can appear before
-- them any more. Entries that are there already get theirs from the gateways, in batches, after they have started.
--
-- Time and locks: milliseconds, whatever the size of the log. CREATE TRIGGER waits for the transactions that are writing
-- entries, and lets others write after the migration. Gateways of the version before go on beside it.

-- The nil UUID is the vendor's own log. An entry is found by its place in the order of the log. No foreign key leads to it:
-- entries are never deleted, and the check of one would write to each entry again.
CREATE TABLE "audit_positions" (
    "organization_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "txid" BIGINT NOT NULL,
    "seq" BIGINT NOT NULL,

    CONSTRAINT "audit_positions_pkey" PRIMARY KEY ("organization_id", "position"),
    CONSTRAINT "audit_positions_start" CHECK ("position" > 0)
);
CREATE UNIQUE INDEX "audit_positions_txid_seq_key" ON "audit_positions"("txid", "seq");
CREATE TRIGGER "audit_positions_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_positions"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();

-- A dump restored into a cluster that has not come as far brings entries with transaction numbers that are not assigned there
-- yet. From then on the greatest shift is added to the numbers, so that new entries come after the restored ones.
CREATE TABLE "audit_renumberings" (
    "shift" BIGINT NOT NULL,
    "renumbered_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "audit_renumberings_pkey" PRIMARY KEY ("shift")
);
CREATE TRIGGER "audit_renumberings_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_renumberings"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();

-- What is added to transaction numbers, and whether the log is ahead of this cluster all the same: the last entry has a number
-- that no transaction has had yet. The snapshot of a transaction does not count it, though it sees its own entries.
CREATE VIEW "audit_numbering" AS
  SELECT renumbered.shift,
         COALESCE((SELECT txid FROM "audit_entries" ORDER BY txid DESC, seq DESC LIMIT 1) - renumbered.shift
                    >= GREATEST(pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                                pg_current_xact_id_if_assigned()::text::bigint + 1), false) AS is_ahead
    FROM (SELECT COALESCE(max(shift), 0) AS shift FROM "audit_renumberings") AS renumbered;

-- Raises the shift if the log is ahead. With the owner's rights, as all that writes these tables: gateways only read them.
-- Whoever comes second waits, and finds the shift raised.
CREATE FUNCTION "renumber_audit_log"() RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit log is renumbered', 10));
  IF (SELECT is_ahead FROM public.audit_numbering) THEN
    INSERT INTO public.audit_renumberings (shift)
    SELECT max(txid) + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM public.audit_entries;
  END IF;
END $$;

-- Nothing is ever written before an entry that has its position: such a transaction has to begin again, with a new number.
CREATE FUNCTION "keep_audit_order"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT is_ahead FROM public.audit_numbering) THEN
    PERFORM public.renumber_audit_log();
  END IF;
  IF pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8
       <= (SELECT txid FROM public.audit_positions ORDER BY txid DESC, seq DESC LIMIT 1)
            - COALESCE((SELECT max(shift) FROM public.audit_renumberings), 0) THEN
    RAISE EXCEPTION 'this transaction is before entries of the audit log that have their positions'
      USING ERRCODE = 'serialization_failure', HINT = 'Begin the transaction again.';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION "set_order_of_audit_entry"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.txid := pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8
              + COALESCE((SELECT max(shift) FROM public.audit_renumberings), 0);
  NEW.seq := pg_catalog.nextval('public.audit_entries_seq_seq');
  RETURN NEW;
END $$;

-- Gives positions to the entries that come next, at most `most`. An entry whose transaction number is lower than that of every
-- open transaction has its final place: whatever is committed later comes after it. `waiting`: there are more, or another
-- gateway is at it.
CREATE FUNCTION "give_audit_positions"("most" integer, OUT "given" integer, OUT "waiting" boolean) LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
  horizon bigint;
  last_given record;
BEGIN
  given := 0;
  waiting := true;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('audit positions are given', 10)) THEN RETURN; END IF;
  IF (SELECT is_ahead FROM public.audit_numbering) THEN
    PERFORM public.renumber_audit_log();
  END IF;
  -- Read before the entries: all transactions below it are over, so the next statement sees whatever they have written.
  SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift INTO horizon FROM public.audit_numbering;
  SELECT txid, seq INTO last_given FROM public.audit_positions ORDER BY txid DESC, seq DESC LIMIT 1;
  WITH next AS (
    SELECT txid, seq, COALESCE(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) AS log
      FROM public.audit_entries
     WHERE (txid, seq) > (COALESCE(last_given.txid, 0), COALESCE(last_given.seq, 0)) AND txid < horizon
     ORDER BY txid, seq LIMIT most
  ), logs AS MATERIALIZED (
    SELECT log, COALESCE((SELECT position FROM public.audit_positions WHERE organization_id = log
                           ORDER BY position DESC LIMIT 1), 0) AS length
      FROM (SELECT DISTINCT log FROM next) AS named
  )
  INSERT INTO public.audit_positions (organization_id, position, txid, seq)
  SELECT log, length + row_number() OVER (PARTITION BY log ORDER BY txid, seq), txid, seq
    FROM next JOIN logs USING (log);
  GET DIAGNOSTICS given = ROW_COUNT;
  SELECT txid, seq INTO last_given FROM public.audit_positions ORDER BY txid DESC, seq DESC LIMIT 1;
  waiting := EXISTS (SELECT FROM public.audit_entries
                      WHERE (txid, seq) > (COALESCE(last_given.txid, 0), COALESCE(last_given.seq, 0)));
END $$;

CREATE TRIGGER "audit_entries_keep_order" BEFORE INSERT ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "keep_audit_order"();
