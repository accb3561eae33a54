-- Fails, as it should, while a batch is revoked, in the mode confirmed_scan or without its secret: the older program
-- would misread it.
DROP TRIGGER batch_goes_forward ON batch;
DROP FUNCTION batch_goes_forward();
REVOKE UPDATE (wrapped_secret, secret_key_id) ON batch FROM control_app;
ALTER TABLE batch
    DROP CONSTRAINT batch_mode_known,
    DROP CONSTRAINT batch_state_known,
    DROP CONSTRAINT batch_sealed_has_a_time,
    DROP CONSTRAINT batch_published_has_a_partition,
    DROP CONSTRAINT batch_revoked_has_a_time,
    DROP CONSTRAINT batch_secret_is_there_or_destroyed,
    DROP CONSTRAINT batch_secret_outlives_minting,
    DROP COLUMN revoked_at,
    DROP COLUMN secret_destroyed_at,
    ALTER COLUMN wrapped_secret SET NOT NULL,
    ALTER COLUMN secret_key_id SET NOT NULL,
    ADD CONSTRAINT batch_mode_check CHECK (mode IN ('static', 'first_scan')),
    ADD CONSTRAINT batch_state_check CHECK (state IN ('queued', 'minting', 'sealed', 'failed', 'cancelled')),
    ADD CONSTRAINT batch_check CHECK ((state = 'sealed') = (sealed_at IS NOT NULL)),
    ADD CONSTRAINT batch_check1 CHECK (state <> 'sealed' OR partition_id IS NOT NULL);
