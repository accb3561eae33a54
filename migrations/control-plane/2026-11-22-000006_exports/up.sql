-- Export packs: one request, and the parts that were written to object storage for it.

CREATE TABLE export (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenant (id),
    brand_id        uuid NOT NULL,
    batch_id        uuid NOT NULL,
    formats         text[] NOT NULL CHECK (cardinality(formats) >= 1),
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'ready', 'failed', 'expired')),
    part_units      integer NOT NULL CHECK (part_units >= 1),
    format_version  integer NOT NULL CHECK (format_version >= 1),
    bytes           bigint NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- The index over the parts, once it is written.
    index_path      text,
    index_bytes     bigint,
    index_sha256    bytea CHECK (octet_length(index_sha256) = 32),
    job_id          uuid NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ready_at        timestamptz,
    expires_at      timestamptz,
    failure_code    text,
    failure_message text,
    FOREIGN KEY (tenant_id, brand_id, batch_id) REFERENCES batch (tenant_id, brand_id, id),
    UNIQUE (tenant_id, id),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL))
);
CREATE INDEX export_of_batch ON export (tenant_id, batch_id, id);
CREATE INDEX export_expiry ON export (expires_at) WHERE state = 'ready';

CREATE TABLE export_part (
    tenant_id    text NOT NULL,
    export_id    uuid NOT NULL,
    part         integer NOT NULL CHECK (part >= 0),
    object_path  text NOT NULL,
    bytes        bigint NOT NULL CHECK (bytes >= 0),
    sha256       bytea NOT NULL CHECK (octet_length(sha256) = 32),
    first_serial bigint NOT NULL CHECK (first_serial >= 1),
    units        integer NOT NULL CHECK (units >= 1),
    PRIMARY KEY (export_id, part),
    FOREIGN KEY (tenant_id, export_id) REFERENCES export (tenant_id, id)
);

GRANT SELECT, INSERT,
      UPDATE (state, bytes, index_path, index_bytes, index_sha256, job_id, ready_at, expires_at, failure_code, failure_message)
      ON export TO control_app;
GRANT SELECT, INSERT, DELETE, UPDATE (object_path, bytes, sha256, first_serial, units) ON export_part TO control_app;
