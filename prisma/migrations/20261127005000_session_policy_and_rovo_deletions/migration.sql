-- CreateEnum
CREATE TYPE "rovo_data_deletion_state" AS ENUM ('REQUESTED', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'WITHDRAWN');

-- CreateTable
CREATE TABLE "rovo_data_deletions" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "site_id" UUID,
    "requested_by_id" UUID NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT,
    "state" "rovo_data_deletion_state" NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "failure_reason" TEXT,
    "ended_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL,

    CONSTRAINT "rovo_data_deletions_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "rovo_data_deletions_organization_id_id_idx" ON "rovo_data_deletions"("organization_id", "id");

-- CreateIndex
CREATE INDEX "rovo_data_deletions_site_id_idx" ON "rovo_data_deletions"("site_id");

-- CreateIndex
CREATE INDEX "rovo_data_deletions_requested_by_id_idx" ON "rovo_data_deletions"("requested_by_id");

-- CreateIndex
CREATE INDEX "rovo_data_deletions_state_id_idx" ON "rovo_data_deletions"("state", "id");

-- AddForeignKey
ALTER TABLE "rovo_data_deletions" ADD CONSTRAINT "rovo_data_deletions_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rovo_data_deletions" ADD CONSTRAINT "rovo_data_deletions_site_fkey" FOREIGN KEY ("site_id", "organization_id") REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rovo_data_deletions" ADD CONSTRAINT "rovo_data_deletions_requested_by_id_fkey" FOREIGN KEY ("requested_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

-- The limits of sessions and the countries are new, so every row has their defaults, which keep these rules.
ALTER TABLE "sites"
  -- The idle limit would never count.
  ADD CONSTRAINT "sites_session_limits" CHECK ("session_idle_seconds" <= "max_session_seconds"),
  -- NULL among them would be no country, and an array that lacks them would be no list.
  ADD CONSTRAINT "sites_engineer_countries" CHECK (
    "engineer_countries" IS NOT NULL
    AND cardinality("engineer_countries") <= 250
    AND array_to_string("engineer_countries", ',', '!') ~ '^([A-Z]{2}(,[A-Z]{2})*)?$');

ALTER TABLE "rovo_data_deletions"
  ADD CONSTRAINT "rovo_data_deletions_texts" CHECK ("reason" <> '' AND "failure_reason" <> ''),
  ADD CONSTRAINT "rovo_data_deletions_order_of_time" CHECK (
    "requested_at" <= "started_at" AND "requested_at" <= "ended_at" AND "started_at" <= "ended_at"),
  -- Only what has begun can be completed or fail, and only what has not begun is withdrawn.
  ADD CONSTRAINT "rovo_data_deletions_started_states" CHECK (
    ("state" IN ('IN_PROGRESS', 'COMPLETED', 'FAILED')) = ("started_at" IS NOT NULL)),
  ADD CONSTRAINT "rovo_data_deletions_failure" CHECK ("failure_reason" IS NULL OR "state" = 'FAILED'),
  ADD CONSTRAINT "rovo_data_deletions_final_states" CHECK (
    ("state" IN ('COMPLETED', 'WITHDRAWN')) = ("ended_at" IS NOT NULL)),
  ADD CONSTRAINT "rovo_data_deletions_version" CHECK ("version" >= 1);

-- Of the whole organization, and of each of its sites, at most one is open.
CREATE UNIQUE INDEX "rovo_data_deletions_open_once" ON "rovo_data_deletions" ("organization_id", "site_id")
  NULLS NOT DISTINCT WHERE "ended_at" IS NULL;

CREATE TRIGGER "rovo_data_deletions_subject_is_final" BEFORE UPDATE ON "rovo_data_deletions" FOR EACH ROW
  WHEN ((OLD."id", OLD."organization_id", OLD."site_id", OLD."requested_by_id", OLD."requested_at", OLD."reason")
        IS DISTINCT FROM
        (NEW."id", NEW."organization_id", NEW."site_id", NEW."requested_by_id", NEW."requested_at", NEW."reason"))
  EXECUTE FUNCTION "refuse_change"('what was asked for does not change');
CREATE TRIGGER "rovo_data_deletions_end_is_final" BEFORE UPDATE ON "rovo_data_deletions" FOR EACH ROW
  WHEN (OLD."ended_at" IS NOT NULL)
  EXECUTE FUNCTION "refuse_change"('it is over, and that is final');
-- Each change is one version. So a step that was decided on an old version is never written over a newer one.
CREATE TRIGGER "rovo_data_deletions_version_step" BEFORE UPDATE ON "rovo_data_deletions" FOR EACH ROW
  WHEN (NEW."version" <> OLD."version" + 1)
  EXECUTE FUNCTION "refuse_change"('each change is one version');
