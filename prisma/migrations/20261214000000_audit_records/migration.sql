-- What an entry of the audit log was about, as it was called then, and by which request it was caused: so that whoever gets an
-- entry needs to look nothing up. Entries that are there have none of it, and gateways of the previous version write none.
--
-- Time and locks: milliseconds, whatever the size of the log.
ALTER TABLE "audit_entries" ADD COLUMN "site_url" TEXT,
  ADD COLUMN "ticket_key" TEXT,
  ADD COLUMN "request_id" TEXT,
  ADD COLUMN "trace_id" TEXT,
  ADD COLUMN "user_agent" TEXT;
