-- The readings of the audit logs of each hour, until the background job writes an entry of those that were repeated.
-- Time and locks: milliseconds, a new table alone.
CREATE TABLE "repeated_readings" (
    "hour" TIMESTAMPTZ(3) NOT NULL,
    "actor_id" UUID NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "repetitions" INTEGER NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "entry" JSONB NOT NULL,

    CONSTRAINT "repeated_readings_pkey" PRIMARY KEY ("hour","actor_id","fingerprint"),
    CONSTRAINT "repeated_readings_repetitions" CHECK ("repetitions" >= 0)
);
