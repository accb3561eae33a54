-- A mark for each change of the sums of scans. Whoever pulls keeps the newest one beside its cursor and shows it with the
-- next pull: a mark that is not here says that this database was restored to a time before it, so that revisions above
-- that time are given out a second time and the cursor means nothing.
CREATE TABLE scan_summary_mark (
    id       uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    -- The value of scan_summary_counter in the transaction that made the mark.
    revision bigint      NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT scan_summary_mark_revision UNIQUE (revision)
);

GRANT SELECT, INSERT (revision), DELETE ON scan_summary_mark TO resolver_directory;
