-- CreateEnum
CREATE TYPE "guard_mail_state" AS ENUM ('WAITING', 'SENT', 'DROPPED', 'GIVEN_UP');

-- CreateTable
CREATE TABLE "guard_mails" (
    "grant_id" UUID NOT NULL,
    "recipient_id" UUID NOT NULL,
    "state" "guard_mail_state" NOT NULL DEFAULT 'WAITING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "last_error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "settled_at" TIMESTAMPTZ(3),

    CONSTRAINT "guard_mails_pkey" PRIMARY KEY ("grant_id","recipient_id")
);

-- CreateIndex
CREATE INDEX "guard_mails_recipient_id_idx" ON "guard_mails"("recipient_id");

-- CreateIndex
CREATE INDEX "guard_mails_created_at_idx" ON "guard_mails"("created_at");

-- AddForeignKey
ALTER TABLE "guard_mails" ADD CONSTRAINT "guard_mails_grant_id_fkey" FOREIGN KEY ("grant_id") REFERENCES "grants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "guard_mails" ADD CONSTRAINT "guard_mails_recipient_id_fkey" FOREIGN KEY ("recipient_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "guard_mails"
  ADD CONSTRAINT "guard_mails_attempts" CHECK ("attempts" >= 0),
  ADD CONSTRAINT "guard_mails_settled_at" CHECK (("state" = 'WAITING') = ("settled_at" IS NULL));

-- Guard admins are a customer's users.
CREATE TRIGGER "guard_mails_recipient_kind" BEFORE INSERT OR UPDATE OF "recipient_id" ON "guard_mails"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('recipient_id', 'USER');

-- What every gateway looks for about once a second.
CREATE INDEX "guard_mails_due" ON "guard_mails" ("due_at") WHERE "state" = 'WAITING';
