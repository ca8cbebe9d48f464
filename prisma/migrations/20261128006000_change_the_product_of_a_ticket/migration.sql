-- AlterEnum
ALTER TYPE "change_request_end_reason" ADD VALUE 'PRODUCT_CHANGED';

-- AlterEnum
ALTER TYPE "grant_end_reason" ADD VALUE 'PRODUCT_CHANGED';

-- AlterEnum
ALTER TYPE "support_session_end_reason" ADD VALUE 'PRODUCT_CHANGED';

-- AlterTable
ALTER TABLE "tickets" ADD COLUMN     "product_moment" TEXT,
ADD COLUMN     "summary_moment" TEXT;

-- What follows is what the schema language cannot say.

-- A ticket may come to be about another product of its site. Its site, reporter and key never change.
DROP TRIGGER "tickets_subject_is_final" ON "tickets";
CREATE TRIGGER "tickets_subject_is_final" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN ((OLD."id", OLD."key", OLD."site_id", OLD."reporter_id")
        IS DISTINCT FROM (NEW."id", NEW."key", NEW."site_id", NEW."reporter_id"))
  EXECUTE FUNCTION "refuse_change"('its site and reporter do not change');

-- Nothing that was granted or asked for one product is there for another one. The foreign key of a new grant locks the
-- ticket, so that none is opened beside the change.
CREATE FUNCTION "ticket_changes_product"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  open_grant uuid;
BEGIN
  PERFORM FROM public.tickets WHERE id = NEW.id FOR UPDATE;
  SELECT id INTO open_grant FROM public.grants WHERE ticket_id = NEW.id AND ended_at IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'open grant % violates constraint "%": its ticket is about another product now', open_grant, TG_NAME
      USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = 'grants';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "tickets_product_ends_grants" AFTER UPDATE ON "tickets"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."product_id" <> OLD."product_id")
  EXECUTE FUNCTION "ticket_changes_product"();

ALTER TABLE "tickets"
  DROP CONSTRAINT "tickets_moments",
  ADD CONSTRAINT "tickets_moments" CHECK (
    "external_id" IS NOT NULL OR ("status_moment" IS NULL AND "assignment_moment" IS NULL AND
                                  "summary_moment" IS NULL AND "product_moment" IS NULL));

DROP TRIGGER "tickets_moments_grow" ON "tickets";
CREATE TRIGGER "tickets_moments_grow" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN (NEW."status_moment" COLLATE "C" < OLD."status_moment" OR NEW."assignment_moment" COLLATE "C" < OLD."assignment_moment"
        OR NEW."summary_moment" COLLATE "C" < OLD."summary_moment" OR NEW."product_moment" COLLATE "C" < OLD."product_moment"
        OR (NEW."status_moment" IS NULL AND OLD."status_moment" IS NOT NULL)
        OR (NEW."assignment_moment" IS NULL AND OLD."assignment_moment" IS NOT NULL)
        OR (NEW."summary_moment" IS NULL AND OLD."summary_moment" IS NOT NULL)
        OR (NEW."product_moment" IS NULL AND OLD."product_moment" IS NOT NULL))
  EXECUTE FUNCTION "refuse_change"('what it remembers of its events does not become older');
