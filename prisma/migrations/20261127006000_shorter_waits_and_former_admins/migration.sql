-- AlterTable
ALTER TABLE "organizations" ADD COLUMN     "former_admin_id" UUID,
ADD COLUMN     "former_admin_since" TIMESTAMPTZ(3);

-- CreateIndex
CREATE INDEX "organizations_former_admin_id_idx" ON "organizations"("former_admin_id");

-- AddForeignKey
ALTER TABLE "organizations" ADD CONSTRAINT "organizations_former_admin_id_fkey" FOREIGN KEY ("former_admin_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "organizations"
  ADD CONSTRAINT "organizations_former_admin" CHECK (("former_admin_id" IS NULL) = ("former_admin_since" IS NULL));

-- A policy that lets requests wait less long brings their deadlines forward. No policy gives a request more time than it
-- was opened with.
CREATE TRIGGER "grants_wait_only_shortens" BEFORE UPDATE ON "grants" FOR EACH ROW
  WHEN (NEW."approval_due_at" > OLD."approval_due_at")
  EXECUTE FUNCTION "refuse_change"('its deadline is only brought forward');

-- How many changes of an organization wait is counted before another one is proposed.
CREATE INDEX IF NOT EXISTS "proposed_changes_waiting_of_organization" ON "proposed_changes" ("organization_id", "needs")
  WHERE "state" = 'WAITING';
