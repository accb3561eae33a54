-- Keys of programs. The key itself is nowhere: its SHA-256 is, and the secret in it has 256 bits.

CREATE TABLE api_key (
    id           uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL REFERENCES tenant (id),
    -- At each request a key may do what was granted, as far as this person may still grant it.
    creator_id   uuid        NOT NULL,
    name         text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    environment  text        NOT NULL CHECK (environment IN ('live', 'test')),
    digest       bytea       NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    scopes       text[]      NOT NULL CHECK (
        cardinality(scopes) BETWEEN 1 AND 11
        AND array_position(scopes, NULL) IS NULL
        AND scopes <@ ARRAY['trust:read', 'attestations:read', 'attestations:write', 'payouts:write',
            'reports:generate', 'exports:read', 'webhooks:admin', 'admin:read', 'admin:write', 'public', 'enterprise']
    ),
    tier         text        NOT NULL CHECK (tier IN ('free', 'pro', 'enterprise')),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- The key that a rotation put in this one's place.
    replaced_by  uuid,
    -- To the hour: enough to find keys that nobody uses, and one write an hour.
    last_used_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, creator_id) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, replaced_by) REFERENCES api_key (tenant_id, id),
    CONSTRAINT api_key_replaced_is_revoked CHECK (replaced_by IS NULL OR revoked_at IS NOT NULL)
);
CREATE INDEX api_key_of_tenant ON api_key (tenant_id, id DESC);

-- A revocation is not taken back, and what a key may do never changes: a rotation makes another key.
CREATE FUNCTION api_key_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'a revocation of an API key is not taken back';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER api_key_stays_revoked BEFORE UPDATE ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_stays_revoked();

GRANT SELECT, INSERT, UPDATE (revoked_at, replaced_by, last_used_at) ON api_key TO control_app;
