-- How many refusals an entry stands for. The default of every entry that there is: no row is rewritten.
ALTER TABLE "audit_entries" ADD COLUMN     "count" INTEGER NOT NULL DEFAULT 1;

-- The refusals of each minute, until the background job writes an entry of those that were repeated.
CREATE TABLE "repeated_refusals" (
    "minute" TIMESTAMPTZ(3) NOT NULL,
    "actor_id" UUID NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "repetitions" INTEGER NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "entry" JSONB NOT NULL,

    CONSTRAINT "repeated_refusals_pkey" PRIMARY KEY ("minute","actor_id","fingerprint"),
    CONSTRAINT "repeated_refusals_repetitions" CHECK ("repetitions" >= 0)
);
