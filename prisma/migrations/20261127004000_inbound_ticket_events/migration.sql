-- CreateEnum
CREATE TYPE "inbound_ticket_event_type" AS ENUM ('CREATED', 'UPDATED', 'ASSIGNED', 'STATUS_CHANGED', 'CLOSED');

-- CreateEnum
CREATE TYPE "inbound_ticket_event_state" AS ENUM ('RECEIVED', 'APPLIED', 'WAITING', 'KEPT');

-- CreateEnum
CREATE TYPE "inbound_ticket_event_reason" AS ENUM ('NO_TICKET_YET', 'TICKET_CLOSED', 'SITE_UNKNOWN', 'PRODUCT_UNKNOWN', 'REPORTER_NOT_A_MEMBER', 'ENGINEER_UNKNOWN', 'REFUSED');

-- AlterTable
ALTER TABLE "tickets" ADD COLUMN     "integration_id" UUID,
ADD COLUMN     "external_id" TEXT,
ADD COLUMN     "status_moment" TEXT,
ADD COLUMN     "assignment_moment" TEXT;

-- CreateTable
CREATE TABLE "inbound_ticket_events" (
    "id" UUID NOT NULL,
    "integration_id" UUID NOT NULL,
    "webhook_id" TEXT NOT NULL,
    "type" "inbound_ticket_event_type" NOT NULL,
    "external_id" TEXT NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "moment" TEXT NOT NULL,
    "content" JSONB NOT NULL,
    "state" "inbound_ticket_event_state" NOT NULL,
    "reason" "inbound_ticket_event_reason",
    "refusal_code" TEXT,
    "ticket_id" UUID,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "kept_at" TIMESTAMPTZ(3),
    "attempt" INTEGER NOT NULL,

    CONSTRAINT "inbound_ticket_events_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "inbound_ticket_events_integration_id_webhook_id_key" ON "inbound_ticket_events"("integration_id", "webhook_id");

-- CreateIndex
CREATE INDEX "inbound_ticket_events_integration_id_id_idx" ON "inbound_ticket_events"("integration_id", "id");

-- CreateIndex
CREATE INDEX "inbound_ticket_events_state_id_idx" ON "inbound_ticket_events"("state", "id");

-- CreateIndex
CREATE INDEX "inbound_ticket_events_ticket_id_idx" ON "inbound_ticket_events"("ticket_id");

-- CreateIndex
CREATE INDEX "inbound_ticket_events_received_at_idx" ON "inbound_ticket_events"("received_at");

-- CreateIndex
CREATE UNIQUE INDEX "tickets_integration_id_external_id_key" ON "tickets"("integration_id", "external_id");

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inbound_ticket_events" ADD CONSTRAINT "inbound_ticket_events_integration_id_fkey" FOREIGN KEY ("integration_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inbound_ticket_events" ADD CONSTRAINT "inbound_ticket_events_ticket_id_fkey" FOREIGN KEY ("ticket_id") REFERENCES "tickets"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

-- A ticket has an id of its ticketing system's only together with the integration that knows it by that id, and only
-- such a ticket remembers how old the news of it is.
ALTER TABLE "tickets"
  ADD CONSTRAINT "tickets_external_id_is_whole" CHECK (("integration_id" IS NULL) = ("external_id" IS NULL)),
  ADD CONSTRAINT "tickets_external_id" CHECK ("external_id" <> ''),
  ADD CONSTRAINT "tickets_moments" CHECK (
    "external_id" IS NOT NULL OR ("status_moment" IS NULL AND "assignment_moment" IS NULL));

-- Another ticket's events would reach it otherwise.
CREATE TRIGGER "tickets_external_id_is_final" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN ((OLD."integration_id", OLD."external_id") IS DISTINCT FROM (NEW."integration_id", NEW."external_id"))
  EXECUTE FUNCTION "refuse_change"('its id in the ticketing system does not change');

-- An older event undoes nothing.
CREATE TRIGGER "tickets_moments_grow" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN (NEW."status_moment" COLLATE "C" < OLD."status_moment" OR NEW."assignment_moment" COLLATE "C" < OLD."assignment_moment"
        OR (NEW."status_moment" IS NULL AND OLD."status_moment" IS NOT NULL)
        OR (NEW."assignment_moment" IS NULL AND OLD."assignment_moment" IS NOT NULL))
  EXECUTE FUNCTION "refuse_change"('what it remembers of its events does not become older');

-- Only ticketing systems have ids of their own for tickets.
CREATE TRIGGER "tickets_integration_kind" BEFORE INSERT ON "tickets"
  FOR EACH ROW WHEN (NEW."integration_id" IS NOT NULL)
  EXECUTE FUNCTION "account_is_of_kind"('integration_id', 'SERVICE_ACCOUNT');

ALTER TABLE "inbound_ticket_events"
  ADD CONSTRAINT "inbound_ticket_events_texts" CHECK ("webhook_id" <> '' AND "external_id" <> '' AND "moment" <> ''),
  ADD CONSTRAINT "inbound_ticket_events_attempt" CHECK ("attempt" > 0),
  -- Whoever looks at an event that was not applied learns why.
  ADD CONSTRAINT "inbound_ticket_events_reason" CHECK (
    ("state" IN ('WAITING', 'KEPT')) = ("reason" IS NOT NULL) AND ("reason" IS NULL OR "kept_at" IS NOT NULL)),
  ADD CONSTRAINT "inbound_ticket_events_refusal_code" CHECK (
    ("reason" IS NOT DISTINCT FROM 'REFUSED') = ("refusal_code" IS NOT NULL));

-- What was sent and signed is what is applied, however late.
CREATE TRIGGER "inbound_ticket_events_content_is_final" BEFORE UPDATE ON "inbound_ticket_events" FOR EACH ROW
  WHEN ((OLD."id", OLD."integration_id", OLD."webhook_id", OLD."type", OLD."external_id", OLD."occurred_at", OLD."moment",
         OLD."content", OLD."received_at")
        IS DISTINCT FROM
        (NEW."id", NEW."integration_id", NEW."webhook_id", NEW."type", NEW."external_id", NEW."occurred_at", NEW."moment",
         NEW."content", NEW."received_at"))
  EXECUTE FUNCTION "refuse_change"('what the ticketing system sent does not change');
CREATE TRIGGER "inbound_ticket_events_application_is_final" BEFORE UPDATE ON "inbound_ticket_events" FOR EACH ROW
  WHEN (OLD."state" = 'APPLIED')
  EXECUTE FUNCTION "refuse_change"('it was applied, and that is final');

-- The events that wait for their ticket, and the number of events that an integration has not had applied.
CREATE INDEX "inbound_ticket_events_waiting" ON "inbound_ticket_events" ("integration_id", "external_id") WHERE "state" = 'WAITING';
CREATE INDEX "inbound_ticket_events_not_applied" ON "inbound_ticket_events" ("integration_id", "id") WHERE "state" IN ('WAITING', 'KEPT');
