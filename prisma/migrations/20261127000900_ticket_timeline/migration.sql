-- The timeline of a ticket, in its order. The actions of support, of which a ticket may have any number, are about the
-- resources of products and not in it.
CREATE INDEX IF NOT EXISTS "audit_entries_timeline" ON "audit_entries" ("ticket_id", "txid", "seq")
  WHERE "resource_type" IN ('Ticket', 'Grant', 'SupportSession', 'ChangeRequest');
