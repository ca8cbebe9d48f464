-- AlterEnum
ALTER TYPE "role" ADD VALUE 'AUDITOR';

-- What follows is what the schema language cannot say.

-- It is held over the whole organization. By text: the value is not in use before the end of this transaction.
ALTER TABLE "role_assignments"
  ADD CONSTRAINT "role_assignments_auditor_coverage" CHECK (
    "role"::text <> 'AUDITOR' OR ("site_id" IS NULL AND "product_id" IS NULL));
