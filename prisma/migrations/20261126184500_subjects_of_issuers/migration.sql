-- A subject is unique only within its issuer. Null: bound by a version that knew only one issuer.
ALTER TABLE "accounts" ADD COLUMN "subject_issuer" TEXT;

-- DropIndex
DROP INDEX "accounts_subject_key";

-- CreateIndex
CREATE UNIQUE INDEX IF NOT EXISTS "accounts_subject_subject_issuer_key" ON "accounts"("subject", "subject_issuer") NULLS NOT DISTINCT
  WHERE "subject" IS NOT NULL;

-- Only ASCII letters have a case: other letters of an address stay as they are, whatever the collation of the database.
ALTER TABLE "accounts"
  DROP CONSTRAINT "accounts_email_lower_case",
  ADD CONSTRAINT "accounts_email_lower_case" CHECK ("email" = lower("email" COLLATE "C") AND "email" <> ''),
  ADD CONSTRAINT "accounts_subject_has_issuer" CHECK ("subject_issuer" IS NULL OR "subject" IS NOT NULL);
