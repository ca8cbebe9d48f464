-- Sites kept from before a URL had one spelling (src/organizations/site-url.ts) are not found by their URL, and others can
-- be created at it. They get that spelling: lower case, no zeros before a port, no port 443, no final dot. What no spelling
-- makes a valid URL stays as it is.
CREATE FUNCTION spelled_site_url("url" text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT regexp_replace(
           regexp_replace(
             regexp_replace(lower("url" COLLATE "C"), ':0+([1-9][0-9]*)$', ':\1'),
             ':443$', ''),
           '([^./])\.(:[0-9]+)?$', '\1\2')
$$;

-- Nobody but an operator can know which of two sites is the right one.
DO $$
DECLARE
  same record;
BEGIN
  SELECT spelled_site_url("url") AS "url", min("id"::text) AS "one", max("id"::text) AS "other" INTO same
    FROM "sites" GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'the sites % and % have the same URL, %: give one of them another URL as docs/operating.md says under "Two sites with one URL"',
      same."one", same."other", same."url" USING ERRCODE = 'unique_violation';
  END IF;
END $$;

UPDATE "sites" SET "url" = spelled_site_url("url") WHERE "url" <> spelled_site_url("url");

DROP FUNCTION spelled_site_url(text);
