-- A tenant's audit log as a file: asked for, made by a job, fetched through a signed URL, deleted after its retention.

CREATE TABLE audit_export (
    id            uuid        PRIMARY KEY,
    tenant_id     text        NOT NULL REFERENCES tenant (id),
    actor         text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    -- Entries from this time on, and before that one; the request's own time where none is given, so that a job that
    -- runs twice writes the same file twice.
    from_at       timestamptz,
    to_at         timestamptz NOT NULL,
    state         text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'ready', 'failed', 'expired')),
    job_id        uuid        NOT NULL,
    entries       bigint      CHECK (entries >= 0),
    bytes         bigint      CHECK (bytes >= 0),
    sha256        bytea       CHECK (octet_length(sha256) = 32),
    failure       text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz,
    CHECK (from_at IS NULL OR from_at < to_at),
    CONSTRAINT audit_export_ready_is_whole CHECK (
        state <> 'ready' OR num_nonnulls(entries, bytes, sha256, expires_at) = 4
    )
);
CREATE INDEX audit_export_of_tenant ON audit_export (tenant_id, id DESC);

GRANT SELECT, INSERT, UPDATE (state, entries, bytes, sha256, failure, expires_at) ON audit_export TO control_app;
