-- Telemetry in segments and days: a segment arrives once, a day is dropped whole.

-- A segment is the rows of one COPY. Its id is inserted in the COPY's own transaction, so a process that does not know
-- whether its commit arrived writes the segment again and meets the id. The login that inserts cannot read.
-- `xid` orders what commits: the order of `seq` is not the order of commits, so whoever reads by cursor takes only
-- segments with xid < pg_snapshot_xmin(pg_current_snapshot()), ordered by (xid, seq).
CREATE TABLE scan_segment (
    id   uuid        PRIMARY KEY,
    seq  bigint      NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    rows integer     NOT NULL CHECK (rows BETWEEN 1 AND 5000),
    at   timestamptz NOT NULL,
    xid  xid8        NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX scan_segment_by_xid ON scan_segment (xid, seq);

ALTER TABLE scan_event RENAME TO scan_event_before;
ALTER TABLE scan_event_before RENAME CONSTRAINT scan_event_pkey TO scan_event_before_pkey;

-- The schema is the privacy policy: there is no column for an address, a User-Agent or the characters of a code.
-- Bots leave no row. `product_id` is also known for an unknown code whose link names the GTIN of exactly one product.
CREATE TABLE scan_event (
    segment_id     uuid        NOT NULL,
    position       integer     NOT NULL,
    at             timestamptz NOT NULL,
    publication_id integer,
    product_id     uuid,
    serial         bigint,
    outcome        text        NOT NULL CHECK (outcome IN ('genuine', 'activated_now', 'activated', 'recalled', 'unknown', 'unconfirmed')),
    device_class   text        NOT NULL CHECK (device_class IN ('phone', 'tablet', 'desktop', 'other')),
    country        text        CHECK (country ~ '^[A-Z]{2}$'),
    region         text        CHECK (region ~ '^[A-Z0-9]{1,3}$'),
    network        cidr        CHECK (masklen(network) <= CASE family(network) WHEN 4 THEN 24 ELSE 48 END),
    PRIMARY KEY (segment_id, position, at)
) PARTITION BY RANGE (at);

-- What comes late from a spool, or from a wrong clock, is kept like everything else.
CREATE TABLE scan_event_stray PARTITION OF scan_event DEFAULT;

-- Makes the partition of a UTC day; answers whether it did. Rows of that day that strayed into the default partition
-- move over. ATTACH rather than CREATE … PARTITION OF: writers of other days go on.
CREATE FUNCTION make_scan_partition(day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'
AS $$
DECLARE
    name   text := 'scan_event_' || to_char(day, 'YYYYMMDD');
    starts timestamptz := day::timestamptz;
    ends   timestamptz := (day + 1)::timestamptz;
BEGIN
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    LOCK TABLE public.scan_event_stray IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.scan_event INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
    EXECUTE format('WITH strayed AS (DELETE FROM public.scan_event_stray WHERE at >= $1 AND at < $2 RETURNING *)
                    INSERT INTO public.%I SELECT * FROM strayed', name) USING starts, ends;
    EXECUTE format('ALTER TABLE public.scan_event ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', name, starts, ends);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION make_scan_partition(date) FROM PUBLIC;

-- Makes the partitions from yesterday to so many days ahead; answers how many were missing. The time-out keeps a
-- waiting ALTER from holding up everybody who comes after it: the caller tries again later.
CREATE FUNCTION ensure_scan_partitions(days_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s'
AS $$
DECLARE
    made integer := 0;
BEGIN
    IF days_ahead NOT BETWEEN 0 AND 366 THEN
        RAISE EXCEPTION 'partitions are made 0 to 366 days ahead' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('mintmark.resolver.scan_partitions', 0));
    FOR ahead IN -1 .. days_ahead LOOP
        made := made + public.make_scan_partition(current_date + ahead)::integer;
    END LOOP;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION ensure_scan_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_scan_partitions(integer) TO resolver_directory;

-- Drops the telemetry of the UTC days before a day, which is today at the latest; answers how many partitions went.
CREATE FUNCTION drop_scan_partitions(before date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s'
AS $$
DECLARE
    name    text;
    dropped integer := 0;
BEGIN
    IF before IS NULL OR before > current_date THEN
        RAISE EXCEPTION 'today''s telemetry is not dropped' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('mintmark.resolver.scan_partitions', 0));
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.scan_event'::regclass AND c.relname ~ '^scan_event_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE public.%I', name);
        dropped := dropped + 1;
    END LOOP;
    DELETE FROM public.scan_event_stray WHERE at < before::timestamptz;
    DELETE FROM public.scan_segment WHERE at < before::timestamptz;
    RETURN dropped;
END
$$;
REVOKE ALL ON FUNCTION drop_scan_partitions(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_scan_partitions(date) TO resolver_directory;

SELECT make_scan_partition(day) FROM (SELECT DISTINCT (at AT TIME ZONE 'UTC')::date AS day FROM scan_event_before) AS days;
SELECT ensure_scan_partitions(7);

-- What is there already becomes segments of its own.
WITH numbered AS (
    SELECT b.*, row_number() OVER (ORDER BY b.id) - 1 AS number FROM scan_event_before b
), segments AS (
    INSERT INTO scan_segment (id, rows, at)
        SELECT md5('scan_event_before ' || number / 5000)::uuid, count(*), max(at) FROM numbered GROUP BY number / 5000
)
INSERT INTO scan_event (segment_id, position, at, publication_id, product_id, serial, outcome, device_class, country, network)
    SELECT md5('scan_event_before ' || n.number / 5000)::uuid, n.number % 5000, n.at, n.publication_id, p.product_id,
           n.serial, n.outcome, n.device_class, n.country, n.network
    FROM numbered n LEFT JOIN publication p ON p.id = n.publication_id;
DROP TABLE scan_event_before;

GRANT INSERT (id, rows, at) ON scan_segment TO resolver_scan;
GRANT INSERT ON scan_event TO resolver_scan;
GRANT SELECT ON scan_event, scan_segment TO resolver_directory;
