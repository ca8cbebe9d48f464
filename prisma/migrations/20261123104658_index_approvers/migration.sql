-- CreateIndex
CREATE INDEX "grants_customer_approved_by_id_idx" ON "grants"("customer_approved_by_id");
