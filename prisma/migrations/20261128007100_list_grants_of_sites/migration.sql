-- The grants of a site in the order of lists, in any state. On a large table, create it beforehand with CREATE INDEX
-- CONCURRENTLY and this name.
CREATE INDEX IF NOT EXISTS "grants_site_id_id_idx" ON "grants"("site_id", "id");
