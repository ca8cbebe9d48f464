-- CreateEnum
CREATE TYPE "proposed_change_kind" AS ENUM ('SET_SUPPORT_ACCESS_RESTRICTIONS', 'SET_SUPPORT_ACCESS_POLICY', 'ASSIGN_ROLE', 'SYNC_ROLE', 'REMOVE_ROLE', 'REMOVE_USER');

-- CreateEnum
CREATE TYPE "proposed_change_state" AS ENUM ('WAITING', 'APPLIED', 'WITHDRAWN', 'DECLINED', 'EXPIRED', 'LAPSED');

-- CreateEnum
CREATE TYPE "confirmation" AS ENUM ('GUARD_ADMIN', 'ORGANIZATION_ADMIN');

-- CreateTable
CREATE TABLE "proposed_changes" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "site_id" UUID,
    "kind" "proposed_change_kind" NOT NULL,
    "about" TEXT NOT NULL,
    "input" JSONB NOT NULL,
    "before" JSONB NOT NULL,
    "after" JSONB NOT NULL,
    "summary" TEXT NOT NULL,
    "subject_id" UUID,
    "proposed_by_id" UUID NOT NULL,
    "proposed_at" TIMESTAMPTZ(3) NOT NULL,
    "needs" "confirmation" NOT NULL,
    "effective_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "state" "proposed_change_state" NOT NULL DEFAULT 'WAITING',
    "settled_by_id" UUID,
    "settled_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL,

    CONSTRAINT "proposed_changes_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "proposed_changes_organization_id_id_idx" ON "proposed_changes"("organization_id", "id");

-- CreateIndex
CREATE INDEX "proposed_changes_site_id_idx" ON "proposed_changes"("site_id");

-- CreateIndex
CREATE INDEX "proposed_changes_subject_id_idx" ON "proposed_changes"("subject_id");

-- CreateIndex
CREATE INDEX "proposed_changes_proposed_by_id_idx" ON "proposed_changes"("proposed_by_id");

-- AddForeignKey
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_site_fkey" FOREIGN KEY ("site_id", "organization_id") REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_subject_id_fkey" FOREIGN KEY ("subject_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_proposed_by_id_fkey" FOREIGN KEY ("proposed_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "proposed_changes" ADD CONSTRAINT "proposed_changes_settled_by_id_fkey" FOREIGN KEY ("settled_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "proposed_changes"
  -- Time either makes it take effect, or ends it.
  ADD CONSTRAINT "proposed_changes_due" CHECK (("effective_at" IS NULL) <> ("expires_at" IS NULL)),
  ADD CONSTRAINT "proposed_changes_due_later" CHECK (COALESCE("effective_at", "expires_at") > "proposed_at"),
  ADD CONSTRAINT "proposed_changes_settled_at" CHECK (("state" = 'WAITING') = ("settled_at" IS NULL)),
  ADD CONSTRAINT "proposed_changes_settled_by" CHECK (
    CASE "state"
      WHEN 'WAITING' THEN "settled_by_id" IS NULL
      WHEN 'EXPIRED' THEN "settled_by_id" IS NULL
      WHEN 'WITHDRAWN' THEN "settled_by_id" IS NOT NULL
      WHEN 'DECLINED' THEN "settled_by_id" IS NOT NULL
      -- Without a person it took effect by time, which only a change with that time does.
      ELSE "settled_by_id" IS NOT NULL OR "effective_at" IS NOT NULL
    END),
  -- The second person is another one than the first.
  ADD CONSTRAINT "proposed_changes_two_people" CHECK ("state" <> 'APPLIED' OR "settled_by_id" IS DISTINCT FROM "proposed_by_id"),
  ADD CONSTRAINT "proposed_changes_version" CHECK ("version" >= 1);

-- At most one change of the same thing waits.
CREATE UNIQUE INDEX "proposed_changes_waiting_once" ON "proposed_changes" ("about") WHERE "state" = 'WAITING';

-- What every gateway looks for about once a second.
CREATE INDEX "proposed_changes_due_at" ON "proposed_changes" (COALESCE("effective_at", "expires_at")) WHERE "state" = 'WAITING';

-- What was proposed stays as it was, and what is settled stays settled.
CREATE FUNCTION "proposed_change_is_kept"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  settling text[] := '{state,settled_by_id,settled_at,version}';
BEGIN
  IF TG_OP = 'DELETE' OR OLD."state" <> 'WAITING' OR to_jsonb(OLD) - settling <> to_jsonb(NEW) - settling THEN
    RAISE EXCEPTION 'proposed change % can be settled once, and changes in no other way', OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "proposed_changes_are_kept" BEFORE UPDATE OR DELETE ON "proposed_changes"
  FOR EACH ROW EXECUTE FUNCTION "proposed_change_is_kept"();
