-- The logins of the evidence vault's database. Run by a superuser, any number of times, before the first migration;
-- passwords are the operator's (the launcher sets them).
--   evidence_owner      owns the tables and runs the migrations; no service runs under it
--   evidence_vault      what `evidence-vault vault` connects as: records, wrapped keys, proofs; it adds to the audit and reads it
--   evidence_sequencer  what `evidence-vault sequencer` connects as: the log alone, no record and no key
DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['evidence_owner', 'evidence_vault', 'evidence_sequencer'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION', login);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- it exists, or somebody created it in this very moment
        END;
    END LOOP;
END
$$;
