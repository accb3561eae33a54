-- Only our own logins reach this database, and none of them needs tables of its own, temporary ones included. A dump keeps
-- this only with `pg_dump --create`.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO preflight_owner, preflight_gateway, preflight_worker', current_database());
END
$$;
