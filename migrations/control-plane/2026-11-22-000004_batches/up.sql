-- Batches of units and what happened to them. The codes themselves are never stored: they are derived again from
-- the batch's secret, which is kept only wrapped by the code master key.

CREATE TABLE batch (
    id              uuid PRIMARY KEY,
    tenant_id       text NOT NULL REFERENCES tenant (id),
    brand_id        uuid NOT NULL,
    product_id      uuid NOT NULL,
    mode            text NOT NULL CHECK (mode IN ('static', 'first_scan')),
    units           integer NOT NULL CHECK (units BETWEEN 1 AND 10000000),
    first_serial    bigint NOT NULL CHECK (first_serial >= 1),
    state           text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'minting', 'sealed', 'failed', 'cancelled')),
    wrapped_secret  bytea NOT NULL,
    secret_key_id   text NOT NULL,
    -- Frozen at creation, so that a worker with another configuration still cuts the same chunks.
    chunk_units     integer NOT NULL CHECK (chunk_units BETWEEN 1 AND 1000000),
    -- The directory partition, which is the first two characters of each code; the directory names it when the publication opens.
    partition_id    smallint CHECK (partition_id BETWEEN 0 AND 1023),
    job_id          uuid NOT NULL,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sealed_at       timestamptz,
    failure_code    text,
    failure_message text,
    FOREIGN KEY (tenant_id, brand_id, product_id) REFERENCES product (tenant_id, brand_id, id),
    -- The directory refuses overlapping ranges; this refuses the crudest one here already.
    CONSTRAINT batch_first_serial_key UNIQUE (product_id, first_serial),
    UNIQUE (tenant_id, id),
    UNIQUE (tenant_id, brand_id, id),
    CHECK ((state = 'sealed') = (sealed_at IS NOT NULL)),
    CHECK (state <> 'sealed' OR partition_id IS NOT NULL),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL))
);

-- The history of a batch. The application may add and read entries; it can neither change nor remove one.
CREATE TABLE batch_event (
    id        uuid PRIMARY KEY,
    tenant_id text NOT NULL,
    batch_id  uuid NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,
    kind      text NOT NULL CHECK (char_length(kind) BETWEEN 1 AND 64),
    detail    jsonb NOT NULL DEFAULT '{}',
    FOREIGN KEY (tenant_id, batch_id) REFERENCES batch (tenant_id, id)
);
CREATE INDEX batch_event_of_batch ON batch_event (tenant_id, batch_id, id);

GRANT SELECT, INSERT, UPDATE (state, partition_id, job_id, sealed_at, failure_code, failure_message) ON batch TO control_app;
GRANT SELECT, INSERT ON batch_event TO control_app;
