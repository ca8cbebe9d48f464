-- The domains of the vendor's own email addresses. Gateways write the configured ones when they start.
CREATE TABLE "vendor_domains" (
    "domain" TEXT NOT NULL,

    CONSTRAINT "vendor_domains_pkey" PRIMARY KEY ("domain")
);

-- In the form in which addresses are compared: ASCII, in lower case, with at least two labels.
ALTER TABLE "vendor_domains"
  ADD CONSTRAINT "vendor_domains_form" CHECK ("domain" ~ '^[a-z0-9-]+([.][a-z0-9-]+)+$');
