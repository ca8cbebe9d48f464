-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "account_kind" AS ENUM ('USER', 'SUPPORT_ENGINEER', 'OPERATOR', 'SERVICE_ACCOUNT');

-- CreateEnum
CREATE TYPE "service_capability" AS ENUM ('TICKETING', 'GRANT_WATCHING', 'AUDIT_READING');

-- CreateEnum
CREATE TYPE "site_status" AS ENUM ('ACTIVE', 'DEACTIVATED');

-- CreateEnum
CREATE TYPE "user_management_experience" AS ENUM ('CENTRALIZED', 'ORIGINAL');

-- CreateEnum
CREATE TYPE "role" AS ENUM ('ORGANIZATION_ADMIN', 'SITE_ADMIN', 'USER_ACCESS_ADMIN', 'PRODUCT_ADMIN', 'TRUSTED_USER', 'BILLING_ADMIN', 'TECHNICAL_CONTACT', 'GUARD_ADMIN');

-- CreateEnum
CREATE TYPE "role_origin" AS ENUM ('DIRECT', 'SCIM');

-- CreateEnum
CREATE TYPE "role_sync_state" AS ENUM ('SYNCED', 'PENDING_SYNC');

-- CreateEnum
CREATE TYPE "ticket_status" AS ENUM ('OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED');

-- CreateEnum
CREATE TYPE "grant_state" AS ENUM ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL', 'ACTIVE', 'DENIED', 'WITHDRAWN', 'EXPIRED', 'REVOKED', 'ENDED');

-- CreateEnum
CREATE TYPE "grant_path" AS ENUM ('TICKET_CREATION', 'SUPPORT_PORTAL', 'ADMIN_CONSOLE');

-- CreateEnum
CREATE TYPE "grant_scope_kind" AS ENUM ('PRODUCT_DATA', 'ROVO_CONVERSATIONS');

-- CreateEnum
CREATE TYPE "grant_end_reason" AS ENUM ('REVOKED_BY_CUSTOMER', 'TICKET_CLOSED', 'TIME_ELAPSED', 'RELEASED_BY_ENGINEER', 'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED', 'DENIED_BY_CUSTOMER', 'DENIED_BY_GUARD', 'WITHDRAWN_BY_ENGINEER', 'APPROVAL_TIMED_OUT');

-- CreateEnum
CREATE TYPE "approval_stage" AS ENUM ('CUSTOMER', 'GUARD');

-- CreateEnum
CREATE TYPE "decision_outcome" AS ENUM ('APPROVED', 'DENIED');

-- CreateEnum
CREATE TYPE "audit_outcome" AS ENUM ('SUCCEEDED', 'REFUSED');

-- CreateTable
CREATE TABLE "accounts" (
    "id" UUID NOT NULL,
    "kind" "account_kind" NOT NULL,
    "email" TEXT NOT NULL,
    "subject" TEXT,
    "name" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL DEFAULT true,
    "capabilities" "service_capability"[],
    "organization_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "accounts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "organizations" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "has_guard" BOOLEAN NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "organizations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "memberships" (
    "organization_id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("organization_id","account_id")
);

-- CreateTable
CREATE TABLE "sites" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "url" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "status" "site_status" NOT NULL DEFAULT 'ACTIVE',
    "experience" "user_management_experience" NOT NULL,
    "support_access_restricted" BOOLEAN NOT NULL DEFAULT false,
    "data_residency_region" TEXT NOT NULL,
    "request_wait_seconds" INTEGER NOT NULL DEFAULT 1209600,
    "max_grant_seconds" INTEGER,
    "same_person_may_approve_twice" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sites_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "products" (
    "id" UUID NOT NULL,
    "site_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "licensed" BOOLEAN NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "products_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "role_assignments" (
    "id" UUID NOT NULL,
    "account_id" UUID NOT NULL,
    "role" "role" NOT NULL,
    "organization_id" UUID NOT NULL,
    "site_id" UUID,
    "product_id" UUID,
    "origin" "role_origin" NOT NULL DEFAULT 'DIRECT',
    "sync_state" "role_sync_state" NOT NULL DEFAULT 'SYNCED',
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "role_assignments_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "tickets" (
    "id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "summary" TEXT NOT NULL,
    "site_id" UUID NOT NULL,
    "product_id" UUID NOT NULL,
    "reporter_id" UUID NOT NULL,
    "assignee_id" UUID,
    "status" "ticket_status" NOT NULL DEFAULT 'OPEN',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "tickets_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "grants" (
    "id" UUID NOT NULL,
    "ticket_id" UUID NOT NULL,
    "site_id" UUID NOT NULL,
    "scope_kind" "grant_scope_kind" NOT NULL,
    "conversation_ids" TEXT[],
    "state" "grant_state" NOT NULL,
    "path" "grant_path",
    "engineer_id" UUID,
    "requested_by_id" UUID NOT NULL,
    "justification" TEXT,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "approval_due_at" TIMESTAMPTZ(3) NOT NULL,
    "customer_approved_at" TIMESTAMPTZ(3),
    "customer_approved_by_id" UUID,
    "activated_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" "grant_end_reason",
    "ended_by_id" UUID,
    "version" INTEGER NOT NULL,

    CONSTRAINT "grants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "decisions" (
    "id" UUID NOT NULL,
    "grant_id" UUID NOT NULL,
    "stage" "approval_stage" NOT NULL,
    "outcome" "decision_outcome" NOT NULL,
    "decided_by_id" UUID NOT NULL,
    "reason" TEXT,
    "decided_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "decisions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_entries" (
    "id" UUID NOT NULL,
    "txid" BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
    "seq" BIGSERIAL NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "action" TEXT NOT NULL,
    "outcome" "audit_outcome" NOT NULL,
    "refusal_code" TEXT,
    "actor_id" UUID,
    "actor_kind" TEXT NOT NULL,
    "actor_email" TEXT,
    "actor_name" TEXT NOT NULL,
    "resource_type" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "organization_id" UUID,
    "site_id" UUID,
    "ticket_id" UUID,
    "grant_id" UUID,
    "details" JSONB NOT NULL,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "events" (
    "id" UUID NOT NULL,
    "txid" BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint,
    "seq" BIGSERIAL NOT NULL,
    "type" TEXT NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "payload" JSONB NOT NULL,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "account_id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "command" TEXT NOT NULL,
    "input_hash" TEXT NOT NULL,
    "answer" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("account_id","key")
);

-- CreateIndex
CREATE UNIQUE INDEX "accounts_email_key" ON "accounts"("email");

-- CreateIndex
CREATE UNIQUE INDEX "accounts_subject_key" ON "accounts"("subject");

-- CreateIndex
CREATE INDEX "accounts_organization_id_idx" ON "accounts"("organization_id");

-- CreateIndex
CREATE INDEX "memberships_account_id_idx" ON "memberships"("account_id");

-- CreateIndex
CREATE UNIQUE INDEX "sites_url_key" ON "sites"("url");

-- CreateIndex
CREATE INDEX "sites_organization_id_idx" ON "sites"("organization_id");

-- CreateIndex
CREATE UNIQUE INDEX "sites_id_organization_id_key" ON "sites"("id", "organization_id");

-- CreateIndex
CREATE UNIQUE INDEX "products_site_id_key_key" ON "products"("site_id", "key");

-- CreateIndex
CREATE UNIQUE INDEX "products_id_site_id_key" ON "products"("id", "site_id");

-- CreateIndex
CREATE INDEX "role_assignments_account_id_idx" ON "role_assignments"("account_id");

-- CreateIndex
CREATE INDEX "role_assignments_organization_id_id_idx" ON "role_assignments"("organization_id", "id");

-- CreateIndex
CREATE INDEX "role_assignments_site_id_idx" ON "role_assignments"("site_id");

-- CreateIndex
CREATE INDEX "role_assignments_product_id_idx" ON "role_assignments"("product_id");

-- CreateIndex
CREATE UNIQUE INDEX "tickets_key_key" ON "tickets"("key");

-- CreateIndex
CREATE INDEX "tickets_site_id_id_idx" ON "tickets"("site_id", "id");

-- CreateIndex
CREATE INDEX "tickets_reporter_id_id_idx" ON "tickets"("reporter_id", "id");

-- CreateIndex
CREATE INDEX "tickets_assignee_id_id_idx" ON "tickets"("assignee_id", "id");

-- CreateIndex
CREATE INDEX "tickets_product_id_idx" ON "tickets"("product_id");

-- CreateIndex
CREATE UNIQUE INDEX "tickets_id_site_id_key" ON "tickets"("id", "site_id");

-- CreateIndex
CREATE INDEX "grants_ticket_id_id_idx" ON "grants"("ticket_id", "id");

-- CreateIndex
CREATE INDEX "grants_site_id_state_id_idx" ON "grants"("site_id", "state", "id");

-- CreateIndex
CREATE INDEX "grants_engineer_id_state_id_idx" ON "grants"("engineer_id", "state", "id");

-- CreateIndex
CREATE INDEX "decisions_decided_by_id_idx" ON "decisions"("decided_by_id");

-- CreateIndex
CREATE UNIQUE INDEX "decisions_grant_id_stage_key" ON "decisions"("grant_id", "stage");

-- CreateIndex
CREATE INDEX "audit_entries_organization_id_txid_seq_idx" ON "audit_entries"("organization_id", "txid", "seq");

-- CreateIndex
CREATE INDEX "audit_entries_actor_id_txid_seq_idx" ON "audit_entries"("actor_id", "txid", "seq");

-- CreateIndex
CREATE INDEX "audit_entries_actor_email_txid_seq_idx" ON "audit_entries"("actor_email", "txid", "seq");

-- CreateIndex
CREATE INDEX "audit_entries_occurred_at_idx" ON "audit_entries"("occurred_at");

-- CreateIndex
CREATE INDEX "audit_entries_ticket_id_idx" ON "audit_entries"("ticket_id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_entries_txid_seq_key" ON "audit_entries"("txid", "seq");

-- CreateIndex
CREATE INDEX "events_occurred_at_idx" ON "events"("occurred_at");

-- CreateIndex
CREATE UNIQUE INDEX "events_txid_seq_key" ON "events"("txid", "seq");

-- CreateIndex
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys"("created_at");

-- AddForeignKey
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sites" ADD CONSTRAINT "sites_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "products" ADD CONSTRAINT "products_site_id_fkey" FOREIGN KEY ("site_id") REFERENCES "sites"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_account_id_fkey" FOREIGN KEY ("account_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_member_fkey" FOREIGN KEY ("organization_id", "account_id") REFERENCES "memberships"("organization_id", "account_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_site_fkey" FOREIGN KEY ("site_id", "organization_id") REFERENCES "sites"("id", "organization_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_assignments" ADD CONSTRAINT "role_assignments_product_fkey" FOREIGN KEY ("product_id", "site_id") REFERENCES "products"("id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_site_id_fkey" FOREIGN KEY ("site_id") REFERENCES "sites"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_product_fkey" FOREIGN KEY ("product_id", "site_id") REFERENCES "products"("id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_reporter_id_fkey" FOREIGN KEY ("reporter_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tickets" ADD CONSTRAINT "tickets_assignee_id_fkey" FOREIGN KEY ("assignee_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "grants" ADD CONSTRAINT "grants_ticket_fkey" FOREIGN KEY ("ticket_id", "site_id") REFERENCES "tickets"("id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "grants" ADD CONSTRAINT "grants_engineer_id_fkey" FOREIGN KEY ("engineer_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "grants" ADD CONSTRAINT "grants_requested_by_id_fkey" FOREIGN KEY ("requested_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "grants" ADD CONSTRAINT "grants_ended_by_id_fkey" FOREIGN KEY ("ended_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_grant_id_fkey" FOREIGN KEY ("grant_id") REFERENCES "grants"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_decided_by_id_fkey" FOREIGN KEY ("decided_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

-- Numbers of ticket keys: SUP-1001, SUP-1002 …
CREATE SEQUENCE "ticket_numbers" START WITH 1001;

-- An account is what it was made as; whoever reports is a user, whoever is assigned an engineer, whoever holds a role a user.
CREATE FUNCTION "account_is_of_kind"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  account uuid := (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
BEGIN
  IF account IS NOT NULL AND NOT EXISTS (SELECT 1 FROM accounts WHERE id = account AND kind::text = TG_ARGV[1]) THEN
    RAISE EXCEPTION 'account % in %.% is not of kind %', account, TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[1]
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER "memberships_account_kind" BEFORE INSERT OR UPDATE OF "account_id" ON "memberships"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('account_id', 'USER');
CREATE TRIGGER "role_assignments_account_kind" BEFORE INSERT OR UPDATE OF "account_id" ON "role_assignments"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('account_id', 'USER');
CREATE TRIGGER "tickets_reporter_kind" BEFORE INSERT OR UPDATE OF "reporter_id" ON "tickets"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('reporter_id', 'USER');
CREATE TRIGGER "tickets_assignee_kind" BEFORE INSERT OR UPDATE OF "assignee_id" ON "tickets"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('assignee_id', 'SUPPORT_ENGINEER');
CREATE TRIGGER "grants_engineer_kind" BEFORE INSERT OR UPDATE OF "engineer_id" ON "grants"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('engineer_id', 'SUPPORT_ENGINEER');
CREATE TRIGGER "decisions_decider_kind" BEFORE INSERT OR UPDATE OF "decided_by_id" ON "decisions"
  FOR EACH ROW EXECUTE FUNCTION "account_is_of_kind"('decided_by_id', 'USER');

CREATE FUNCTION "account_kind_is_final"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the kind of account % cannot change', OLD.id USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER "accounts_kind_is_final" BEFORE UPDATE OF "kind" ON "accounts"
  FOR EACH ROW WHEN (OLD."kind" IS DISTINCT FROM NEW."kind") EXECUTE FUNCTION "account_kind_is_final"();

ALTER TABLE "accounts"
  ADD CONSTRAINT "accounts_email_lower_case" CHECK ("email" = lower("email") AND "email" <> ''),
  ADD CONSTRAINT "accounts_service_only" CHECK ("kind" = 'SERVICE_ACCOUNT' OR (cardinality("capabilities") = 0 AND "organization_id" IS NULL));

ALTER TABLE "sites"
  ADD CONSTRAINT "sites_url_form" CHECK ("url" ~ '^https://[a-z0-9.-]+(:[0-9]+)?$'),
  ADD CONSTRAINT "sites_request_wait" CHECK ("request_wait_seconds" > 0),
  ADD CONSTRAINT "sites_max_grant" CHECK ("max_grant_seconds" IS NULL OR "max_grant_seconds" > 0);

ALTER TABLE "products" ADD CONSTRAINT "products_key_form" CHECK ("key" ~ '^[a-z][a-z0-9-]*$');

-- Each role names what it covers: the organization, a site, or a product on a site.
ALTER TABLE "role_assignments"
  ADD CONSTRAINT "role_assignments_coverage" CHECK (
    CASE "role"
      WHEN 'ORGANIZATION_ADMIN' THEN "site_id" IS NULL AND "product_id" IS NULL
      WHEN 'SITE_ADMIN' THEN "site_id" IS NOT NULL AND "product_id" IS NULL
      WHEN 'USER_ACCESS_ADMIN' THEN "site_id" IS NOT NULL AND "product_id" IS NULL
      WHEN 'PRODUCT_ADMIN' THEN "site_id" IS NOT NULL AND "product_id" IS NOT NULL
      WHEN 'TRUSTED_USER' THEN "site_id" IS NOT NULL AND "product_id" IS NOT NULL
      WHEN 'BILLING_ADMIN' THEN "site_id" IS NOT NULL
      WHEN 'TECHNICAL_CONTACT' THEN "site_id" IS NOT NULL
      WHEN 'GUARD_ADMIN' THEN "product_id" IS NULL
    END),
  ADD CONSTRAINT "role_assignments_pending_is_scim" CHECK ("sync_state" = 'SYNCED' OR "origin" = 'SCIM');
CREATE UNIQUE INDEX "role_assignments_held_once" ON "role_assignments" ("account_id", "role", "organization_id", "site_id", "product_id") NULLS NOT DISTINCT;
ALTER TABLE "tickets"
  ADD CONSTRAINT "tickets_key_form" CHECK ("key" ~ '^[A-Z]+-[0-9]+$'),
  ADD CONSTRAINT "tickets_closed_at" CHECK (("status" = 'CLOSED') = ("closed_at" IS NOT NULL)),
  ADD CONSTRAINT "tickets_version" CHECK ("version" > 0);

-- A grant has the facts of its state and no others.
ALTER TABLE "grants"
  ADD CONSTRAINT "grants_version" CHECK ("version" > 0),
  ADD CONSTRAINT "grants_scope" CHECK (("scope_kind" = 'ROVO_CONVERSATIONS') = (cardinality("conversation_ids") > 0)),
  ADD CONSTRAINT "grants_approval_is_whole" CHECK (
    ("customer_approved_at" IS NULL) = ("customer_approved_by_id" IS NULL) AND
    ("customer_approved_at" IS NULL) = ("path" IS NULL)),
  ADD CONSTRAINT "grants_approved_states" CHECK (
    CASE WHEN "state" = 'PENDING_APPROVAL' THEN "customer_approved_at" IS NULL
         WHEN "state" IN ('PENDING_GUARD_APPROVAL', 'ACTIVE', 'REVOKED', 'ENDED') THEN "customer_approved_at" IS NOT NULL
         ELSE true END),
  ADD CONSTRAINT "grants_activated_states" CHECK (("state" IN ('ACTIVE', 'REVOKED', 'ENDED')) = ("activated_at" IS NOT NULL)),
  ADD CONSTRAINT "grants_final_states" CHECK (
    ("state" IN ('DENIED', 'WITHDRAWN', 'EXPIRED', 'REVOKED', 'ENDED')) = ("ended_at" IS NOT NULL) AND
    ("ended_at" IS NULL) = ("end_reason" IS NULL) AND ("ended_by_id" IS NULL OR "ended_at" IS NOT NULL)),
  ADD CONSTRAINT "grants_end_reasons" CHECK (
    "end_reason" IS NULL OR
    CASE "state"
      WHEN 'DENIED' THEN "end_reason" IN ('DENIED_BY_CUSTOMER', 'DENIED_BY_GUARD')
      WHEN 'WITHDRAWN' THEN "end_reason" IN ('WITHDRAWN_BY_ENGINEER', 'TICKET_CLOSED', 'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED')
      WHEN 'EXPIRED' THEN "end_reason" = 'APPROVAL_TIMED_OUT'
      WHEN 'REVOKED' THEN "end_reason" IN ('REVOKED_BY_CUSTOMER', 'TICKET_CLOSED')
      WHEN 'ENDED' THEN "end_reason" IN ('TIME_ELAPSED', 'RELEASED_BY_ENGINEER', 'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED')
      ELSE false END),
  ADD CONSTRAINT "grants_order_of_time" CHECK (
    "approval_due_at" > "requested_at" AND
    "customer_approved_at" >= "requested_at" AND
    "activated_at" >= "customer_approved_at" AND
    "expires_at" > "customer_approved_at" AND
    "ended_at" >= coalesce("activated_at", "customer_approved_at", "requested_at"));

-- One open request per ticket and scope; product data is open at most once.
CREATE UNIQUE INDEX "grants_one_open_request" ON "grants" ("ticket_id", "scope_kind")
  WHERE "state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL');
CREATE UNIQUE INDEX "grants_one_active_for_product_data" ON "grants" ("ticket_id")
  WHERE "state" = 'ACTIVE' AND "scope_kind" = 'PRODUCT_DATA';

-- What the sweep looks for: grants whose time has run out.
CREATE INDEX "grants_active_until" ON "grants" ("expires_at") WHERE "state" = 'ACTIVE' AND "expires_at" IS NOT NULL;
CREATE INDEX "grants_pending_until" ON "grants" (LEAST("approval_due_at", "expires_at"))
  WHERE "state" IN ('PENDING_APPROVAL', 'PENDING_GUARD_APPROVAL');

-- A final state is final, whatever the code above it believes.
CREATE FUNCTION "grant_end_is_final"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'grant % is over, and that is final', OLD.id USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER "grants_end_is_final" BEFORE UPDATE ON "grants"
  FOR EACH ROW WHEN (OLD."ended_at" IS NOT NULL) EXECUTE FUNCTION "grant_end_is_final"();

-- The record is append-only.
CREATE FUNCTION "is_append_only"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
CREATE TRIGGER "decisions_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "decisions"
  FOR EACH STATEMENT EXECUTE FUNCTION "is_append_only"();
ALTER TABLE "audit_entries"
  ADD CONSTRAINT "audit_entries_action_form" CHECK ("action" ~ '^[a-z_]+\.[a-z_]+$'),
  ADD CONSTRAINT "audit_entries_refusal" CHECK (("outcome" = 'REFUSED') = ("refusal_code" IS NOT NULL));
