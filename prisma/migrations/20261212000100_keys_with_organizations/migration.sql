-- The second of four (20261212000000_whose_rows). Indexes and foreign keys by which no row belongs to another organization
-- than what it is part of. Writes wait for the indexes: on large tables, create them beforehand with
-- CREATE UNIQUE INDEX CONCURRENTLY and these names.

-- Prisma's commands do not run fill.sql: then this fills everything. Otherwise it finds a few rows that were locked.
UPDATE "products" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "tickets" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "grants" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "decisions" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "mails" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "events" SET "organization_id" = NULL WHERE "organization_id" IS NULL;
UPDATE "inbound_ticket_events" SET "organization_id" = NULL WHERE "organization_id" IS NULL AND "ticket_id" IS NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX IF NOT EXISTS "products_organization_id_id_site_id_key" ON "products"("organization_id", "id", "site_id");
CREATE UNIQUE INDEX IF NOT EXISTS "tickets_organization_id_id_key" ON "tickets"("organization_id", "id");
CREATE UNIQUE INDEX IF NOT EXISTS "tickets_organization_id_id_site_id_key" ON "tickets"("organization_id", "id", "site_id");
CREATE UNIQUE INDEX IF NOT EXISTS "grants_organization_id_id_key" ON "grants"("organization_id", "id");
CREATE UNIQUE INDEX IF NOT EXISTS "support_sessions_organization_id_id_key" ON "support_sessions"("organization_id", "id");

-- AddForeignKey
ALTER TABLE "products" ADD CONSTRAINT "products_site_fkey" FOREIGN KEY ("site_id", "organization_id")
  REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_product_fkey_new" FOREIGN KEY ("organization_id", "product_id", "site_id")
  REFERENCES "products"("organization_id", "id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_site_fkey" FOREIGN KEY ("site_id", "organization_id")
  REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_product_fkey_new" FOREIGN KEY ("organization_id", "product_id", "site_id")
  REFERENCES "products"("organization_id", "id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_ticket_fkey_new" FOREIGN KEY ("organization_id", "ticket_id", "site_id")
  REFERENCES "tickets"("organization_id", "id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "change_requests" ADD CONSTRAINT "change_requests_session_fkey" FOREIGN KEY ("organization_id", "session_id")
  REFERENCES "support_sessions"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "grants" ADD CONSTRAINT "grants_ticket_fkey_new" FOREIGN KEY ("organization_id", "ticket_id", "site_id")
  REFERENCES "tickets"("organization_id", "id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_grant_fkey" FOREIGN KEY ("organization_id", "grant_id")
  REFERENCES "grants"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_grant_fkey" FOREIGN KEY ("organization_id", "grant_id")
  REFERENCES "grants"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_ticket_fkey_new" FOREIGN KEY ("organization_id", "ticket_id", "site_id")
  REFERENCES "tickets"("organization_id", "id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "inbound_ticket_events" ADD CONSTRAINT "inbound_ticket_events_ticket_fkey" FOREIGN KEY ("organization_id", "ticket_id")
  REFERENCES "tickets"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
ALTER TABLE "mails" ADD CONSTRAINT "mails_organization_id_fkey" FOREIGN KEY ("organization_id")
  REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID;
-- Checked when a transaction commits, because a key gets its organization with the answer.
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_organization_id_fkey" FOREIGN KEY ("organization_id")
  REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID;
