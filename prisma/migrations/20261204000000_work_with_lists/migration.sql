-- Lists are searched by the beginnings of words, by the keys of products, and by when requests are due. On large tables,
-- create the indexes beforehand with CREATE INDEX CONCURRENTLY and these names.
CREATE INDEX IF NOT EXISTS "tickets_words_idx" ON "tickets"
  USING gin (to_tsvector('simple'::regconfig, regexp_replace("key" || ' ' || "summary", '[^[:alnum:]]+', ' ', 'g')));
CREATE INDEX IF NOT EXISTS "accounts_words_idx" ON "accounts"
  USING gin (to_tsvector('simple'::regconfig, regexp_replace("name" || ' ' || "email", '[^[:alnum:]]+', ' ', 'g')));
CREATE INDEX IF NOT EXISTS "products_key_idx" ON "products" ("key");

-- The requests that wait for a decision, by when they expire undecided: of one site, and of all.
CREATE INDEX IF NOT EXISTS "grants_due_on_site_idx" ON "grants" ("site_id", LEAST("approval_due_at", "expires_at"), "id")
  WHERE "state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL');
CREATE INDEX IF NOT EXISTS "grants_due_idx" ON "grants" (LEAST("approval_due_at", "expires_at"), "id")
  WHERE "state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL');
