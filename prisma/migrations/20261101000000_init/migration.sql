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
