SELECT fill_organizations($1::text, 32)
