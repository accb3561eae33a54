-- The registry of preflight jobs: what the preflight gateway says of them, taken over by a sync. The gateway owns them.

CREATE TABLE preflight_job (
    tenant_id       text        NOT NULL REFERENCES tenant (id),
    -- The gateway's name for it, unique within the tenant.
    job_id          text        NOT NULL CHECK (length(job_id) BETWEEN 1 AND 128),
    -- Time-ordered by when the job was first seen here: the order of lists.
    listing_id      uuid        NOT NULL UNIQUE,
    target_file     text        NOT NULL CHECK (length(target_file) BETWEEN 1 AND 2048),
    target_bytes    bigint      NOT NULL CHECK (target_bytes >= 0),
    policy          text        NOT NULL,
    policy_version  text        NOT NULL,
    batch_id        text,
    state           text        NOT NULL CHECK (state IN
        ('recorded', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
    verdict         text        CHECK (verdict IN ('pass', 'pass_with_warnings', 'fail', 'incomplete')),
    failure_code    text,
    failure_message text,
    content_sha256  bytea       CHECK (octet_length(content_sha256) = 32),
    engine_version  text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    -- The gateway's: a row is overwritten by a newer one only.
    revision        bigint      NOT NULL CHECK (revision >= 0),
    synced_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, job_id)
);
CREATE INDEX preflight_job_of_tenant ON preflight_job (tenant_id, listing_id DESC);

-- How far a tenant's jobs are taken over. It moves in the transaction of the rows that it stands for.
CREATE TABLE preflight_cursor (
    tenant_id text   PRIMARY KEY REFERENCES tenant (id),
    revision  bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    -- What the gateway said with it: it tells the gateway of today from one that was restored from a backup.
    mark      text   CHECK (length(mark) BETWEEN 1 AND 200),
    synced_at timestamptz
);

GRANT SELECT, INSERT, UPDATE (target_file, target_bytes, policy, policy_version, batch_id, state, verdict, failure_code,
    failure_message, content_sha256, engine_version, created_at, updated_at, started_at, finished_at, revision, synced_at)
    ON preflight_job TO control_app;
GRANT SELECT, INSERT, UPDATE (revision, mark, synced_at) ON preflight_cursor TO control_app;
