-- Preflight jobs, what was found out about their files, and the policies that judge it.

-- The last revision that was given to a change of one of the tenant's jobs. Whoever changes a job holds this row to the end,
-- so a tenant's revisions become visible in their order: a reader who saw number n has seen every change up to n.
CREATE TABLE preflight_tenant (
    tenant_id text   PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    revision  bigint NOT NULL DEFAULT 0 CHECK (revision >= 0)
);

-- A mark for each pull that saw changes. Whoever pulls keeps it beside its cursor and shows it with the next pull: a mark that
-- is not here says that this database was restored to a time before it, so that revisions are given out a second time.
CREATE TABLE preflight_mark (
    tenant_id text        NOT NULL REFERENCES preflight_tenant,
    revision  bigint      NOT NULL,
    id        uuid        NOT NULL DEFAULT gen_random_uuid(),
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, revision)
);

CREATE TABLE preflight_job (
    -- Ours, ordered by time; the client's name for it is job_id.
    id              uuid        PRIMARY KEY,
    tenant_id       text        NOT NULL REFERENCES preflight_tenant,
    job_id          text        NOT NULL CHECK (job_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    -- SHA-256 of the request that created it: the same name with another request is refused.
    request_sha256  bytea       NOT NULL CHECK (length(request_sha256) = 32),
    target_file     text        NOT NULL CHECK (target_file ~ '^s3://' AND length(target_file) <= 1200),
    -- The version of the object that was accepted; the worker reads this one or none.
    target_etag     text        NOT NULL CHECK (length(target_etag) BETWEEN 1 AND 1024),
    target_version  text        CHECK (length(target_version) BETWEEN 1 AND 1024),
    target_bytes    bigint      NOT NULL CHECK (target_bytes >= 0),
    policy          text        NOT NULL CHECK (policy ~ '^[a-z][a-z0-9-]{0,63}$'),
    policy_version  text        NOT NULL CHECK (length(policy_version) BETWEEN 1 AND 32),
    intent          jsonb,
    batch_id        text        CHECK (batch_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    state           text        NOT NULL
                                CHECK (state IN ('recorded', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
    verdict         text        CHECK (verdict IN ('pass', 'pass_with_warnings', 'fail', 'incomplete')),
    failure_code    text        CHECK (failure_code ~ '^[A-Z][A-Z0-9_]{0,63}$'),
    failure_message text        CHECK (length(failure_message) <= 1000),
    content_sha256  bytea       CHECK (length(content_sha256) = 32),
    engine_version  text        CHECK (length(engine_version) BETWEEN 1 AND 64),
    -- Its job in the queue; null while it is only recorded.
    queue_id        uuid,
    -- Who asked: `sub` of the token.
    created_by      text        NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    finished_at     timestamptz,
    revision        bigint      NOT NULL,
    CONSTRAINT preflight_job_name UNIQUE (tenant_id, job_id),
    CONSTRAINT preflight_job_recorded_is_not_queued CHECK ((state = 'recorded') = (queue_id IS NULL) OR state = 'cancelled'),
    CONSTRAINT preflight_job_succeeded_has_a_verdict CHECK ((state = 'succeeded') = (verdict IS NOT NULL)),
    CONSTRAINT preflight_job_succeeded_has_facts
        CHECK (state <> 'succeeded' OR (content_sha256 IS NOT NULL AND engine_version IS NOT NULL)),
    CONSTRAINT preflight_job_failed_says_why CHECK ((state = 'failed') = (failure_code IS NOT NULL)),
    CONSTRAINT preflight_job_failure_is_whole CHECK ((failure_code IS NULL) = (failure_message IS NULL)),
    CONSTRAINT preflight_job_ended_has_a_time
        CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX preflight_job_by_revision ON preflight_job (tenant_id, revision);
CREATE INDEX preflight_job_newest ON preflight_job (tenant_id, id);
CREATE INDEX preflight_job_by_batch ON preflight_job (tenant_id, batch_id, id) WHERE batch_id IS NOT NULL;

-- What an engine found in a file, once for each content: no row names a tenant, and a tenant reaches one only through a job of
-- its own whose content it was. Deflated JSON.
CREATE TABLE preflight_facts (
    content_sha256 bytea       NOT NULL CHECK (length(content_sha256) = 32),
    engine_version text        NOT NULL CHECK (length(engine_version) BETWEEN 1 AND 64),
    deflated       bytea       NOT NULL,
    -- Length of the JSON.
    bytes          bigint      NOT NULL CHECK (bytes > 0),
    made_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (content_sha256, engine_version)
);

-- One report for each job that succeeded.
CREATE TABLE preflight_report (
    id        uuid PRIMARY KEY REFERENCES preflight_job,
    tenant_id text NOT NULL,
    -- JSON as it is served.
    document  text NOT NULL
);

-- Policies of a tenant's own. A version never changes.
CREATE TABLE preflight_policy (
    tenant_id  text        NOT NULL CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    name       text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    version    integer     NOT NULL CHECK (version >= 1),
    title      text        NOT NULL CHECK (length(title) <= 200),
    document   text        NOT NULL CHECK (octet_length(document) <= 262144),
    created_by text        NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, name, version)
);

-- The newest version of each, and whether it is withdrawn from further jobs. Whoever adds a version holds this row.
CREATE TABLE preflight_policy_head (
    tenant_id    text        NOT NULL,
    name         text        NOT NULL,
    version      integer     NOT NULL,
    withdrawn_at timestamptz,
    PRIMARY KEY (tenant_id, name),
    FOREIGN KEY (tenant_id, name, version) REFERENCES preflight_policy
);

-- What repairs changed in the documents of jobs.
CREATE TABLE preflight_telemetry (
    id         uuid        NOT NULL REFERENCES preflight_job,
    event_id   text        NOT NULL CHECK (event_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$'),
    tenant_id  text        NOT NULL,
    event      jsonb       NOT NULL,
    created_by text        NOT NULL CHECK (length(created_by) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, event_id)
);

GRANT SELECT, INSERT, UPDATE (revision) ON preflight_tenant TO preflight_gateway;
GRANT SELECT, INSERT (tenant_id, revision), DELETE ON preflight_mark TO preflight_gateway;
GRANT SELECT, INSERT,
    UPDATE (policy, policy_version, intent, batch_id, state, queue_id, updated_at, finished_at, revision)
    ON preflight_job TO preflight_gateway;
GRANT SELECT ON preflight_facts, preflight_report TO preflight_gateway;
GRANT SELECT, INSERT ON preflight_policy, preflight_telemetry TO preflight_gateway;
GRANT SELECT, INSERT, UPDATE (version, withdrawn_at) ON preflight_policy_head TO preflight_gateway;

GRANT SELECT, UPDATE (revision) ON preflight_tenant TO preflight_worker;
GRANT SELECT, UPDATE (state, verdict, failure_code, failure_message, content_sha256, engine_version, updated_at, started_at,
    finished_at, revision) ON preflight_job TO preflight_worker;
GRANT SELECT, INSERT ON preflight_facts, preflight_report TO preflight_worker;
GRANT SELECT ON preflight_policy TO preflight_worker;
