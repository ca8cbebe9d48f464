-- A session belongs to the ticket of its grant. With the ticket's site in the key, it is on that site.
-- AddForeignKey
ALTER TABLE "support_sessions" ADD CONSTRAINT "support_sessions_ticket_fkey" FOREIGN KEY ("ticket_id", "site_id") REFERENCES "tickets"("id", "site_id") ON DELETE RESTRICT ON UPDATE CASCADE;
