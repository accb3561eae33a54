-- Only our own logins reach this database. By default every login of the cluster may connect, the control plane's too
-- where one cluster serves both. A dump keeps this only with `pg_dump --create`.
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO resolver_owner, resolver_scan, resolver_directory', current_database());
END
$$;
