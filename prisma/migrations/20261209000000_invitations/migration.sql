-- CreateEnum
CREATE TYPE "invitation_state" AS ENUM ('WAITING', 'ACCEPTED', 'WITHDRAWN', 'EXPIRED');

-- CreateTable
CREATE TABLE "invitations" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "invited_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "state" "invitation_state" NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "invitations_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "invitations_organization_id_id_idx" ON "invitations"("organization_id", "id");

-- CreateIndex
CREATE INDEX "invitations_email_id_idx" ON "invitations"("email", "id");

-- CreateIndex
CREATE INDEX "invitations_invited_by_id_idx" ON "invitations"("invited_by_id");

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_invited_by_id_fkey" FOREIGN KEY ("invited_by_id") REFERENCES "accounts"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- What follows is what the schema language cannot say.

ALTER TABLE "invitations"
  ADD CONSTRAINT "invitations_email_lower_case" CHECK ("email" = lower("email" COLLATE "C") AND "email" <> ''),
  ADD CONSTRAINT "invitations_order_of_time" CHECK ("created_at" < "expires_at" AND "created_at" <= "ended_at"),
  -- Nothing is accepted or withdrawn after its time.
  ADD CONSTRAINT "invitations_ended_in_time" CHECK ("ended_at" <= "expires_at"),
  ADD CONSTRAINT "invitations_final_states" CHECK (("state" = 'WAITING') = ("ended_at" IS NULL));

-- Of an organization and an address at most one waits.
CREATE UNIQUE INDEX "invitations_wait_once" ON "invitations" ("organization_id", "email") WHERE "ended_at" IS NULL;

CREATE TRIGGER "invitations_subject_is_final" BEFORE UPDATE ON "invitations" FOR EACH ROW
  WHEN ((OLD."id", OLD."organization_id", OLD."email", OLD."name", OLD."invited_by_id", OLD."created_at", OLD."expires_at")
        IS DISTINCT FROM
        (NEW."id", NEW."organization_id", NEW."email", NEW."name", NEW."invited_by_id", NEW."created_at", NEW."expires_at"))
  EXECUTE FUNCTION "refuse_change"('who is invited, and until when, does not change');
CREATE TRIGGER "invitations_end_is_final" BEFORE UPDATE ON "invitations" FOR EACH ROW
  WHEN (OLD."ended_at" IS NOT NULL)
  EXECUTE FUNCTION "refuse_change"('it is over, and that is final');
