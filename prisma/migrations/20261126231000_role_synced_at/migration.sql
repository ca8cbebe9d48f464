-- A Guard admin does not decide on what a customer approved before the role counted. A role from SCIM counts since its
-- sync. Null: it was assigned directly, is not synced yet, or was synced by a version that did not write the time.
ALTER TABLE "role_assignments" ADD COLUMN "synced_at" TIMESTAMPTZ(3);

ALTER TABLE "role_assignments"
  ADD CONSTRAINT "role_assignments_synced_at" CHECK ("synced_at" IS NULL OR ("origin" = 'SCIM' AND "sync_state" = 'SYNCED'));
