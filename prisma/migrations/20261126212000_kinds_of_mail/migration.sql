-- The queue of mail to Guard admins becomes the queue of every kind of mail. Mail that waits keeps waiting.
ALTER TABLE "guard_mails" RENAME TO "mails";

-- What a mail is about depends on its kind.
ALTER TABLE "mails" DROP CONSTRAINT "guard_mails_grant_id_fkey";
ALTER TABLE "mails" RENAME COLUMN "grant_id" TO "about_id";
ALTER TABLE "mails"
  ADD COLUMN "kind" TEXT NOT NULL DEFAULT 'guard-request',
  ADD COLUMN "details" JSONB NOT NULL DEFAULT '{}';
-- Every new mail says its kind.
ALTER TABLE "mails" ALTER COLUMN "kind" DROP DEFAULT;

ALTER TABLE "mails"
  DROP CONSTRAINT "guard_mails_pkey",
  ADD CONSTRAINT "mails_pkey" PRIMARY KEY ("about_id", "recipient_id", "kind");
ALTER TABLE "mails" RENAME CONSTRAINT "guard_mails_recipient_id_fkey" TO "mails_recipient_id_fkey";
ALTER TABLE "mails" RENAME CONSTRAINT "guard_mails_attempts" TO "mails_attempts";
ALTER TABLE "mails" RENAME CONSTRAINT "guard_mails_settled_at" TO "mails_settled_at";
ALTER INDEX "guard_mails_recipient_id_idx" RENAME TO "mails_recipient_id_idx";
ALTER INDEX "guard_mails_created_at_idx" RENAME TO "mails_created_at_idx";
ALTER INDEX "guard_mails_due" RENAME TO "mails_due";
ALTER TRIGGER "guard_mails_recipient_kind" ON "mails" RENAME TO "mails_recipient_kind";

-- The previous version, which runs beside this one during an upgrade, knows the queue by this name. It also names the
-- type of the state, "guard_mail_state", which therefore keeps its name.
CREATE VIEW "guard_mails" AS
  SELECT "about_id" AS "grant_id", "recipient_id", "state", "attempts", "due_at", "last_error", "created_at",
         "settled_at", "kind"
    FROM "mails" WHERE "kind" = 'guard-request';
ALTER VIEW "guard_mails" ALTER COLUMN "kind" SET DEFAULT 'guard-request';
