-- A search of the audit log adds this condition to what it looks for. It is always true, and PostgreSQL takes it for dear: so of
-- the indexes that have the entries in order it chooses the one by which it has to look at the fewest entries, whatever share of
-- the log the statistics say an organization has. The share says nothing of when: who had a sixth of a log and left is far behind
-- the entries of all others.
--
-- Time and locks: milliseconds, whatever the size of the log.
CREATE FUNCTION "is_looked_at"("txid" bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 40000 AS $$
BEGIN
  RETURN true;
END $$;
