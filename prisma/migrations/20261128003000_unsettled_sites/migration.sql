-- A site or a licence may end before everything that was open there is written as over. Until then it is unsettled: the
-- mark says since when, and who ended it. Access has ended all the same; nothing new begins there.
ALTER TABLE "sites" ADD COLUMN "unsettled_since" TIMESTAMPTZ(3), ADD COLUMN "unsettled_by_id" UUID;
ALTER TABLE "products" ADD COLUMN "unsettled_since" TIMESTAMPTZ(3), ADD COLUMN "unsettled_by_id" UUID;
ALTER TABLE "sites" ADD CONSTRAINT "sites_unsettled_by_id_fkey"
  FOREIGN KEY ("unsettled_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "products" ADD CONSTRAINT "products_unsettled_by_id_fkey"
  FOREIGN KEY ("unsettled_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE "sites" ADD CONSTRAINT "sites_unsettled" CHECK (
  ("unsettled_since" IS NULL) = ("unsettled_by_id" IS NULL)
  AND ("unsettled_since" IS NULL OR "status" = 'DEACTIVATED'));
ALTER TABLE "products" ADD CONSTRAINT "products_unsettled" CHECK (
  ("unsettled_since" IS NULL) = ("unsettled_by_id" IS NULL)
  AND ("unsettled_since" IS NULL OR NOT "licensed"));

-- There are none, or a few. Every operation asks which (src/identity/viewer-store.ts).
CREATE INDEX IF NOT EXISTS "sites_unsettled_idx" ON "sites" ("id") WHERE "unsettled_since" IS NOT NULL;
CREATE INDEX IF NOT EXISTS "products_unsettled_idx" ON "products" ("site_id") WHERE "unsettled_since" IS NOT NULL;

-- Whether the ticket's site or its product's licence has ended, and what was open there may not yet be written as over.
CREATE FUNCTION "is_on_unsettled"("of_ticket" uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM public.tickets t JOIN public.sites s ON s.id = t.site_id JOIN public.products p ON p.id = t.product_id
     WHERE t.id = of_ticket AND (s.unsettled_since IS NOT NULL OR p.unsettled_since IS NOT NULL))
$$;

-- The mark is set with the end itself, and taken away once nothing is open any more. It never changes.
CREATE TRIGGER "sites_unsettled_since_their_end" BEFORE UPDATE ON "sites" FOR EACH ROW
  WHEN (NEW."unsettled_since" IS NOT NULL
        AND (NEW."unsettled_since", NEW."unsettled_by_id") IS DISTINCT FROM (OLD."unsettled_since", OLD."unsettled_by_id")
        AND OLD."status" <> 'ACTIVE')
  EXECUTE FUNCTION "refuse_change"('only its deactivation leaves it unsettled');
CREATE TRIGGER "products_unsettled_since_their_end" BEFORE UPDATE ON "products" FOR EACH ROW
  WHEN (NEW."unsettled_since" IS NOT NULL
        AND (NEW."unsettled_since", NEW."unsettled_by_id") IS DISTINCT FROM (OLD."unsettled_since", OLD."unsettled_by_id")
        AND NOT OLD."licensed")
  EXECUTE FUNCTION "refuse_change"('only the end of its licence leaves it unsettled');

-- Checked at once, not at the commit: the same transaction could bring the site back by then, and what is open with it.
CREATE FUNCTION "refuse_unsettled"("of_site" uuid, "of_product" uuid, "rule" text, "in_table" text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(of_site::pg_catalog.text, 1));
  IF EXISTS (
    SELECT FROM public.grants g JOIN public.tickets t ON t.id = g.ticket_id
     WHERE g.site_id = of_site AND g.state IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE')
       AND (of_product IS NULL OR t.product_id = of_product))
  OR EXISTS (
    SELECT FROM public.change_requests c JOIN public.tickets t ON t.id = c.ticket_id
     WHERE c.site_id = of_site AND c.state IN ('PENDING_CONSENT', 'CONSENTED')
       AND (of_product IS NULL OR t.product_id = of_product)) THEN
    RAISE EXCEPTION '% of % violates constraint "%": something is open there', coalesce(of_product, of_site), in_table, rule
      USING ERRCODE = 'check_violation', CONSTRAINT = rule, TABLE = in_table;
  END IF;
END $$;

CREATE FUNCTION "site_is_settled"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.refuse_unsettled(NEW.id, NULL, TG_NAME, TG_TABLE_NAME);
  RETURN NULL;
END $$;
CREATE TRIGGER "sites_settled" AFTER UPDATE ON "sites" FOR EACH ROW
  WHEN (OLD."unsettled_since" IS NOT NULL AND NEW."unsettled_since" IS NULL)
  EXECUTE FUNCTION "site_is_settled"();

CREATE FUNCTION "product_is_settled"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.refuse_unsettled(NEW.site_id, NEW.id, TG_NAME, TG_TABLE_NAME);
  RETURN NULL;
END $$;
CREATE TRIGGER "products_settled" AFTER UPDATE ON "products" FOR EACH ROW
  WHEN (OLD."unsettled_since" IS NOT NULL AND NEW."unsettled_since" IS NULL)
  EXECUTE FUNCTION "product_is_settled"();

-- As before, except that a grant may be open on what is unsettled: it was open there at its end.
CREATE OR REPLACE VIEW "open_grant_rules" AS
  SELECT g."id" AS "grant_id", g."ticket_id", g."site_id", t."product_id",
         CASE
           WHEN t."status" = 'CLOSED' THEN 'grants_open_ticket'
           WHEN s."status" <> 'ACTIVE' AND s."unsettled_since" IS NULL THEN 'grants_active_site'
           WHEN NOT p."licensed" AND p."unsettled_since" IS NULL THEN 'grants_licensed_product'
           WHEN g."engineer_id" IS DISTINCT FROM t."assignee_id" THEN 'grants_assigned_engineer'
           WHEN g."state" <> 'ACTIVE' THEN NULL
           ELSE "broken_approval"(g."id", g."customer_approved_by_id", g."guard_required", g."same_person_may_approve_twice")
         END AS "broken"
    FROM "grants" g
    JOIN "tickets" t ON t."id" = g."ticket_id"
    JOIN "sites" s ON s."id" = g."site_id"
    JOIN "products" p ON p."id" = t."product_id"
   WHERE g."state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE');

-- Nothing is opened or approved on what has ended, settled or not.
CREATE FUNCTION "grant_is_in_use"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ended pg_catalog.text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.site_id::pg_catalog.text, 1));
  SELECT CASE WHEN s.status <> 'ACTIVE' THEN 'grants_active_site'
              WHEN NOT p.licensed THEN 'grants_licensed_product' END
    INTO ended
    FROM public.tickets t JOIN public.sites s ON s.id = t.site_id JOIN public.products p ON p.id = t.product_id
   WHERE t.id = NEW.ticket_id;
  IF ended IS NOT NULL THEN
    PERFORM public.refuse_broken_grant(NEW.id, ended);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "grants_open_in_use" AFTER INSERT ON "grants"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."ended_at" IS NULL)
  EXECUTE FUNCTION "grant_is_in_use"();
CREATE CONSTRAINT TRIGGER "grants_approved_in_use" AFTER UPDATE ON "grants"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."state" IN ('PENDING_GUARD_APPROVAL', 'ACTIVE') AND NEW."state" <> OLD."state")
  EXECUTE FUNCTION "grant_is_in_use"();

-- What is unsettled needs no look at every open grant there.
DROP TRIGGER "sites_keep_rules" ON "sites";
CREATE CONSTRAINT TRIGGER "sites_keep_rules" AFTER UPDATE ON "sites"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."status" <> 'ACTIVE' AND OLD."status" = 'ACTIVE' AND NEW."unsettled_since" IS NULL)
  EXECUTE FUNCTION "site_keeps_rules"();
DROP TRIGGER "products_keep_rules" ON "products";
CREATE CONSTRAINT TRIGGER "products_keep_rules" AFTER UPDATE ON "products"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD."licensed" AND NOT NEW."licensed" AND NEW."unsettled_since" IS NULL)
  EXECUTE FUNCTION "product_keeps_rules"();
