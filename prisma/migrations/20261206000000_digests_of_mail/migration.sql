-- Gateways of the previous version queue mail that is not in a digest, and send what is in one as single mails.
ALTER TABLE "mails" ADD COLUMN "in_digest" BOOLEAN NOT NULL DEFAULT false;

-- How many single mails somebody has had lately.
CREATE INDEX IF NOT EXISTS "mails_single" ON "mails" ("recipient_id", "created_at") WHERE NOT "in_digest";

-- The members of a digest, from the one that is due first.
CREATE INDEX IF NOT EXISTS "mails_in_digest" ON "mails" ("recipient_id", "due_at")
  WHERE "in_digest" AND "state" = 'WAITING';
