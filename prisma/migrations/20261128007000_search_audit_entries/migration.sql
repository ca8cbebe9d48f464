-- A search of the audit log reads a page from an index in the order of the log, wherever its dates are, whatever it asks
-- for. On a large log, create the indexes beforehand with CREATE INDEX CONCURRENTLY and these names.
CREATE INDEX IF NOT EXISTS "audit_entries_ticket_id_txid_seq_idx" ON "audit_entries"("ticket_id", "txid", "seq");
CREATE INDEX IF NOT EXISTS "audit_entries_grant_id_txid_seq_idx" ON "audit_entries"("grant_id", "txid", "seq");
CREATE INDEX IF NOT EXISTS "audit_entries_organization_id_actor_email_txid_seq_idx" ON "audit_entries"("organization_id", "actor_email", "txid", "seq");
CREATE INDEX IF NOT EXISTS "audit_entries_organization_id_action_txid_seq_idx" ON "audit_entries"("organization_id", "action", "txid", "seq");

-- The indexes above do what these did. No list goes by the id of an actor.
DROP INDEX "audit_entries_ticket_id_idx";
DROP INDEX "audit_entries_grant_id_idx";
DROP INDEX "audit_entries_actor_id_txid_seq_idx";

-- Entries follow each other in time nearly as in the log, which is how a search finds the part of the log that its dates
-- can be in. The entries for which that is not so are kept here: any two others whose order in the log is not that of
-- their times are less than 30 seconds apart.
CREATE TABLE "displaced_audit_entries" (
    "id" UUID NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "txid" BIGINT NOT NULL,

    CONSTRAINT "displaced_audit_entries_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "displaced_audit_entries_occurred_at_idx" ON "displaced_audit_entries"("occurred_at");
CREATE TRIGGER "displaced_audit_entries_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "displaced_audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();

-- With the owner's rights: gateways do not write the table.
CREATE OR REPLACE FUNCTION "set_order_of_audit_entry"() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  latest timestamptz;
  last_in_order record;
  tolerance CONSTANT interval := '10 seconds';
BEGIN
  NEW.txid := pg_current_xact_id()::text::bigint;
  NEW.seq := nextval('public.audit_entries_seq_seq');
  SELECT max(occurred_at) INTO latest FROM public.audit_entries;
  IF NEW.occurred_at < latest - tolerance THEN
    -- Displaced ones, from a clock that was wrong for a while, do not displace all that follow. Where the latest hundred
    -- are all displaced, the database's clock alone decides, below.
    SELECT max(near.occurred_at) INTO latest
      FROM (SELECT id, occurred_at FROM public.audit_entries ORDER BY occurred_at DESC LIMIT 100) AS near
     WHERE NOT EXISTS (SELECT FROM public.displaced_audit_entries AS displaced WHERE displaced.id = near.id);
  END IF;
  SELECT txid, occurred_at INTO last_in_order FROM public.audit_entries ORDER BY txid DESC, seq DESC LIMIT 1;
  IF NEW.occurred_at < latest - tolerance
     -- Also after a dump was restored into a cluster that has not come as far: the new entries are before its entries.
     OR (NEW.txid < last_in_order.txid AND last_in_order.occurred_at < NEW.occurred_at - tolerance)
     -- Entries that are written at the same time do not see each other.
     OR NEW.occurred_at NOT BETWEEN clock_timestamp() - tolerance AND clock_timestamp() + tolerance
     OR now() < clock_timestamp() - tolerance THEN
    INSERT INTO public.displaced_audit_entries (id, occurred_at, txid) VALUES (NEW.id, NEW.occurred_at, NEW.txid);
  END IF;
  RETURN NEW;
END $$;

INSERT INTO "displaced_audit_entries" ("id", "occurred_at", "txid")
SELECT "id", "occurred_at", "txid"
  FROM (SELECT "id", "occurred_at", "txid",
               max("occurred_at") OVER (ORDER BY "txid", "seq" ROWS UNBOUNDED PRECEDING) AS "latest"
          FROM "audit_entries") AS "entry"
 WHERE "occurred_at" < "latest" - interval '10 seconds';
