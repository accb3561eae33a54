-- The logins of the preflight gateway's database. Run by a superuser, any number of times, before the first migration;
-- passwords are the operator's (the launcher sets them).
--   preflight_owner    owns the tables and runs the migrations; no service runs under it
--   preflight_gateway  what `preflight-gateway gateway` connects as: jobs, policies and telemetry, never facts or reports
--   preflight_worker   what `preflight-gateway worker` connects as: how jobs end, facts and reports, never a new job
DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['preflight_owner', 'preflight_gateway', 'preflight_worker'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', login);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- it exists, or somebody created it in this very moment
        END;
    END LOOP;
END
$$;
