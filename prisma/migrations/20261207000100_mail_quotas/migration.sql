-- Whose people get the mail. Gateways of the previous version queue mail without it.
ALTER TABLE "mails" ADD COLUMN "organization_id" UUID;

-- How many single mails of a kind one person, and one organization's people, were sent in each minute.
CREATE TABLE "mail_counts" (
    "scope_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "minute" TIMESTAMPTZ(3) NOT NULL,
    "mails" INTEGER NOT NULL,

    CONSTRAINT "mail_counts_pkey" PRIMARY KEY ("scope_id","kind","minute"),
    CONSTRAINT "mail_counts_mails" CHECK ("mails" > 0)
);

CREATE INDEX "mail_counts_minute_idx" ON "mail_counts"("minute");
