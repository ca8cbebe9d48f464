-- Heads of the log are sent to whoever streams it, and gateways look only at streams that have something to send.
-- Time and locks: milliseconds, one small table.
ALTER TABLE "audit_stream_progress"
  ADD COLUMN "head_size" BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN "head_sent_at" TIMESTAMPTZ(3),
  ADD COLUMN "look_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP;

ALTER TABLE "audit_stream_progress"
  ADD CONSTRAINT "audit_stream_progress_head_size" CHECK ("head_size" >= 0);

-- CreateIndex
CREATE INDEX "audit_stream_progress_look_at_idx" ON "audit_stream_progress"("look_at");

-- CreateIndex
CREATE INDEX "audit_stream_progress_organization_id_idx" ON "audit_stream_progress"("organization_id");
