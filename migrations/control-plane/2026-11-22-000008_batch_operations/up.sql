-- What can be done to a batch after it was asked for: a recall, and the destruction of its secret; and a third mode.

ALTER TABLE batch
    DROP CONSTRAINT batch_mode_check,
    DROP CONSTRAINT batch_state_check,
    DROP CONSTRAINT batch_check,
    DROP CONSTRAINT batch_check1,
    ALTER COLUMN wrapped_secret DROP NOT NULL,
    ALTER COLUMN secret_key_id DROP NOT NULL,
    ADD COLUMN revoked_at timestamptz,
    -- The wrapped secret is gone since then, for ever: no code of the batch can be derived again.
    ADD COLUMN secret_destroyed_at timestamptz,
    ADD CONSTRAINT batch_mode_known CHECK (mode IN ('static', 'first_scan', 'confirmed_scan')),
    ADD CONSTRAINT batch_state_known
        CHECK (state IN ('queued', 'minting', 'sealed', 'failed', 'cancelled', 'revoked')),
    ADD CONSTRAINT batch_sealed_has_a_time CHECK ((state IN ('sealed', 'revoked')) = (sealed_at IS NOT NULL)),
    ADD CONSTRAINT batch_published_has_a_partition
        CHECK (state NOT IN ('sealed', 'revoked') OR partition_id IS NOT NULL),
    ADD CONSTRAINT batch_revoked_has_a_time CHECK ((state = 'revoked') = (revoked_at IS NOT NULL)),
    ADD CONSTRAINT batch_secret_is_there_or_destroyed CHECK (
        (secret_destroyed_at IS NOT NULL) = (wrapped_secret IS NULL)
        AND (secret_destroyed_at IS NOT NULL) = (secret_key_id IS NULL)),
    ADD CONSTRAINT batch_secret_outlives_minting
        CHECK (secret_destroyed_at IS NULL OR state NOT IN ('queued', 'minting'));

GRANT UPDATE (revoked_at, secret_destroyed_at, wrapped_secret, secret_key_id) ON batch TO control_app;

-- The application may destroy a secret. It can neither put one in its place nor take a recall back.
CREATE FUNCTION batch_goes_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.wrapped_secret IS NOT NULL AND NEW.wrapped_secret IS DISTINCT FROM OLD.wrapped_secret THEN
        RAISE EXCEPTION 'the secret of a batch can be destroyed, not changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.state = 'revoked' AND NEW.state <> 'revoked' THEN
        RAISE EXCEPTION 'a recall is not taken back' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER batch_goes_forward BEFORE UPDATE OF wrapped_secret, state ON batch
    FOR EACH ROW EXECUTE FUNCTION batch_goes_forward();
