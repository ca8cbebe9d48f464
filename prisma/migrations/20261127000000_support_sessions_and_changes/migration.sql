-- CreateEnum
CREATE TYPE "support_session_reason" AS ENUM ('INVESTIGATE_PROBLEM', 'REPRODUCE_PROBLEM', 'GATHER_LOGS', 'CHECK_CONFIGURATION', 'APPLY_CHANGE', 'VERIFY_SOLUTION');

-- CreateEnum
CREATE TYPE "support_session_end_reason" AS ENUM ('ENDED_BY_ENGINEER', 'IDLE_LIMIT', 'TIME_LIMIT', 'GRANT_REVOKED', 'GRANT_EXPIRED', 'GRANT_RELEASED', 'TICKET_CLOSED', 'TICKET_REASSIGNED', 'ENGINEER_DEACTIVATED', 'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED');

-- CreateEnum
CREATE TYPE "change_kind" AS ENUM ('PERMISSIONS', 'USERS_AND_GROUPS', 'SETTINGS', 'CONTENT');

-- CreateEnum
CREATE TYPE "change_request_state" AS ENUM ('PENDING_CONSENT', 'CONSENTED', 'REFUSED', 'WITHDRAWN', 'EXPIRED', 'IN_PROGRESS', 'COMPLETED');

-- CreateEnum
CREATE TYPE "change_result" AS ENUM ('APPLIED', 'FAILED', 'NOT_APPLIED');

-- AlterEnum
ALTER TYPE "service_capability" ADD VALUE 'ACCESS_EVALUATION';

-- AlterTable
ALTER TABLE "accounts" ADD COLUMN     "evaluated_products" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "sites" ADD COLUMN     "data_residency_pinned" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "engineer_countries" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "session_idle_seconds" INTEGER NOT NULL DEFAULT 1800,
ADD COLUMN     "max_session_seconds" INTEGER NOT NULL DEFAULT 28800;

-- AlterTable
ALTER TABLE "audit_entries" ADD COLUMN     "session_id" UUID;

-- CreateTable
CREATE TABLE "support_sessions" (
    "id" UUID NOT NULL,
    "grant_id" UUID NOT NULL,
    "ticket_id" UUID NOT NULL,
    "site_id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "engineer_id" UUID NOT NULL,
    "reason" "support_session_reason" NOT NULL,
    "note" TEXT NOT NULL,
    "country" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "idle_seconds" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" "support_session_end_reason",
    "ended_by_id" UUID,
    "version" INTEGER NOT NULL,

    CONSTRAINT "support_sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "change_requests" (
    "id" UUID NOT NULL,
    "ticket_id" UUID NOT NULL,
    "site_id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "kind" "change_kind" NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "justification" TEXT NOT NULL,
    "requested_by_id" UUID NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "valid_until" TIMESTAMPTZ(3) NOT NULL,
    "state" "change_request_state" NOT NULL,
    "decided_by_id" UUID,
    "decided_at" TIMESTAMPTZ(3),
    "decision_reason" TEXT,
    "allowed_at" TIMESTAMPTZ(3),
    "session_id" UUID,
    "result" "change_result",
    "result_note" TEXT,
    "ended_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL,

    CONSTRAINT "change_requests_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "support_sessions_grant_id_id_idx" ON "support_sessions"("grant_id", "id");

-- CreateIndex
CREATE INDEX "support_sessions_ticket_id_id_idx" ON "support_sessions"("ticket_id", "id");

-- CreateIndex
CREATE INDEX "support_sessions_site_id_id_idx" ON "support_sessions"("site_id", "id");

-- CreateIndex
CREATE INDEX "support_sessions_engineer_id_id_idx" ON "support_sessions"("engineer_id", "id");

-- CreateIndex
CREATE INDEX "support_sessions_ended_by_id_idx" ON "support_sessions"("ended_by_id");

-- CreateIndex
CREATE INDEX "change_requests_ticket_id_id_idx" ON "change_requests"("ticket_id", "id");

-- CreateIndex
CREATE INDEX "change_requests_site_id_idx" ON "change_requests"("site_id");

-- CreateIndex
CREATE INDEX "change_requests_requested_by_id_idx" ON "change_requests"("requested_by_id");

-- CreateIndex
CREATE INDEX "change_requests_decided_by_id_idx" ON "change_requests"("decided_by_id");

-- CreateIndex
CREATE INDEX "change_requests_session_id_idx" ON "change_requests"("session_id");

-- AddForeignKey
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_grant_id_fkey" FOREIGN KEY ("grant_id") REFERENCES "grants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_site_fkey" FOREIGN KEY ("site_id", "organization_id") REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_engineer_id_fkey" FOREIGN KEY ("engineer_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_ended_by_id_fkey" FOREIGN KEY ("ended_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_ticket_fkey" FOREIGN KEY ("ticket_id", "site_id") REFERENCES "tickets"("id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_site_fkey" FOREIGN KEY ("site_id", "organization_id") REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_requested_by_id_fkey" FOREIGN KEY ("requested_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_decided_by_id_fkey" FOREIGN KEY ("decided_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "support_sessions"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "sites"
  ADD CONSTRAINT "sites_session_idle" CHECK ("session_idle_seconds" > 0),
  ADD CONSTRAINT "sites_max_session" CHECK ("max_session_seconds" > 0);

-- The value of the enumeration cannot be compared in the transaction that adds it, but its text can.
ALTER TABLE "accounts"
  ADD CONSTRAINT "accounts_evaluated_products" CHECK (
    (cardinality("evaluated_products") > 0) = ('ACCESS_EVALUATION' = ANY ("capabilities"::text[])));

ALTER TABLE "support_sessions"
  ADD CONSTRAINT "support_sessions_country" CHECK ("country" ~ '^[A-Z]{2}$'),
  ADD CONSTRAINT "support_sessions_note" CHECK ("note" <> ''),
  ADD CONSTRAINT "support_sessions_order_of_time" CHECK (
    "started_at" <= "last_used_at" AND "started_at" < "expires_at" AND "due_at" <= "expires_at" AND "started_at" <= "ended_at"),
  ADD CONSTRAINT "support_sessions_idle" CHECK ("idle_seconds" > 0),
  ADD CONSTRAINT "support_sessions_end_is_whole" CHECK (
    ("ended_at" IS NULL) = ("end_reason" IS NULL) AND ("ended_by_id" IS NULL OR "ended_at" IS NOT NULL)),
  ADD CONSTRAINT "support_sessions_version" CHECK ("version" = CASE WHEN "ended_at" IS NULL THEN 1 ELSE 2 END);

-- A grant has one engineer, who uses it in one session at a time.
CREATE UNIQUE INDEX "support_sessions_open" ON "support_sessions" ("grant_id") WHERE "ended_at" IS NULL;
CREATE INDEX "support_sessions_open_of_engineer" ON "support_sessions" ("engineer_id", "id") WHERE "ended_at" IS NULL;
CREATE INDEX "support_sessions_open_on_site" ON "support_sessions" ("site_id", "id") WHERE "ended_at" IS NULL;

-- What every gateway looks for about once a second.
CREATE INDEX "support_sessions_due_at" ON "support_sessions" ("due_at") WHERE "ended_at" IS NULL;

CREATE TRIGGER "support_sessions_subject_is_final" BEFORE UPDATE ON "support_sessions" FOR EACH ROW
  WHEN ((OLD."id", OLD."grant_id", OLD."ticket_id", OLD."site_id", OLD."organization_id", OLD."engineer_id", OLD."reason",
         OLD."note", OLD."country", OLD."started_at", OLD."idle_seconds", OLD."expires_at")
        IS DISTINCT FROM
        (NEW."id", NEW."grant_id", NEW."ticket_id", NEW."site_id", NEW."organization_id", NEW."engineer_id", NEW."reason",
         NEW."note", NEW."country", NEW."started_at", NEW."idle_seconds", NEW."expires_at"))
  EXECUTE FUNCTION "refuse_change"('what it was started with does not change');
CREATE TRIGGER "support_sessions_end_is_final" BEFORE UPDATE ON "support_sessions" FOR EACH ROW
  WHEN (OLD."ended_at" IS NOT NULL)
  EXECUTE FUNCTION "refuse_change"('it is over, and that is final');

-- A session is started under an active grant, by the grant's engineer.
CREATE FUNCTION "session_has_active_grant"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM public.grants g
     WHERE g.id = NEW.grant_id AND g.state = 'ACTIVE' AND g.engineer_id = NEW.engineer_id
       AND g.ticket_id = NEW.ticket_id AND g.site_id = NEW.site_id) THEN
    RAISE EXCEPTION 'support session % violates constraint "support_sessions_active_grant": grant % is not active for its engineer', NEW.id, NEW.grant_id
      USING ERRCODE = 'check_violation', CONSTRAINT = 'support_sessions_active_grant', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "support_sessions_active_grant" BEFORE INSERT ON "support_sessions"
  FOR EACH ROW EXECUTE FUNCTION "session_has_active_grant"();

ALTER TABLE "change_requests"
  ADD CONSTRAINT "change_requests_texts" CHECK (
    "resource_type" <> '' AND "resource_id" <> '' AND "description" <> '' AND "justification" <> ''),
  ADD CONSTRAINT "change_requests_order_of_time" CHECK (
    "requested_at" < "valid_until" AND "requested_at" <= "decided_at" AND "decided_at" <= "allowed_at"
    AND "requested_at" <= "ended_at"),
  ADD CONSTRAINT "change_requests_decision_is_whole" CHECK (
    ("decided_at" IS NULL) = ("decided_by_id" IS NULL) AND ("decision_reason" IS NULL OR "decided_at" IS NOT NULL)),
  -- A change is made only after the customer's consent.
  ADD CONSTRAINT "change_requests_decided_states" CHECK (
    CASE "state"
      WHEN 'PENDING_CONSENT' THEN "decided_at" IS NULL
      WHEN 'WITHDRAWN' THEN TRUE
      WHEN 'EXPIRED' THEN TRUE
      ELSE "decided_at" IS NOT NULL
    END),
  ADD CONSTRAINT "change_requests_allowed_states" CHECK (
    ("state" IN ('IN_PROGRESS', 'COMPLETED')) = ("allowed_at" IS NOT NULL) AND ("allowed_at" IS NULL) = ("session_id" IS NULL)),
  ADD CONSTRAINT "change_requests_result" CHECK (
    ("state" = 'COMPLETED') = ("result" IS NOT NULL) AND ("result_note" IS NULL OR "result" IS NOT NULL)),
  ADD CONSTRAINT "change_requests_final_states" CHECK (
    ("state" IN ('REFUSED', 'WITHDRAWN', 'EXPIRED', 'COMPLETED')) = ("ended_at" IS NOT NULL)),
  ADD CONSTRAINT "change_requests_version" CHECK ("version" >= 1);

-- What every gateway looks for about once a second.
CREATE INDEX "change_requests_valid_until" ON "change_requests" ("valid_until") WHERE "state" IN ('PENDING_CONSENT', 'CONSENTED');

CREATE TRIGGER "change_requests_subject_is_final" BEFORE UPDATE ON "change_requests" FOR EACH ROW
  WHEN ((OLD."id", OLD."ticket_id", OLD."site_id", OLD."organization_id", OLD."kind", OLD."resource_type", OLD."resource_id",
         OLD."description", OLD."justification", OLD."requested_by_id", OLD."requested_at", OLD."valid_until")
        IS DISTINCT FROM
        (NEW."id", NEW."ticket_id", NEW."site_id", NEW."organization_id", NEW."kind", NEW."resource_type", NEW."resource_id",
         NEW."description", NEW."justification", NEW."requested_by_id", NEW."requested_at", NEW."valid_until"))
  EXECUTE FUNCTION "refuse_change"('what was asked for does not change');
CREATE TRIGGER "change_requests_end_is_final" BEFORE UPDATE ON "change_requests" FOR EACH ROW
  WHEN (OLD."ended_at" IS NOT NULL)
  EXECUTE FUNCTION "refuse_change"('it is over, and that is final');
-- So that what one change was allowed is never allowed twice.
CREATE TRIGGER "change_requests_version_step" BEFORE UPDATE ON "change_requests" FOR EACH ROW
  WHEN (NEW."version" <> OLD."version" + 1)
  EXECUTE FUNCTION "refuse_change"('each change is one version');
