-- Claims of idempotency keys, made in the transaction of the work they protect and kept as long as its result.
-- status and body are null only inside that transaction: the answer is written before it commits.

CREATE TABLE idempotency (
    tenant_id   text NOT NULL REFERENCES tenant (id),
    actor       text NOT NULL,
    method      text NOT NULL,
    path        text NOT NULL,
    key         text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    status      smallint,
    body        jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, actor, method, path, key),
    CHECK ((status IS NULL) = (body IS NULL))
);

GRANT SELECT, INSERT, UPDATE (status, body) ON idempotency TO control_app;
