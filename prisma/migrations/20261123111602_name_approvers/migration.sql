-- AddForeignKey
ALTER TABLE "grants" ADD CONSTRAINT "grants_customer_approved_by_id_fkey" FOREIGN KEY ("customer_approved_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

-- Whoever approves for the customer is a customer's user.
CREATE TRIGGER "grants_approver_kind" BEFORE INSERT OR UPDATE OF "customer_approved_by_id" ON "grants"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('customer_approved_by_id', 'USER');
