-- An organization says for how many days entries of its audit log are kept. The oldest ones are removed by a function of the
-- owner, which looks itself at what may go; positions, hashes and heads stay. The runtime role removes nothing by itself.
--
-- Time and locks: milliseconds, whatever the size of the log. To replace a trigger of audit_entries waits for the transactions
-- that are reading or writing entries, and lets others go on after the migration. Gateways of the version before go on
-- beside it: nothing is removed in the first seven days.

ALTER TYPE "proposed_change_kind" ADD VALUE 'SET_AUDIT_RETENTION';

ALTER TABLE "organizations"
  ADD COLUMN "audit_retention_days" INTEGER,
  ADD COLUMN "audit_retention_effective_at" TIMESTAMPTZ(3),
  ADD COLUMN "audit_retention_days_before" INTEGER;

-- Of the log of each organization, what was removed, and when somebody last looked whether anything may go. The log of the
-- vendor is kept for ever, since the vendor's organization does not change.
CREATE TABLE "audit_removals" (
    "organization_id" UUID NOT NULL,
    "removed_through" BIGINT NOT NULL,
    "removed_until" TIMESTAMPTZ(3),
    "removed_at" TIMESTAMPTZ(3),
    "unrecorded" BIGINT NOT NULL,
    "looked_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_removals_pkey" PRIMARY KEY ("organization_id")
);

-- What follows is what the schema language cannot say.

-- The bounds of src/audit/retention.ts.
ALTER TABLE "organizations"
  ADD CONSTRAINT "organizations_audit_retention_days" CHECK ("audit_retention_days" BETWEEN 180 AND 3650);
CREATE INDEX "organizations_with_audit_retention" ON "organizations" ("id") WHERE "audit_retention_days" IS NOT NULL;

ALTER TABLE "audit_removals"
  ADD CONSTRAINT "audit_removals_through" CHECK ("removed_through" >= 0),
  ADD CONSTRAINT "audit_removals_unrecorded" CHECK ("unrecorded" BETWEEN 0 AND "removed_through");

-- What is removed does not come back.
CREATE FUNCTION "audit_removal_grows"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.organization_id <> OLD.organization_id OR NEW.removed_through < OLD.removed_through THEN
    RAISE EXCEPTION 'what was removed of an audit log never becomes less' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "audit_removals_grow" BEFORE UPDATE ON "audit_removals"
  FOR EACH ROW EXECUTE FUNCTION "audit_removal_grows"();
CREATE TRIGGER "audit_removals_append_only" BEFORE DELETE OR TRUNCATE ON "audit_removals"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();

-- A shorter retention takes effect seven days after it was set, by the database's clock, whoever sets it: until then the one
-- before counts. A longer one takes effect at once. The time that a command has read may be that of its beginning, at most a
-- minute ago.
CREATE FUNCTION "delay_audit_retention"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  in_effect integer;
  earliest CONSTANT timestamptz := pg_catalog.clock_timestamp() + interval '7 days' - interval '1 minute';
BEGIN
  IF TG_OP = 'UPDATE' THEN
    in_effect := CASE WHEN OLD.audit_retention_effective_at > pg_catalog.clock_timestamp()
                      THEN OLD.audit_retention_days_before ELSE OLD.audit_retention_days END;
    IF NEW.audit_retention_days IS NOT DISTINCT FROM OLD.audit_retention_days THEN
      NEW.audit_retention_effective_at := OLD.audit_retention_effective_at;
      NEW.audit_retention_days_before := OLD.audit_retention_days_before;
      RETURN NEW;
    END IF;
  END IF;
  IF NEW.audit_retention_days IS NOT NULL AND (in_effect IS NULL OR NEW.audit_retention_days < in_effect) THEN
    NEW.audit_retention_effective_at := GREATEST(NEW.audit_retention_effective_at, earliest);
    NEW.audit_retention_days_before := in_effect;
  ELSE
    NEW.audit_retention_effective_at := NULL;
    NEW.audit_retention_days_before := NULL;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER "organizations_delay_audit_retention"
  BEFORE INSERT OR UPDATE OF "audit_retention_days", "audit_retention_effective_at", "audit_retention_days_before" ON "organizations"
  FOR EACH ROW EXECUTE FUNCTION "delay_audit_retention"();

-- The moment from which on entries of a log are kept. Null: all are.
CREATE FUNCTION "audit_entries_kept_from"("log" uuid) RETURNS timestamptz LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT clock_timestamp() - make_interval(hours => 24 * CASE WHEN audit_retention_effective_at > clock_timestamp()
                                                              THEN audit_retention_days_before ELSE audit_retention_days END)
    FROM public.organizations WHERE id = log;
$$;

-- How many entries of a log are sealed: those with the positions up to this one.
CREATE FUNCTION "sealed_audit_entries"("log" uuid) RETURNS bigint LANGUAGE sql STABLE
  SET search_path = pg_catalog, pg_temp AS $$
  SELECT COALESCE((SELECT size FROM public.audit_checkpoints WHERE organization_id = log ORDER BY size DESC LIMIT 1), 0);
$$;

-- Entries are never changed, and deleted only by what follows: the oldest of a log, sealed, and older than its organization
-- keeps them. Whoever deletes others is refused, also the owner.
DROP TRIGGER "audit_entries_append_only" ON "audit_entries";
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR TRUNCATE ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
CREATE FUNCTION "keep_audit_entries"() RETURNS trigger LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  IF EXISTS (
    WITH gone AS MATERIALIZED (
      SELECT given.organization_id AS log, given.position, entry.occurred_at
        FROM deleted AS entry
        LEFT JOIN public.audit_positions AS given ON given.txid = entry.txid AND given.seq = entry.seq
    ), logs AS MATERIALIZED (
      SELECT log, LEAST(removal.removed_through, public.sealed_audit_entries(log)) AS through,
             public.audit_entries_kept_from(log) AS kept_from
        FROM (SELECT DISTINCT log FROM gone) AS named JOIN public.audit_removals AS removal ON removal.organization_id = log
    )
    SELECT FROM gone LEFT JOIN logs USING (log)
     WHERE (gone.position <= logs.through AND gone.occurred_at < logs.kept_from) IS NOT TRUE
  ) THEN
    RAISE EXCEPTION 'audit_entries is append-only' USING ERRCODE = 'insufficient_privilege',
      HINT = 'Only the function remove_audit_entries removes entries: those that their organization does not keep any more.';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER "audit_entries_keep" AFTER DELETE ON "audit_entries"
  REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION "keep_audit_entries"();

-- Removes the oldest entries of a log, at most `most` and never more than 1,000: those that are sealed, are older than the
-- organization keeps them, and were sent to every stream that is not disabled, in the order of positions up to the first of
-- which that is not so. With the owner's rights: gateways say when, not which.
--
-- A run begins once a day at most, and goes on over as many calls as it takes. The call with which it is over leaves one entry
-- on the log, with this id, which says what was removed. Such entries alone are no reason for a run: it would leave another.
--
-- `removed`: how many this call has removed. `is_over`: there is nothing more to remove now, or another gateway is at it.
CREATE FUNCTION "remove_audit_entries"("log" uuid, "most" integer, "entry_id" uuid, OUT "removed" integer, OUT "is_over" boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  known public.audit_removals;
  at_most CONSTANT integer := LEAST(most, 1000);
  kept_from timestamptz;
  sent_through bigint;
  next_ones record;
BEGIN
  removed := 0;
  is_over := true;
  IF at_most < 1 OR NOT pg_try_advisory_xact_lock(hashtextextended('audit entries are removed', 10)) THEN RETURN; END IF;
  -- Nobody lengthens the retention meanwhile.
  PERFORM FROM public.organizations WHERE id = log FOR SHARE;
  SELECT * INTO known FROM public.audit_removals WHERE organization_id = log;
  IF NOT FOUND THEN
    known := ROW(log, 0, NULL, NULL, 0, '-infinity');
  END IF;
  kept_from := public.audit_entries_kept_from(log);
  IF known.unrecorded = 0 AND (kept_from IS NULL OR known.looked_at > clock_timestamp() - interval '1 day') THEN RETURN; END IF;
  IF kept_from IS NOT NULL THEN
    SELECT min(progress.position) INTO sent_through
      FROM public.audit_streams AS stream JOIN public.audit_stream_progress AS progress ON progress.stream_id = stream.id
     WHERE stream.organization_id = log AND stream.state <> 'DISABLED';
    WITH following AS MATERIALIZED (
      SELECT position, txid, seq FROM public.audit_positions
       WHERE organization_id = log AND position > known.removed_through
         AND position <= LEAST(public.sealed_audit_entries(log), sent_through)
       ORDER BY position LIMIT at_most
    ), entries AS MATERIALIZED (
      SELECT following.position, entry.occurred_at, entry.action
        FROM following LEFT JOIN public.audit_entries AS entry ON entry.txid = following.txid AND entry.seq = following.seq
    ), old AS (
      SELECT * FROM entries
       WHERE position < COALESCE((SELECT min(position) FROM entries WHERE occurred_at >= kept_from), position + 1)
    )
    SELECT count(*)::int AS count, max(position) AS through, max(occurred_at) AS until,
           bool_or(occurred_at IS NULL) AS has_gap,
           bool_or(action <> 'organization.remove_audit_entries') AS is_worth_it
      INTO next_ones FROM old;
    IF next_ones.has_gap OR next_ones.through <> known.removed_through + next_ones.count THEN
      RAISE EXCEPTION 'the audit log % lacks entries that were sealed', log USING ERRCODE = 'data_corrupted',
        HINT = 'Somebody has removed them by hand. Nothing is removed from this log.';
    END IF;
    IF known.unrecorded > 0 OR next_ones.is_worth_it THEN
      removed := next_ones.count;
    END IF;
  END IF;
  is_over := removed < at_most;
  IF removed > 0 THEN
    known.removed_through := next_ones.through;
    known.removed_until := GREATEST(known.removed_until, next_ones.until);
    known.removed_at := clock_timestamp();
    known.unrecorded := known.unrecorded + removed;
  END IF;
  known.looked_at := clock_timestamp();
  INSERT INTO public.audit_removals
  SELECT log, known.removed_through, known.removed_until, known.removed_at, CASE WHEN is_over THEN 0 ELSE known.unrecorded END, known.looked_at
      ON CONFLICT (organization_id) DO UPDATE
     SET removed_through = excluded.removed_through, removed_until = excluded.removed_until, removed_at = excluded.removed_at,
         unrecorded = excluded.unrecorded, looked_at = excluded.looked_at;
  IF removed > 0 THEN
    DELETE FROM public.audit_entries AS entry USING public.audit_positions AS given
     WHERE given.organization_id = log AND given.position > known.removed_through - removed AND given.position <= known.removed_through
       AND entry.txid = given.txid AND entry.seq = given.seq;
  END IF;
  IF is_over AND known.unrecorded > 0 THEN
    INSERT INTO public.audit_entries (id, occurred_at, action, outcome, actor_kind, actor_name, resource_type, resource_id,
                                      organization_id, details, count)
    VALUES (entry_id, date_trunc('milliseconds', clock_timestamp()), 'organization.remove_audit_entries', 'SUCCEEDED', 'SYSTEM',
            'Latchkey', 'Organization', log::text, log,
            jsonb_build_object('through', known.removed_through, 'entries', known.unrecorded), 1);
  END IF;
END $$;
