-- An evaluation of access reads the open sessions of a ticket, which may have any number of sessions that are over.
CREATE INDEX IF NOT EXISTS "support_sessions_open_on_ticket" ON "support_sessions" ("ticket_id", "id") WHERE "ended_at" IS NULL;
