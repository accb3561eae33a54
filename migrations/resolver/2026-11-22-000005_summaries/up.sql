-- Sums of scans, which outlive the events that they were made from. Written by the directory role alone, from whole
-- segments, and handed to the control plane by revision.
CREATE TABLE scan_summary (
    tenant_id         text   NOT NULL,
    -- The day in UTC.
    day               date   NOT NULL,
    product_id        uuid   NOT NULL,
    -- Null for codes that no batch of the product has.
    batch_id          uuid,
    country           text   CHECK (country ~ '^[A-Z]{2}$'),
    outcome           text   NOT NULL CHECK (outcome IN
        ('genuine', 'activated_now', 'activated', 'recalled', 'unknown', 'unpublished', 'unconfirmed')),
    scans             bigint NOT NULL CHECK (scans > 0),
    first_activations bigint NOT NULL CHECK (first_activations BETWEEN 0 AND scans),
    revision          bigint NOT NULL,
    CONSTRAINT scan_summary_key UNIQUE NULLS NOT DISTINCT (tenant_id, day, product_id, batch_id, country, outcome)
);
CREATE UNIQUE INDEX scan_summary_by_revision ON scan_summary (tenant_id, revision);

-- The last revision that was given out. Whoever sums holds its row to the end, so revisions become visible in their
-- order: a reader who saw number n has seen every row up to n.
CREATE TABLE scan_summary_counter (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    value    bigint  NOT NULL DEFAULT 0
);
INSERT INTO scan_summary_counter DEFAULT VALUES;

-- A segment is summed once: it is marked in the transaction that adds its sums. A mark for each segment rather than a
-- cursor over them: nothing that commits late is skipped, whatever order it commits in, also after a restore into
-- another cluster, whose transaction numbers start anew.
ALTER TABLE scan_segment ADD COLUMN summed_at timestamptz;
CREATE INDEX scan_segment_to_sum ON scan_segment (seq) WHERE summed_at IS NULL;
GRANT UPDATE (summed_at) ON scan_segment TO resolver_directory;

GRANT SELECT, INSERT, UPDATE (scans, first_activations, revision) ON scan_summary TO resolver_directory;
GRANT SELECT, UPDATE (value) ON scan_summary_counter TO resolver_directory;
