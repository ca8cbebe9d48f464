-- A consent that a ticketing system relays is recorded as relayed, and by which one.
CREATE TYPE "relayed_consent_outcome" AS ENUM ('COUNTED', 'AWAITS_CONFIRMATION', 'REPORTER_NOT_ELIGIBLE', 'NO_REQUEST');

ALTER TABLE "decisions" ADD COLUMN "relayed_by_id" UUID;
ALTER TABLE "sites" ADD COLUMN "relayed_consent_counts" BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE "tickets"
  ADD COLUMN "consent_relayed_by_id" UUID,
  ADD COLUMN "relayed_consent" "relayed_consent_outcome";

-- AddForeignKey
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_relayed_by_id_fkey" FOREIGN KEY ("relayed_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_consent_relayed_by_id_fkey" FOREIGN KEY ("consent_relayed_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

-- Only a customer's approval can be relayed: nobody denies, or decides as the Guard, through a program.
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_relayed"
  CHECK ("relayed_by_id" IS NULL OR ("stage" = 'CUSTOMER' AND "outcome" = 'APPROVED'));
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_relayed_consent"
  CHECK (("consent_relayed_by_id" IS NULL) = ("relayed_consent" IS NULL));

-- Only a program relays. What is not relayed, such as the decision of a click, costs no look at the accounts.
CREATE TRIGGER "decisions_relay_kind" BEFORE INSERT ON "decisions"
  FOR EACH ROW WHEN (NEW."relayed_by_id" IS NOT NULL)
  EXECUTE FUNCTION "account_is_of_kind"('relayed_by_id', 'SERVICE_ACCOUNT');
CREATE TRIGGER "tickets_relay_kind" BEFORE INSERT ON "tickets"
  FOR EACH ROW WHEN (NEW."consent_relayed_by_id" IS NOT NULL)
  EXECUTE FUNCTION "account_is_of_kind"('consent_relayed_by_id', 'SERVICE_ACCOUNT');

-- It belongs to the filing of the ticket.
CREATE TRIGGER "tickets_relayed_consent_is_final" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN ((OLD."consent_relayed_by_id", OLD."relayed_consent")
        IS DISTINCT FROM (NEW."consent_relayed_by_id", NEW."relayed_consent"))
  EXECUTE FUNCTION "refuse_change"('what came of its relayed consent does not change');
