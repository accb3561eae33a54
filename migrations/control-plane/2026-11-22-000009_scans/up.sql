-- What the public scanned, in sums that are pulled from the resolver's directory. This database never holds a scan.

CREATE TABLE scan_summary (
    tenant_id         text    NOT NULL REFERENCES tenant (id),
    -- The day in UTC.
    day               date    NOT NULL,
    -- No foreign key to product or batch: a control plane that was restored from a backup must be able to go on pulling.
    product_id        uuid    NOT NULL,
    -- Null for codes that no batch of the product has.
    batch_id          uuid,
    country           text    CHECK (country ~ '^[A-Z]{2}$'),
    outcome           text    NOT NULL CHECK (outcome IN
        ('genuine', 'activated_now', 'activated', 'recalled', 'unknown', 'unpublished', 'unconfirmed')),
    scans             bigint  NOT NULL CHECK (scans > 0),
    first_activations bigint  NOT NULL CHECK (first_activations BETWEEN 0 AND scans),
    -- The directory's: a row is overwritten by a newer one only.
    revision          bigint  NOT NULL,
    -- Its order serves a brand's figures: the products of the brand, then a range of days.
    CONSTRAINT scan_summary_key UNIQUE NULLS NOT DISTINCT (tenant_id, product_id, day, batch_id, country, outcome)
);
CREATE INDEX scan_summary_of_batch ON scan_summary (tenant_id, batch_id, day)
    INCLUDE (country, outcome, scans, first_activations) WHERE batch_id IS NOT NULL;

-- How far a tenant's sums are pulled, and which job pulls next. A job that is not named here ends without pulling, so
-- that a tenant has one at most.
CREATE TABLE scan_cursor (
    tenant_id text   PRIMARY KEY REFERENCES tenant (id),
    revision  bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    job_id    uuid,
    -- When everything that the directory had was last here.
    pulled_at timestamptz
);

GRANT SELECT, INSERT, UPDATE (scans, first_activations, revision) ON scan_summary TO control_app;
GRANT SELECT, INSERT, UPDATE (revision, job_id, pulled_at) ON scan_cursor TO control_app;

-- A pull makes the next one, some thousand a day for each tenant: those that ended well say nothing after an hour.
-- Nothing else of the queue can be removed by the application.
CREATE INDEX jobs_ended_scan_pulls ON jobs (tenant_id, finished_at) WHERE kind = 'pull-scans' AND state = 'succeeded';
CREATE FUNCTION forget_scan_pulls(tenant text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
    DELETE FROM public.jobs
    WHERE tenant_id = tenant AND kind = 'pull-scans' AND state = 'succeeded' AND finished_at < now() - interval '1 hour'
$$;
REVOKE ALL ON FUNCTION forget_scan_pulls(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_scan_pulls(text) TO control_app;
