-- A value of an enum is used only after the transaction that adds it, so these rules have a migration of their own.

ALTER TABLE "grants"
  DROP CONSTRAINT "grants_end_reasons",
  ADD CONSTRAINT "grants_end_reasons" CHECK (
    "end_reason" IS NULL OR
    CASE "state"
      WHEN 'DENIED' THEN "end_reason" IN ('DENIED_BY_CUSTOMER', 'DENIED_BY_GUARD')
      WHEN 'WITHDRAWN' THEN "end_reason" IN ('WITHDRAWN_BY_ENGINEER', 'TICKET_CLOSED', 'SITE_DEACTIVATED',
                                             'PRODUCT_UNLICENSED', 'PRODUCT_CHANGED')
      WHEN 'EXPIRED' THEN "end_reason" = 'APPROVAL_TIMED_OUT'
      WHEN 'REVOKED' THEN "end_reason" IN ('REVOKED_BY_CUSTOMER', 'TICKET_CLOSED')
      WHEN 'ENDED' THEN "end_reason" IN ('TIME_ELAPSED', 'RELEASED_BY_ENGINEER', 'SITE_DEACTIVATED',
                                         'PRODUCT_UNLICENSED', 'PRODUCT_CHANGED')
      ELSE false END);

ALTER TABLE "change_requests"
  DROP CONSTRAINT "change_requests_end_reason",
  ADD CONSTRAINT "change_requests_end_reason" CHECK (
    CASE "state"
      WHEN 'REFUSED' THEN COALESCE("end_reason" IN ('REFUSED_BY_CUSTOMER', 'CONSENT_REVOKED'), FALSE)
      WHEN 'WITHDRAWN' THEN COALESCE("end_reason" IN ('WITHDRAWN_BY_ENGINEER', 'TICKET_CLOSED', 'TICKET_REASSIGNED',
                                                      'SITE_DEACTIVATED', 'PRODUCT_UNLICENSED', 'PRODUCT_CHANGED'), FALSE)
      WHEN 'EXPIRED' THEN COALESCE("end_reason" = 'TIME_ELAPSED', FALSE)
      ELSE "end_reason" IS NULL
    END);
