-- Only our own logins reach this database, and none of them needs tables of its own, temporary ones included. A dump keeps
-- this only with `pg_dump --create`.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO evidence_owner, evidence_vault, evidence_sequencer', current_database());
END
$$;
