-- The queue of crate `jobs`: leased, fenced, bounded retries. The crate holds every statement that touches it.
CREATE TABLE jobs (
    id                  uuid        PRIMARY KEY,
    kind                text        NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_.-]{0,62}$'),
    tenant_id           text        NOT NULL CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    -- Who asked: 'user:usr_…', 'service:…' or 'control-token'.
    actor               text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    payload             jsonb       NOT NULL,
    state               text        NOT NULL DEFAULT 'queued'
                                    CHECK (state IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')),
    -- Attempts that count against the bound; progress sets them back to 1, a drained worker gives its own back.
    attempts            integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    max_attempts        integer     NOT NULL CHECK (max_attempts BETWEEN 1 AND 1000),
    -- Grows with every claim, never falls: the number that a worker must still hold to write anything.
    fence               bigint      NOT NULL DEFAULT 0 CHECK (fence >= 0),
    worker              text,
    lease_until         timestamptz,
    -- Not before this: the back-off between attempts.
    run_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    done                bigint      NOT NULL DEFAULT 0 CHECK (done >= 0),
    total               bigint      NOT NULL DEFAULT 0 CHECK (total >= 0),
    last_error          text        CHECK (length(last_error) <= 2000),
    -- W3C traceparent of the request that enqueued it.
    trace_parent        text        CHECK (length(trace_parent) <= 128),
    cancel_requested_at timestamptz,
    -- How often an operator has taken it out of the dead letters again.
    replays             integer     NOT NULL DEFAULT 0 CHECK (replays >= 0),
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at         timestamptz,
    CONSTRAINT jobs_running_has_a_lease CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT jobs_finished_has_a_time CHECK ((state IN ('succeeded', 'dead', 'cancelled')) = (finished_at IS NOT NULL))
);

-- Claiming: the oldest due job of a kind; expired leases of running ones.
CREATE INDEX jobs_due ON jobs (kind, run_at, id) WHERE state = 'queued';
CREATE INDEX jobs_leases ON jobs (kind, lease_until) WHERE state = 'running';
-- Listing dead letters, newest first.
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 'dead';
-- What a tenant's requests look up.
CREATE INDEX jobs_tenant ON jobs (tenant_id, id);

-- Rows are evidence of who asked for what: nobody deletes them but the owner's housekeeping.
GRANT SELECT, INSERT, UPDATE ON jobs TO evidence_vault;
