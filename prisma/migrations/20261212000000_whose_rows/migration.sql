-- Every row of a customer says whose it is. This is the first of four migrations, each of which gateways of the previous
-- version can work beside:
--
--   1. columns, and triggers that fill them for whoever does not know them      locks for a moment, no row is read
--   2. indexes and foreign keys; before it, fill.sql fills the old rows         writes wait for the indexes
--   3. what there is keeps the new rules                                        reads every row, and nobody waits
--   4. the columns are NOT NULL; what the first migration needed goes           locks for a moment, no row is read
--
-- docs/operating.md says how long they take.

-- The vendor's own is an organization: src/roles/vendor-organization.ts. It has no people, sites or service accounts.
INSERT INTO "organizations" ("id", "name", "has_guard", "created_at")
VALUES ('00000000-0000-0000-0000-000000000000', 'The vendor', false, now());
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE "sites" ADD CONSTRAINT "sites_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE "rovo_data_deletions" ADD CONSTRAINT "rovo_data_deletions_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_of_customer" CHECK ("organization_id" <> '00000000-0000-0000-0000-000000000000');
CREATE TRIGGER "organizations_vendor_is_final" BEFORE UPDATE ON "organizations" FOR EACH ROW
  WHEN (OLD."id" = '00000000-0000-0000-0000-000000000000')
  EXECUTE FUNCTION "refuse_change"('the organization of the vendor does not change');

-- What is on a site never becomes another organization's.
CREATE TRIGGER "sites_organization_is_final" BEFORE UPDATE ON "sites" FOR EACH ROW
  WHEN (NEW."organization_id" <> OLD."organization_id")
  EXECUTE FUNCTION "refuse_change"('its organization does not change');

ALTER TABLE "products" ADD COLUMN "organization_id" UUID;
ALTER TABLE "tickets" ADD COLUMN "organization_id" UUID;
ALTER TABLE "grants" ADD COLUMN "organization_id" UUID;
ALTER TABLE "decisions" ADD COLUMN "organization_id" UUID;
ALTER TABLE "events" ADD COLUMN "organization_id" UUID;
-- Null as long as it is not known which ticket the event is of.
ALTER TABLE "inbound_ticket_events" ADD COLUMN "organization_id" UUID;
-- The default of every key that there is: no row is rewritten. A key is the vendor's until its answer is kept.
ALTER TABLE "idempotency_keys"
  ADD COLUMN "organization_id" UUID NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';

-- Gateways of the previous version do not know the columns, and write null. (A later version may drop these triggers, when
-- no gateway of that version runs any more.) Their names come after those of all other triggers, so that they run last.
CREATE FUNCTION "organization_of_site"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization_id := (SELECT s.organization_id FROM public.sites s WHERE s.id = NEW.site_id);
  RETURN NEW;
END $$;
CREATE TRIGGER "products_whose_organization" BEFORE INSERT OR UPDATE ON "products" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_site"();
CREATE TRIGGER "tickets_whose_organization" BEFORE INSERT OR UPDATE ON "tickets" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_site"();
CREATE TRIGGER "grants_whose_organization" BEFORE INSERT OR UPDATE ON "grants" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_site"();

CREATE FUNCTION "organization_of_grant"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization_id := (
    SELECT s.organization_id FROM public.grants g JOIN public.sites s ON s.id = g.site_id WHERE g.id = NEW.grant_id);
  RETURN NEW;
END $$;
CREATE TRIGGER "decisions_whose_organization" BEFORE INSERT OR UPDATE ON "decisions" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_grant"();

CREATE FUNCTION "organization_of_ticket"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization_id := (
    SELECT s.organization_id FROM public.tickets t JOIN public.sites s ON s.id = t.site_id WHERE t.id = NEW.ticket_id);
  RETURN NEW;
END $$;
CREATE TRIGGER "inbound_ticket_events_whose_organization" BEFORE INSERT OR UPDATE ON "inbound_ticket_events" FOR EACH ROW
  WHEN ((NEW."ticket_id" IS NULL) <> (NEW."organization_id" IS NULL)) EXECUTE FUNCTION "organization_of_ticket"();

-- Whom an event concerns is in its payload: src/events/audience.ts. What concerns no organization is the vendor's.
CREATE FUNCTION "organization_in_event"("payload" jsonb) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN payload #>> '{audience,organizationId}' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            THEN (payload #>> '{audience,organizationId}')::uuid
            ELSE '00000000-0000-0000-0000-000000000000'::uuid END;
CREATE FUNCTION "organization_of_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization_id := public.organization_in_event(NEW.payload);
  RETURN NEW;
END $$;
CREATE TRIGGER "events_whose_organization" BEFORE INSERT OR UPDATE ON "events" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_event"();

-- Mail of the version before that. It is about one of these, or says itself whose people get it.
CREATE FUNCTION "organization_of_mail"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.organization_id := coalesce(
    (SELECT s.organization_id FROM public.grants g JOIN public.sites s ON s.id = g.site_id WHERE g.id = NEW.about_id),
    (SELECT s.organization_id FROM public.tickets t JOIN public.sites s ON s.id = t.site_id WHERE t.id = NEW.about_id),
    (SELECT organization_id FROM public.support_sessions WHERE id = NEW.about_id),
    (SELECT organization_id FROM public.change_requests WHERE id = NEW.about_id),
    (SELECT organization_id FROM public.proposed_changes WHERE id = NEW.about_id),
    (SELECT organization_id FROM public.rovo_data_deletions WHERE id = NEW.about_id),
    (SELECT id FROM public.organizations WHERE id::pg_catalog.text = NEW.details ->> 'organizationId'),
    '00000000-0000-0000-0000-000000000000'::pg_catalog.uuid);
  RETURN NEW;
END $$;
CREATE TRIGGER "mails_whose_organization" BEFORE INSERT OR UPDATE ON "mails" FOR EACH ROW
  WHEN (NEW."organization_id" IS NULL) EXECUTE FUNCTION "organization_of_mail"();

ALTER TABLE "products" ADD CONSTRAINT "products_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID;
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID;
ALTER TABLE "grants" ADD CONSTRAINT "grants_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID;
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID;
ALTER TABLE "mails" ADD CONSTRAINT "mails_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID;
ALTER TABLE "events"
  ADD CONSTRAINT "events_organization" CHECK ("organization_id" IS NOT NULL) NOT VALID,
  -- In place of a foreign key, which the most frequent write of all would pay for.
  ADD CONSTRAINT "events_of_audience" CHECK ("organization_id" = "organization_in_event"("payload")) NOT VALID;
ALTER TABLE "inbound_ticket_events"
  ADD CONSTRAINT "inbound_ticket_events_of_ticket" CHECK (("ticket_id" IS NULL) = ("organization_id" IS NULL)) NOT VALID;

-- Until the fourth migration: an update that changes nothing is no change. So the triggers above can fill what is final.
CREATE OR REPLACE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW IS NOT DISTINCT FROM OLD THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% of % violates constraint "%": %', OLD.id, TG_TABLE_NAME, TG_NAME, TG_ARGV[0]
    USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
CREATE OR REPLACE FUNCTION "set_order_of_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
    RETURN NEW;
  END IF;
  NEW.txid := pg_current_xact_id()::pg_catalog.text::bigint;
  NEW.seq := nextval('public.events_seq_seq');
  RETURN NEW;
END $$;
DROP TRIGGER "decisions_append_only" ON "decisions";
CREATE TRIGGER "decisions_append_only" BEFORE DELETE OR TRUNCATE ON "decisions"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
CREATE TRIGGER "decisions_append_only_rows" BEFORE UPDATE ON "decisions" FOR EACH ROW
  WHEN (NEW IS DISTINCT FROM OLD) EXECUTE FUNCTION "is_append_only"();

-- Fills the rows on the next pages of the tables, parents first, and returns where to go on; null: nothing is left. Rows
-- that somebody has locked are passed over: whoever changes one fills it.
CREATE FUNCTION "fill_organizations"("after" text, "pages" int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  tables CONSTANT pg_catalog.text[] := ARRAY['products', 'tickets', 'grants', 'decisions', 'mails', 'events'];
  at pg_catalog.int4 := coalesce(split_part("after", ' ', 1)::pg_catalog.int4, 1);
  page pg_catalog.int8 := coalesce(split_part("after", ' ', 2)::pg_catalog.int8, 0);
BEGIN
  EXECUTE format(
    'UPDATE public.%1$I SET organization_id = NULL WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM public.%1$I WHERE ctid >= $1 AND ctid < $2 AND organization_id IS NULL FOR NO KEY UPDATE SKIP LOCKED))',
    tables[at])
    USING format('(%s,0)', page)::tid, format('(%s,0)', page + pages)::tid;
  IF (page + pages) * current_setting('block_size')::pg_catalog.int8 < pg_relation_size(format('public.%I', tables[at])) THEN
    RETURN concat(at, ' ', page + pages);
  END IF;
  RETURN CASE WHEN at < cardinality(tables) THEN concat(at + 1, ' 0') END;
END $$;
