-- The last of four (20261212000000_whose_rows). NOT NULL follows from the CHECKs that were validated: no row is read.
ALTER TABLE "products" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "products_organization",
  DROP CONSTRAINT "products_site_id_fkey";
ALTER TABLE "role_assignments" DROP CONSTRAINT "role_assignments_product_fkey";
ALTER TABLE "role_assignments" RENAME CONSTRAINT "role_assignments_product_fkey_new" TO "role_assignments_product_fkey";
ALTER TABLE "tickets" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "tickets_organization",
  DROP CONSTRAINT "tickets_site_id_fkey", DROP CONSTRAINT "tickets_product_fkey";
ALTER TABLE "tickets" RENAME CONSTRAINT "tickets_product_fkey_new" TO "tickets_product_fkey";
ALTER TABLE "change_requests" DROP CONSTRAINT "change_requests_ticket_fkey", DROP CONSTRAINT "change_requests_session_id_fkey";
ALTER TABLE "change_requests" RENAME CONSTRAINT "change_requests_ticket_fkey_new" TO "change_requests_ticket_fkey";
ALTER TABLE "grants" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "grants_organization",
  DROP CONSTRAINT "grants_ticket_fkey";
ALTER TABLE "grants" RENAME CONSTRAINT "grants_ticket_fkey_new" TO "grants_ticket_fkey";
ALTER TABLE "decisions" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "decisions_organization",
  DROP CONSTRAINT "decisions_grant_id_fkey";
ALTER TABLE "support_sessions" DROP CONSTRAINT "support_sessions_ticket_fkey", DROP CONSTRAINT "support_sessions_grant_id_fkey";
ALTER TABLE "support_sessions" RENAME CONSTRAINT "support_sessions_ticket_fkey_new" TO "support_sessions_ticket_fkey";
ALTER TABLE "inbound_ticket_events" DROP CONSTRAINT "inbound_ticket_events_ticket_id_fkey";
ALTER TABLE "events" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "events_organization";
ALTER TABLE "mails" ALTER COLUMN "organization_id" SET NOT NULL, DROP CONSTRAINT "mails_organization";
DROP INDEX "products_id_site_id_key";
DROP INDEX "tickets_id_site_id_key";

DROP FUNCTION "fill_organizations"(text, int);
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % violates constraint "%": %', OLD.id, TG_TABLE_NAME, TG_NAME, TG_ARGV[0]
    USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE OR REPLACE FUNCTION "set_order_of_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.txid := pg_current_xact_id()::pg_catalog.text::bigint;
  NEW.seq := nextval('public.events_seq_seq');
  RETURN NEW;
END $$;
DROP TRIGGER "decisions_append_only_rows" ON "decisions";
DROP TRIGGER "decisions_append_only" ON "decisions";
CREATE TRIGGER "decisions_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "decisions"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
