-- The logins of the control plane's database. Run by a superuser, any number of times, before the first migration;
-- passwords are the operator's (the launcher sets them).
--   control_owner  owns the tables and runs the migrations; no service runs under it
--   control_app    what `control-plane serve` connects as; each migration grants it what it needs, table by table
--   control_sequencer  what `control-plane sequencer` connects as: the audit's log alone
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'control_owner') THEN
        CREATE ROLE control_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'control_app') THEN
        CREATE ROLE control_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'control_sequencer') THEN
        CREATE ROLE control_sequencer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
END
$$;
