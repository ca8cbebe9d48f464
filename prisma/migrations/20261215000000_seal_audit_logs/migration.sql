-- The logs are sealed: each has a Merkle tree over its entries, in the order of their positions, and signed heads of it. What is
-- in the logs already is sealed by the gateways, in batches, after they have started.
--
-- Time and locks: milliseconds, whatever the size of the log: new tables only. Gateways of the version before go on beside it.

-- The hashes of the tree, in tiles of 256. The nil UUID is the vendor's own log.
CREATE TABLE "audit_tiles" (
    "organization_id" UUID NOT NULL,
    "level" SMALLINT NOT NULL,
    "tile_index" BIGINT NOT NULL,
    "hashes" BYTEA NOT NULL,

    CONSTRAINT "audit_tiles_pkey" PRIMARY KEY ("organization_id", "level", "tile_index"),
    CONSTRAINT "audit_tiles_place" CHECK ("level" BETWEEN 0 AND 63 AND "tile_index" >= 0),
    CONSTRAINT "audit_tiles_hashes" CHECK (octet_length("hashes") BETWEEN 32 AND 8192 AND octet_length("hashes") % 32 = 0)
);
-- Hashes cannot be compressed.
ALTER TABLE "audit_tiles" ALTER COLUMN "hashes" SET STORAGE EXTERNAL;

-- A tile that has changed in another way than by growing would prove another log.
CREATE FUNCTION "audit_tile_grows"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.organization_id, NEW.level, NEW.tile_index) IS DISTINCT FROM (OLD.organization_id, OLD.level, OLD.tile_index)
     OR pg_catalog.substring(NEW.hashes, 1, pg_catalog.octet_length(OLD.hashes)) <> OLD.hashes THEN
    RAISE EXCEPTION 'the hashes in a tile of the audit log are never changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "audit_tiles_grow" BEFORE UPDATE ON "audit_tiles"
  FOR EACH ROW EXECUTE FUNCTION "audit_tile_grows"();
CREATE TRIGGER "audit_tiles_append_only" BEFORE DELETE OR TRUNCATE ON "audit_tiles"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();

-- The signed heads. Each follows one other, and no two follow the same: a log has one history.
CREATE TABLE "audit_checkpoints" (
    "organization_id" UUID NOT NULL,
    "size" BIGINT NOT NULL,
    "previous_size" BIGINT NOT NULL,
    "root_hash" BYTEA NOT NULL,
    "note" TEXT NOT NULL,
    "signed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_checkpoints_pkey" PRIMARY KEY ("organization_id", "size"),
    CONSTRAINT "audit_checkpoints_grow" CHECK ("previous_size" >= 0 AND "previous_size" < "size"),
    CONSTRAINT "audit_checkpoints_root" CHECK (octet_length("root_hash") = 32)
);
CREATE UNIQUE INDEX "audit_checkpoints_organization_id_previous_size_key" ON "audit_checkpoints"("organization_id", "previous_size");
CREATE TRIGGER "audit_checkpoints_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_checkpoints"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
