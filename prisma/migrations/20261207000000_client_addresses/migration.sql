-- From where the actor's request came. Gateways of the previous version write entries without it.
ALTER TABLE "audit_entries" ADD COLUMN "client_address" INET;
