-- The three logins of the resolver. Run once on a cluster, as a superuser, before the first migration; running it again
-- changes nothing. Passwords are the operator's: ALTER ROLE … PASSWORD.
--
-- The database must belong to resolver_owner: CREATE DATABASE mintmark_resolver OWNER resolver_owner.
--
--   resolver_owner      runs migrations and owns everything; no program that serves requests knows its password
--   resolver_scan       reads the directory, executes activate(), adds telemetry
--   resolver_directory  publishes
DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['resolver_owner', 'resolver_scan', 'resolver_directory'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', login);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- it exists, or somebody created it in this very moment
        END;
    END LOOP;
END
$$;
