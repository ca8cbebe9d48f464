-- CreateEnum
CREATE TYPE "change_request_end_reason" AS ENUM ('REFUSED_BY_CUSTOMER', 'CONSENT_REVOKED', 'WITHDRAWN_BY_ENGINEER', 'TICKET_CLOSED', 'TICKET_REASSIGNED', 'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED', 'TIME_ELAPSED');

-- DropIndex
DROP INDEX "change_requests_site_id_idx";

-- AlterTable
ALTER TABLE "change_requests" ADD COLUMN     "end_reason" "change_request_end_reason",
ADD COLUMN     "ended_by_id" UUID;

-- CreateIndex
CREATE INDEX IF NOT EXISTS "change_requests_site_id_id_idx" ON "change_requests"("site_id", "id");

-- CreateIndex
CREATE INDEX IF NOT EXISTS "change_requests_state_id_idx" ON "change_requests"("state", "id");

-- CreateIndex
CREATE INDEX IF NOT EXISTS "change_requests_ended_by_id_idx" ON "change_requests"("ended_by_id");

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_ended_by_id_fkey" FOREIGN KEY ("ended_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say. No version that made change requests was released before it, so
-- there are no rows.

ALTER TABLE "change_requests"
  ADD CONSTRAINT "change_requests_end_reason" CHECK (
    CASE "state"
      WHEN 'REFUSED' THEN COALESCE("end_reason" IN ('REFUSED_BY_CUSTOMER', 'CONSENT_REVOKED'), FALSE)
      WHEN 'WITHDRAWN' THEN COALESCE("end_reason" IN ('WITHDRAWN_BY_ENGINEER', 'TICKET_CLOSED', 'TICKET_REASSIGNED',
                                                      'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED'), FALSE)
      WHEN 'EXPIRED' THEN COALESCE("end_reason" = 'TIME_ELAPSED', FALSE)
      ELSE "end_reason" IS NULL
    END),
  -- Time alone ends only what has expired.
  ADD CONSTRAINT "change_requests_ended_by" CHECK (
    ("state" IN ('REFUSED', 'WITHDRAWN', 'COMPLETED')) = ("ended_by_id" IS NOT NULL)),
  -- Nobody consents to what has expired, and it is not begun.
  ADD CONSTRAINT "change_requests_in_time" CHECK ("decided_at" < "valid_until" AND "allowed_at" < "valid_until");

-- A consent is of one person, at one moment, to this request.
CREATE TRIGGER "change_requests_decision_is_final" BEFORE UPDATE ON "change_requests" FOR EACH ROW
  WHEN (OLD."decided_at" IS NOT NULL
        AND (OLD."decided_by_id", OLD."decided_at", OLD."decision_reason")
            IS DISTINCT FROM (NEW."decided_by_id", NEW."decided_at", NEW."decision_reason"))
  EXECUTE FUNCTION "refuse_change"('it was decided, and that is final');

-- Nothing is begun without a consent that was given before, nor begun twice, nor taken back once it was begun.
CREATE TRIGGER "change_requests_steps" BEFORE UPDATE ON "change_requests" FOR EACH ROW
  WHEN (OLD."ended_at" IS NULL AND NOT CASE OLD."state"
          WHEN 'PENDING_CONSENT' THEN NEW."state" IN ('CONSENTED', 'REFUSED', 'WITHDRAWN', 'EXPIRED')
          WHEN 'CONSENTED' THEN NEW."state" IN ('IN_PROGRESS', 'REFUSED', 'WITHDRAWN', 'EXPIRED')
          ELSE NEW."state" = 'COMPLETED'
        END)
  EXECUTE FUNCTION "refuse_change"('its state is not followed by that one');
