-- Only our own logins reach this database, and none of them needs tables of its own, temporary ones included. By default
-- every login of the cluster may connect, the resolver's too where one cluster serves both. A dump keeps this only with
-- `pg_dump --create`.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO control_owner, control_app', current_database());
END
$$;
