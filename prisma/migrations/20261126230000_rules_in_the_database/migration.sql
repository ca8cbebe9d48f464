-- The database refuses what no command may write, whoever writes it.
--
-- Each rule has a name, which its error gives as the constraint, and in the message as PostgreSQL's own errors do:
-- `… violates constraint "name": …`. A violation is a defect of whoever wrote, never a lost race.
--
-- Functions name the schema of every table and type: a session may have temporary ones of the same name, which
-- PostgreSQL would find first.

-- An earlier migration gave active grants the present settings of their sites. They were approved by those of that time:
-- without the Guard where no Guard admin approved, and by one person where one person did.
DROP TRIGGER "grants_terms_are_final" ON "grants";
DROP FUNCTION "grant_terms_are_final"();
UPDATE "grants" g
   SET "guard_required" = EXISTS (
         SELECT FROM "decisions" d WHERE d."grant_id" = g."id" AND d."stage" = 'GUARD' AND d."outcome" = 'APPROVED'),
       "same_person_may_approve_twice" = g."same_person_may_approve_twice" OR EXISTS (
         SELECT FROM "decisions" d WHERE d."grant_id" = g."id" AND d."stage" = 'GUARD' AND d."outcome" = 'APPROVED'
            AND d."decided_by_id" = g."customer_approved_by_id")
 WHERE g."state" = 'ACTIVE';

-- Refuses the change for which the trigger fires. The trigger's name is the name of the rule, its argument the reason.
CREATE FUNCTION "refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % violates constraint "%": %', OLD.id, TG_TABLE_NAME, TG_NAME, TG_ARGV[0]
    USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;

-- What a grant or a ticket is about never changes. These conditions cost no call of a function while they hold.
CREATE TRIGGER "grants_subject_is_final" BEFORE UPDATE ON "grants" FOR EACH ROW
  WHEN ((OLD."id", OLD."ticket_id", OLD."site_id", OLD."scope_kind", OLD."conversation_ids", OLD."requested_by_id")
        IS DISTINCT FROM
        (NEW."id", NEW."ticket_id", NEW."site_id", NEW."scope_kind", NEW."conversation_ids", NEW."requested_by_id"))
  EXECUTE FUNCTION "refuse_change"('its ticket, site, scope and requester do not change');
CREATE TRIGGER "tickets_subject_is_final" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN ((OLD."id", OLD."key", OLD."site_id", OLD."product_id", OLD."reporter_id")
        IS DISTINCT FROM (NEW."id", NEW."key", NEW."site_id", NEW."product_id", NEW."reporter_id"))
  EXECUTE FUNCTION "refuse_change"('its site, product and reporter do not change');

DROP TRIGGER "tickets_reporter_kind" ON "tickets";
CREATE TRIGGER "tickets_reporter_kind" BEFORE INSERT ON "tickets"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('reporter_id', 'USER');

-- Each change is one version. So a change that was decided on an old version is never written over a newer one.
CREATE TRIGGER "grants_version_step" BEFORE UPDATE ON "grants" FOR EACH ROW
  WHEN (NEW."version" <> OLD."version" + 1)
  EXECUTE FUNCTION "refuse_change"('each change is one version');
CREATE TRIGGER "tickets_version_step" BEFORE UPDATE ON "tickets" FOR EACH ROW
  WHEN (NEW."version" <> OLD."version" + 1)
  EXECUTE FUNCTION "refuse_change"('each change is one version');

DROP TRIGGER "grants_end_is_final" ON "grants";
DROP FUNCTION "grant_end_is_final"();
CREATE TRIGGER "grants_end_is_final" BEFORE UPDATE ON "grants" FOR EACH ROW
  WHEN (OLD."ended_at" IS NOT NULL)
  EXECUTE FUNCTION "refuse_change"('it is over, and that is final');

CREATE TRIGGER "grants_terms_are_final" BEFORE UPDATE ON "grants" FOR EACH ROW
  WHEN ((OLD."guard_required", OLD."max_grant_seconds", OLD."same_person_may_approve_twice")
        IS DISTINCT FROM (NEW."guard_required", NEW."max_grant_seconds", NEW."same_person_may_approve_twice"))
  EXECUTE FUNCTION "refuse_change"('its terms are those of its opening');

CREATE OR REPLACE FUNCTION "grant_has_terms_of_its_site"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  SELECT s.support_access_restricted, s.max_grant_seconds, s.same_person_may_approve_twice
    INTO NEW.guard_required, NEW.max_grant_seconds, NEW.same_person_may_approve_twice
    FROM public.sites s WHERE s.id = NEW.site_id;
  RETURN NEW;
END $$;

DROP TRIGGER "accounts_kind_is_final" ON "accounts";
DROP FUNCTION "account_kind_is_final"();
CREATE TRIGGER "accounts_kind_is_final" BEFORE UPDATE OF "kind" ON "accounts" FOR EACH ROW
  WHEN (OLD."kind" IS DISTINCT FROM NEW."kind")
  EXECUTE FUNCTION "refuse_change"('the kind of an account does not change');

-- As before, and the error gives the rule: `<table>_<column>_kind`.
CREATE OR REPLACE FUNCTION "account_is_of_kind"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  account pg_catalog.uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::pg_catalog.uuid;
  rule pg_catalog.text := concat(TG_TABLE_NAME, '_', TG_ARGV[0], '_kind');
BEGIN
  IF account IS NOT NULL AND NOT EXISTS (
    SELECT FROM public.accounts WHERE id = account AND kind = TG_ARGV[1]::public.account_kind) THEN
    RAISE EXCEPTION 'account % violates constraint "%": it is not of kind %', account, rule, TG_ARGV[1]
      USING ERRCODE = 'check_violation', CONSTRAINT = rule, TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;

-- Every change of a grant writes all of its columns: the account is looked up only where it is another one.
DROP TRIGGER "grants_engineer_kind" ON "grants";
CREATE TRIGGER "grants_engineer_kind" BEFORE INSERT ON "grants" FOR EACH ROW
  WHEN (NEW."engineer_id" IS NOT NULL)
  EXECUTE FUNCTION "account_is_of_kind"('engineer_id', 'SUPPORT_ENGINEER');
CREATE TRIGGER "grants_next_engineer_kind" BEFORE UPDATE OF "engineer_id" ON "grants" FOR EACH ROW
  WHEN (NEW."engineer_id" IS DISTINCT FROM OLD."engineer_id")
  EXECUTE FUNCTION "account_is_of_kind"('engineer_id', 'SUPPORT_ENGINEER');
DROP TRIGGER "grants_approver_kind" ON "grants";
CREATE TRIGGER "grants_approver_kind" BEFORE INSERT ON "grants" FOR EACH ROW
  WHEN (NEW."customer_approved_by_id" IS NOT NULL)
  EXECUTE FUNCTION "account_is_of_kind"('customer_approved_by_id', 'USER');
CREATE TRIGGER "grants_next_approver_kind" BEFORE UPDATE OF "customer_approved_by_id" ON "grants" FOR EACH ROW
  WHEN (NEW."customer_approved_by_id" IS DISTINCT FROM OLD."customer_approved_by_id")
  EXECUTE FUNCTION "account_is_of_kind"('customer_approved_by_id', 'USER');

-- The rule that the decisions on an active grant break, or null. The last decision of a stage counts: an earlier approval
-- may have lapsed.
CREATE FUNCTION "broken_approval"("of_grant" uuid, "approver" uuid, "guard_required" boolean, "may_be_same" boolean)
RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  approved boolean;
BEGIN
  SELECT outcome = 'APPROVED' AND decided_by_id = approver INTO approved
    FROM public.decisions WHERE grant_id = of_grant AND stage = 'CUSTOMER'
   ORDER BY decided_at DESC, id DESC LIMIT 1;
  IF approved IS NOT TRUE THEN
    RETURN 'grants_customer_approval';
  END IF;
  IF guard_required THEN
    SELECT outcome = 'APPROVED' AND (may_be_same OR decided_by_id <> approver) INTO approved
      FROM public.decisions WHERE grant_id = of_grant AND stage = 'GUARD'
     ORDER BY decided_at DESC, id DESC LIMIT 1;
    IF approved IS NOT TRUE THEN
      RETURN 'grants_guard_approval';
    END IF;
  END IF;
  RETURN NULL;
END $$;

-- The rules between an open grant and what it depends on: each open grant with the first rule that it breaks, or null.
CREATE VIEW "open_grant_rules" AS
  SELECT g."id" AS "grant_id", g."ticket_id", g."site_id", t."product_id",
         CASE
           WHEN t."status" = 'CLOSED' THEN 'grants_open_ticket'
           WHEN s."status" <> 'ACTIVE' THEN 'grants_active_site'
           WHEN NOT p."licensed" THEN 'grants_licensed_product'
           WHEN g."engineer_id" IS DISTINCT FROM t."assignee_id" THEN 'grants_assigned_engineer'
           WHEN g."state" <> 'ACTIVE' THEN NULL
           ELSE "broken_approval"(g."id", g."customer_approved_by_id", g."guard_required", g."same_person_may_approve_twice")
         END AS "broken"
    FROM "grants" g
    JOIN "tickets" t ON t."id" = g."ticket_id"
    JOIN "sites" s ON s."id" = g."site_id"
    JOIN "products" p ON p."id" = t."product_id"
   WHERE g."state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE');

-- What is in the database already must keep the rules, or nobody could change it from now on.
DO $$
DECLARE
  wrong text;
BEGIN
  SELECT string_agg(concat(grant_id, ' ', broken), ', ') INTO wrong
    FROM (SELECT grant_id, broken FROM open_grant_rules WHERE broken IS NOT NULL ORDER BY grant_id LIMIT 10) AS first;
  IF wrong IS NOT NULL THEN
    RAISE EXCEPTION 'open grants break a rule: %', wrong
      USING ERRCODE = 'check_violation',
            HINT = 'docs/operating.md says how to end them under "Grants that break a rule"';
  END IF;
END $$;

-- The rules hold when a transaction commits, in whatever order it writes.
--
-- Nor do two transactions break them together. Whoever inserts a grant has locked its ticket by the foreign key, for
-- which a change of the ticket waits; whoever changes a grant that is open leaves it open to be seen, or conflicts with
-- whoever ends it. Sites have the locks of commands (src/platform/locks.ts), which hold them by then.
CREATE FUNCTION "refuse_broken_grant"("grant_id" uuid, "broken" text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'open grant % violates constraint "%": %', grant_id, broken,
    CASE broken
      WHEN 'grants_open_ticket' THEN 'its ticket is closed'
      WHEN 'grants_active_site' THEN 'its site is deactivated'
      WHEN 'grants_licensed_product' THEN 'its product is not licensed'
      WHEN 'grants_assigned_engineer' THEN 'its engineer is not the one assigned to its ticket'
      WHEN 'grants_customer_approval' THEN 'it is active, and the last decision of the customer is not that approval'
      WHEN 'grants_guard_approval' THEN 'it is active without the approval of the Guard that its terms demand'
    END
    USING ERRCODE = 'check_violation', CONSTRAINT = broken, TABLE = 'grants';
END $$;

CREATE FUNCTION "grant_keeps_rules"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  rule pg_catalog.text;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended(NEW.site_id::pg_catalog.text, 1));
  SELECT broken INTO rule FROM public.open_grant_rules WHERE grant_id = NEW.id;
  IF rule IS NOT NULL THEN
    PERFORM public.refuse_broken_grant(NEW.id, rule);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "grants_keep_rules" AFTER INSERT ON "grants"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."ended_at" IS NULL)
  EXECUTE FUNCTION "grant_keeps_rules"();
CREATE CONSTRAINT TRIGGER "grants_keep_engineer" AFTER UPDATE ON "grants"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."ended_at" IS NULL AND NEW."engineer_id" IS DISTINCT FROM OLD."engineer_id")
  EXECUTE FUNCTION "grant_keeps_rules"();

-- An approval is what happens most. The grant has kept the other rules since it was opened, or a change of its ticket,
-- site or product would not have committed: only the decisions are new.
CREATE FUNCTION "grant_is_approved"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  rule pg_catalog.text := public.broken_approval(
    NEW.id, NEW.customer_approved_by_id, NEW.guard_required, NEW.same_person_may_approve_twice);
BEGIN
  IF rule IS NOT NULL THEN
    PERFORM public.refuse_broken_grant(NEW.id, rule);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "grants_keep_approvals" AFTER UPDATE ON "grants"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."state" = 'ACTIVE' AND
        (OLD."state" <> 'ACTIVE' OR NEW."customer_approved_by_id" IS DISTINCT FROM OLD."customer_approved_by_id"))
  EXECUTE FUNCTION "grant_is_approved"();

-- A decision of today does not take its approval from a grant that stays active.
CREATE FUNCTION "decision_keeps_rules"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  rule pg_catalog.text;
BEGIN
  SELECT broken INTO rule FROM public.open_grant_rules WHERE grant_id = NEW.grant_id;
  IF rule IS NOT NULL THEN
    PERFORM public.refuse_broken_grant(NEW.grant_id, rule);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "decisions_keep_rules" AFTER INSERT ON "decisions"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."outcome" = 'DENIED')
  EXECUTE FUNCTION "decision_keeps_rules"();

CREATE FUNCTION "ticket_keeps_rules"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  PERFORM FROM public.tickets WHERE id = NEW.id FOR UPDATE;
  SELECT grant_id, broken INTO wrong FROM public.open_grant_rules WHERE ticket_id = NEW.id AND broken IS NOT NULL LIMIT 1;
  IF FOUND THEN
    PERFORM public.refuse_broken_grant(wrong.grant_id, wrong.broken);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "tickets_keep_rules" AFTER UPDATE ON "tickets"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."status" = 'CLOSED' AND OLD."status" <> 'CLOSED' OR NEW."assignee_id" IS DISTINCT FROM OLD."assignee_id")
  EXECUTE FUNCTION "ticket_keeps_rules"();

CREATE FUNCTION "site_keeps_rules"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.id::pg_catalog.text, 1));
  SELECT grant_id, broken INTO wrong FROM public.open_grant_rules WHERE site_id = NEW.id AND broken IS NOT NULL LIMIT 1;
  IF FOUND THEN
    PERFORM public.refuse_broken_grant(wrong.grant_id, wrong.broken);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "sites_keep_rules" AFTER UPDATE ON "sites"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW."status" <> 'ACTIVE' AND OLD."status" = 'ACTIVE')
  EXECUTE FUNCTION "site_keeps_rules"();

CREATE FUNCTION "product_keeps_rules"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.site_id::pg_catalog.text, 1));
  SELECT grant_id, broken INTO wrong FROM public.open_grant_rules
   WHERE site_id = NEW.site_id AND product_id = NEW.id AND broken IS NOT NULL LIMIT 1;
  IF FOUND THEN
    PERFORM public.refuse_broken_grant(wrong.grant_id, wrong.broken);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "products_keep_rules" AFTER UPDATE ON "products"
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (OLD."licensed" AND NOT NEW."licensed")
  EXECUTE FUNCTION "product_keeps_rules"();

-- The order of the audit log and of the events is set here: nobody who inserts can choose it.
CREATE FUNCTION "set_order_of_audit_entry"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.txid := pg_current_xact_id()::pg_catalog.text::bigint;
  NEW.seq := nextval('public.audit_entries_seq_seq');
  RETURN NEW;
END $$;
CREATE TRIGGER "audit_entries_order" BEFORE INSERT ON "audit_entries"
  FOR EACH ROW EXECUTE FUNCTION "set_order_of_audit_entry"();
ALTER TABLE "audit_entries" ALTER COLUMN "txid" DROP DEFAULT, ALTER COLUMN "seq" DROP DEFAULT;

CREATE FUNCTION "set_order_of_event"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.txid := pg_current_xact_id()::pg_catalog.text::bigint;
  NEW.seq := nextval('public.events_seq_seq');
  RETURN NEW;
END $$;
CREATE TRIGGER "events_order" BEFORE INSERT ON "events"
  FOR EACH ROW EXECUTE FUNCTION "set_order_of_event"();
ALTER TABLE "events" ALTER COLUMN "txid" DROP DEFAULT, ALTER COLUMN "seq" DROP DEFAULT;

-- Only the row that says from which transaction on events are kept is written again: src/events/outbox.ts.
CREATE TRIGGER "events_are_final" BEFORE UPDATE ON "events" FOR EACH ROW
  WHEN (OLD."id" <> '00000000-0000-7000-8000-000000000000' OR NEW."id" <> OLD."id")
  EXECUTE FUNCTION "refuse_change"('what has happened does not change');
CREATE TRIGGER "events_order_again" BEFORE UPDATE ON "events"
  FOR EACH ROW EXECUTE FUNCTION "set_order_of_event"();
