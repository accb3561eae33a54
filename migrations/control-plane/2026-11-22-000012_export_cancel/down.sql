ALTER TABLE export DROP COLUMN product_name;
UPDATE export SET state = 'expired' WHERE state = 'cancelled';
ALTER TABLE export DROP CONSTRAINT export_state_check;
ALTER TABLE export ADD CONSTRAINT export_state_check
    CHECK (state IN ('queued', 'running', 'ready', 'failed', 'expired'));
