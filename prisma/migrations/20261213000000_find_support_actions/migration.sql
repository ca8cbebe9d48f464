-- Searches of the audit log by more than before. On large tables, create the indexes beforehand with CREATE INDEX
-- CONCURRENTLY and these names: otherwise nobody writes to the log while they are built. The column takes no time.

-- What an entry was about then: its ticket may be about another product now. Gateways of the previous version write none.
ALTER TABLE "audit_entries" ADD COLUMN "product_key" TEXT;

-- Who did anything to one resource, in one organization: the resources of products have the same ids with many.
CREATE INDEX IF NOT EXISTS "audit_entries_organization_id_resource_id_txid_seq_idx" ON "audit_entries"("organization_id", "resource_id", "txid", "seq");

-- What came from one address. Only what people and programs asked for themselves has one.
CREATE INDEX IF NOT EXISTS "audit_entries_client_address_idx" ON "audit_entries"("organization_id", "client_address", "txid", "seq")
  WHERE "client_address" IS NOT NULL;

-- What was refused. Few entries are, so few writes pay for it.
CREATE INDEX IF NOT EXISTS "audit_entries_refused_in_organization_idx" ON "audit_entries"("organization_id", "txid", "seq")
  WHERE "outcome" = 'REFUSED';
CREATE INDEX IF NOT EXISTS "audit_entries_refused_idx" ON "audit_entries"("txid", "seq") WHERE "outcome" = 'REFUSED';

-- Actors are found by the beginnings of their addresses and of their domains among the accounts, which are few and seldom
-- written, instead of on the log.
CREATE INDEX IF NOT EXISTS "accounts_email_beginning_idx" ON "accounts" ("email" COLLATE "C");
CREATE INDEX IF NOT EXISTS "accounts_domain_beginning_idx" ON "accounts" ((split_part("email", '@', -1)) COLLATE "C");
