-- One index for each documented filter of a list that had none. On a large table, create its index beforehand with
-- CREATE INDEX CONCURRENTLY and this name: this statement then finds it.
CREATE INDEX IF NOT EXISTS "accounts_kind_id_idx" ON "accounts"("kind", "id");
CREATE INDEX IF NOT EXISTS "audit_entries_grant_id_idx" ON "audit_entries"("grant_id");
CREATE INDEX IF NOT EXISTS "audit_entries_site_id_txid_seq_idx" ON "audit_entries"("site_id", "txid", "seq");
CREATE INDEX IF NOT EXISTS "audit_entries_action_txid_seq_idx" ON "audit_entries"("action", "txid", "seq");
CREATE INDEX IF NOT EXISTS "grants_state_id_idx" ON "grants"("state", "id");
CREATE INDEX IF NOT EXISTS "tickets_status_id_idx" ON "tickets"("status", "id");
