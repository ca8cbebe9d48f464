-- A request is decided by the terms under which it was opened, or by its site's present ones where they are tighter.
-- Null in a grant that is over already: what its site demanded at that time is not known.
ALTER TABLE "grants"
  ADD COLUMN "guard_required" BOOLEAN,
  ADD COLUMN "max_grant_seconds" INTEGER,
  ADD COLUMN "same_person_may_approve_twice" BOOLEAN;

-- What is open gets its site's present settings. What awaits the Guard was opened or approved on a restricted site.
UPDATE "grants" AS g
   SET "guard_required" = s."support_access_restricted" OR g."state" = 'PENDING_GUARD_APPROVAL',
       "max_grant_seconds" = s."max_grant_seconds",
       "same_person_may_approve_twice" = s."same_person_may_approve_twice"
  FROM "sites" AS s
 WHERE s."id" = g."site_id" AND g."ended_at" IS NULL;

ALTER TABLE "grants"
  ADD CONSTRAINT "grants_terms_are_whole" CHECK (
    ("guard_required" IS NULL) = ("same_person_may_approve_twice" IS NULL) AND
    ("max_grant_seconds" IS NULL OR "guard_required" IS NOT NULL)),
  ADD CONSTRAINT "grants_open_have_terms" CHECK ("ended_at" IS NOT NULL OR "guard_required" IS NOT NULL),
  ADD CONSTRAINT "grants_max_grant" CHECK ("max_grant_seconds" > 0);

-- A gateway of the previous version does not know the terms, and inserts null: the site's present settings are those of
-- the opening. (A later version may drop this, when no gateway of that version runs any more.)
CREATE FUNCTION "grant_has_terms_of_its_site"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT s.support_access_restricted, s.max_grant_seconds, s.same_person_may_approve_twice
    INTO NEW.guard_required, NEW.max_grant_seconds, NEW.same_person_may_approve_twice
    FROM sites s WHERE s.id = NEW.site_id;
  RETURN NEW;
END $$;
CREATE TRIGGER "grants_have_terms" BEFORE INSERT ON "grants"
  FOR EACH ROW WHEN (NEW."guard_required" IS NULL) EXECUTE FUNCTION "grant_has_terms_of_its_site"();

-- The terms are those of the opening, whatever happens later.
CREATE FUNCTION "grant_terms_are_final"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the terms of grant % cannot change', OLD.id USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER "grants_terms_are_final"
  BEFORE UPDATE OF "guard_required", "max_grant_seconds", "same_person_may_approve_twice" ON "grants"
  FOR EACH ROW WHEN (ROW(OLD."guard_required", OLD."max_grant_seconds", OLD."same_person_may_approve_twice")
    IS DISTINCT FROM ROW(NEW."guard_required", NEW."max_grant_seconds", NEW."same_person_may_approve_twice"))
  EXECUTE FUNCTION "grant_terms_are_final"();

-- A request may be approved more than once: an approval lapses when the person who gave it may no longer grant.
DROP INDEX "decisions_grant_id_stage_key";
CREATE INDEX IF NOT EXISTS "decisions_grant_id_decided_at_id_idx" ON "decisions"("grant_id", "decided_at", "id");
