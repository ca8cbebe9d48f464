-- The actions of one session. Most entries belong to none. In a migration of its own: building it reads the whole log, and
-- the one that adds the column holds a lock for which every reader waits.
CREATE INDEX IF NOT EXISTS "audit_entries_session_id" ON "audit_entries" ("session_id", "txid", "seq") WHERE "session_id" IS NOT NULL;
