-- Records, the keys that open them, and the proofs of their erasure. The bytes of a record lie in the object store; what
-- opens them lies in `evidence_key`, wrapped by a key that no backup of this database holds.

CREATE TABLE kek (
    id           uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    -- `period`: for records that expire in one period; `hold`: for one held record.
    purpose      text        NOT NULL CHECK (purpose IN ('period', 'hold')),
    period_start date,
    period_end   date,
    record_id    uuid,
    -- `pending` until the provider has made it. Uploads, holds and re-wraps commit under FOR SHARE of an active one;
    -- destruction takes FOR UPDATE and demands that nothing refers to it.
    state        text        NOT NULL CHECK (state IN ('pending', 'active', 'closing', 'destroyed')),
    -- GCM invocations that were reserved, each before it is made.
    invocations  bigint      NOT NULL DEFAULT 0 CHECK (invocations >= 0),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at    timestamptz,
    destroyed_at timestamptz,
    -- What says that it was destroyed: a PS256 JWT.
    certificate  text,
    CONSTRAINT kek_is_of_a_period_or_of_a_record CHECK (
        (purpose = 'period') = (period_start IS NOT NULL AND period_end > period_start)
        AND (purpose = 'hold') = (record_id IS NOT NULL)
    ),
    CONSTRAINT kek_destroyed_has_a_time CHECK ((state = 'destroyed') = (destroyed_at IS NOT NULL))
);
-- One that takes new records for each period.
CREATE UNIQUE INDEX kek_of_period ON kek (tenant_id, period_start, period_end)
    WHERE purpose = 'period' AND state IN ('pending', 'active');
CREATE UNIQUE INDEX kek_of_hold ON kek (record_id) WHERE purpose = 'hold' AND state IN ('pending', 'active');
CREATE INDEX kek_in_use ON kek (tenant_id, state, id) WHERE state <> 'destroyed';

CREATE TABLE evidence (
    id                uuid        PRIMARY KEY,
    tenant_id         text        NOT NULL CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    subject_kind      text        NOT NULL CHECK (subject_kind IN ('dispute', 'slash')),
    subject_id        text        NOT NULL CHECK (length(subject_id) BETWEEN 1 AND 64),
    media_type        text        NOT NULL CHECK (length(media_type) BETWEEN 3 AND 127),
    -- 'uploading' rows are not evidence yet: nobody sees them, and what they left in the store is swept.
    state             text        NOT NULL CHECK (state IN ('uploading', 'stored', 'shredding', 'shredded')),
    -- Length of the plaintext.
    bytes             bigint      NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- The object that holds the ciphertext; cleared by the soft delete.
    encrypted_blob    text        CHECK (length(encrypted_blob) <= 512),
    ciphertext_sha256 bytea       CHECK (octet_length(ciphertext_sha256) = 32),
    -- The plaintext's SHA-256, encrypted under the record's own key, so that it dies with it.
    sealed_digest     bytea       CHECK (octet_length(sealed_digest) BETWEEN 32 AND 256),
    uploaded_by       text        NOT NULL CHECK (length(uploaded_by) BETWEEN 1 AND 200),
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- created_at and the retention that was configured at the upload.
    retention_days    integer     NOT NULL CHECK (retention_days >= 0),
    expires_at        timestamptz NOT NULL,
    legal_hold        boolean     NOT NULL DEFAULT false,
    -- Fixed when the erasure begins: what its proof says is said once.
    erased_at         timestamptz,
    erasure_nonce     uuid,
    erased_by         text        CHECK (length(erased_by) BETWEEN 1 AND 200),
    shredded_at       timestamptz,
    deleted_at        timestamptz,
    CONSTRAINT evidence_stored_is_whole CHECK (
        state IN ('uploading', 'shredded') OR (encrypted_blob IS NOT NULL AND ciphertext_sha256 IS NOT NULL)
    ),
    CONSTRAINT evidence_erasure_is_named CHECK (
        state NOT IN ('shredding', 'shredded') OR (erased_at IS NOT NULL AND erasure_nonce IS NOT NULL AND erased_by IS NOT NULL)
    ),
    CONSTRAINT evidence_held_is_not_erased CHECK (NOT legal_hold OR state = 'stored')
);
CREATE INDEX evidence_of_subject ON evidence (tenant_id, subject_kind, subject_id, id) WHERE state <> 'uploading';
CREATE INDEX evidence_due ON evidence (tenant_id, expires_at, id) WHERE state = 'stored' AND NOT legal_hold;
CREATE INDEX evidence_unfinished ON evidence (tenant_id, id) WHERE state IN ('uploading', 'shredding') OR (state = 'shredded' AND deleted_at IS NULL);

-- Narrow, because every row of it is erased one day: the fewer bytes lie in its old versions, the better.
CREATE TABLE evidence_key (
    record_id   uuid  PRIMARY KEY REFERENCES evidence (id),
    kek_id      uuid  NOT NULL REFERENCES kek (id),
    wrapped_dek bytea NOT NULL CHECK (octet_length(wrapped_dek) = 32),
    iv          bytea NOT NULL CHECK (octet_length(iv) = 12),
    tag         bytea NOT NULL CHECK (octet_length(tag) = 16)
);
CREATE INDEX evidence_key_of_kek ON evidence_key (kek_id);

CREATE TABLE erasure_proof (
    id         uuid        PRIMARY KEY,
    record_id  uuid        NOT NULL REFERENCES evidence (id),
    -- `erasure` is made once and never changes; `recovery` is added by a run that met a shredded record.
    kind       text        NOT NULL CHECK (kind IN ('erasure', 'recovery')),
    jwt        text        NOT NULL CHECK (length(jwt) <= 8192),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX erasure_proof_once ON erasure_proof (record_id) WHERE kind = 'erasure';
CREATE INDEX erasure_proof_of_record ON erasure_proof (record_id, id);

-- No row of a record, a key's history or a proof is ever deleted; of wrapped keys every row is, one day.
GRANT SELECT, INSERT, UPDATE ON kek, evidence TO evidence_vault;
GRANT SELECT, INSERT, UPDATE, DELETE ON evidence_key TO evidence_vault;
GRANT SELECT, INSERT ON erasure_proof TO evidence_vault;
