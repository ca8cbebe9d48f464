-- Streams of the audit log to endpoints of its organization. Time and locks: milliseconds, new tables alone.

-- CreateEnum
CREATE TYPE "audit_stream_state" AS ENUM ('ACTIVE', 'PAUSED', 'DISABLED');

-- CreateTable
CREATE TABLE "audit_streams" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "format" TEXT NOT NULL,
    "filter" JSONB NOT NULL,
    "max_batch_bytes" INTEGER NOT NULL,
    "state" "audit_stream_state" NOT NULL,
    "disabled_reason" TEXT,
    "created_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL,

    CONSTRAINT "audit_streams_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_stream_secrets" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "stream_id" UUID NOT NULL,
    "secret" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "audit_stream_secrets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_stream_progress" (
    "stream_id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "generation" INTEGER NOT NULL,
    "batch_ends" BIGINT[],
    "attempts" INTEGER NOT NULL,
    "first_failed_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "last_attempt_at" TIMESTAMPTZ(3),
    "last_success_at" TIMESTAMPTZ(3),
    "last_error" TEXT,
    "test_requested_at" TIMESTAMPTZ(3),
    "tested_at" TIMESTAMPTZ(3),
    "test_error" TEXT,
    "leased_by" UUID,
    "leased_until" TIMESTAMPTZ(3),

    CONSTRAINT "audit_stream_progress_pkey" PRIMARY KEY ("stream_id")
);

-- CreateIndex
CREATE INDEX "audit_streams_organization_id_id_idx" ON "audit_streams"("organization_id", "id");

-- CreateIndex
CREATE INDEX "audit_streams_created_by_id_idx" ON "audit_streams"("created_by_id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_streams_id_organization_id_key" ON "audit_streams"("id", "organization_id");

-- CreateIndex
CREATE INDEX "audit_stream_secrets_stream_id_organization_id_idx" ON "audit_stream_secrets"("stream_id", "organization_id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_stream_progress_stream_id_organization_id_key" ON "audit_stream_progress"("stream_id", "organization_id");

-- AddForeignKey
ALTER TABLE "audit_streams" ADD CONSTRAINT "audit_streams_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "audit_streams" ADD CONSTRAINT "audit_streams_created_by_id_fkey" FOREIGN KEY ("created_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "audit_stream_secrets" ADD CONSTRAINT "audit_stream_secrets_stream_id_organization_id_fkey" FOREIGN KEY ("stream_id", "organization_id") REFERENCES "audit_streams"("id", "organization_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "audit_stream_progress" ADD CONSTRAINT "audit_stream_progress_stream_id_organization_id_fkey" FOREIGN KEY ("stream_id", "organization_id") REFERENCES "audit_streams"("id", "organization_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "audit_streams"
  ADD CONSTRAINT "audit_streams_batch_bytes" CHECK ("max_batch_bytes" BETWEEN 1000 AND 1000000),
  ADD CONSTRAINT "audit_streams_disabled" CHECK (("state" = 'DISABLED') = ("disabled_reason" IS NOT NULL));

ALTER TABLE "audit_stream_progress"
  ADD CONSTRAINT "audit_stream_progress_position" CHECK ("position" >= 0),
  ADD CONSTRAINT "audit_stream_progress_failing" CHECK (("attempts" > 0) = ("first_failed_at" IS NOT NULL)),
  ADD CONSTRAINT "audit_stream_progress_lease" CHECK (("leased_by" IS NULL) = ("leased_until" IS NULL));

-- Of a stream, one secret is the newest.
CREATE UNIQUE INDEX "audit_stream_secrets_newest" ON "audit_stream_secrets" ("stream_id") WHERE "expires_at" IS NULL;

CREATE TRIGGER "audit_streams_subject_is_final" BEFORE UPDATE ON "audit_streams" FOR EACH ROW
  WHEN ((OLD."id", OLD."organization_id", OLD."created_by_id", OLD."created_at")
        IS DISTINCT FROM (NEW."id", NEW."organization_id", NEW."created_by_id", NEW."created_at"))
  EXECUTE FUNCTION "refuse_change"('whose stream it is, and who created it, does not change');
