-- Disputes about printed units, and which record in the evidence vault belongs to which. The records themselves, their keys
-- and everything that is known of them lie in the vault.

CREATE TABLE dispute (
    id         uuid        PRIMARY KEY,
    tenant_id  text        NOT NULL REFERENCES tenant (id),
    -- What the tenant calls it: a case number.
    reference  text        NOT NULL CHECK (char_length(reference) BETWEEN 1 AND 200),
    opened_by  text        NOT NULL CHECK (length(opened_by) BETWEEN 1 AND 200),
    opened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome    text        CHECK (outcome IN ('upheld', 'rejected', 'settled')),
    closed_by  text        CHECK (length(closed_by) BETWEEN 1 AND 200),
    closed_at  timestamptz,
    UNIQUE (tenant_id, id),
    -- Closed as a whole, or not at all.
    CONSTRAINT dispute_closed_is_whole CHECK (num_nonnulls(outcome, closed_by, closed_at) IN (0, 3))
);
CREATE INDEX dispute_of_tenant ON dispute (tenant_id, id DESC);

-- An arbitrator reads the evidence of open disputes: one that was closed must not open again.
CREATE FUNCTION dispute_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'a closed dispute is not changed any more';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dispute_stays_closed BEFORE UPDATE ON dispute
    FOR EACH ROW EXECUTE FUNCTION dispute_stays_closed();

GRANT SELECT, INSERT, UPDATE (outcome, closed_by, closed_at) ON dispute TO control_app;

-- Written before the first byte goes to the vault, and never changed: a record that the vault holds is always known here.
CREATE TABLE evidence_ref (
    evidence_id uuid        PRIMARY KEY,
    tenant_id   text        NOT NULL REFERENCES tenant (id),
    dispute_id  uuid        NOT NULL,
    uploaded_by text        NOT NULL CHECK (length(uploaded_by) BETWEEN 1 AND 200),
    -- SHA-256 of the upload's Idempotency-Key: a repetition finds the id that the first attempt was given.
    key_sha256  bytea       NOT NULL CHECK (octet_length(key_sha256) = 32),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (tenant_id, dispute_id) REFERENCES dispute (tenant_id, id),
    UNIQUE (tenant_id, uploaded_by, dispute_id, key_sha256)
);

GRANT SELECT, INSERT ON evidence_ref TO control_app;
