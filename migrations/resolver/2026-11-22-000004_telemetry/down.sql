CREATE TABLE scan_event_before (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    publication_id integer,
    serial         bigint,
    outcome        text        NOT NULL CHECK (outcome IN ('genuine', 'activated_now', 'activated', 'recalled', 'unknown', 'unconfirmed')),
    device_class   text        NOT NULL CHECK (device_class IN ('phone', 'tablet', 'desktop', 'other')),
    country        text        CHECK (country ~ '^[A-Z]{2}$'),
    network        cidr        CHECK (masklen(network) <= CASE family(network) WHEN 4 THEN 24 ELSE 48 END)
);
INSERT INTO scan_event_before (at, publication_id, serial, outcome, device_class, country, network)
    SELECT e.at, e.publication_id, e.serial, e.outcome, e.device_class, e.country, e.network
    FROM scan_event e LEFT JOIN scan_segment s ON s.id = e.segment_id ORDER BY s.seq, e.position;
DROP TABLE scan_event;
DROP FUNCTION drop_scan_partitions(date);
DROP FUNCTION ensure_scan_partitions(integer);
DROP FUNCTION make_scan_partition(date);
DROP TABLE scan_segment;
ALTER TABLE scan_event_before RENAME TO scan_event;
ALTER TABLE scan_event RENAME CONSTRAINT scan_event_before_pkey TO scan_event_pkey;
ALTER SEQUENCE scan_event_before_id_seq RENAME TO scan_event_id_seq;
CREATE INDEX scan_event_by_publication ON scan_event (publication_id, id) WHERE publication_id IS NOT NULL;
GRANT INSERT (at, publication_id, serial, outcome, device_class, country, network) ON scan_event TO resolver_scan;
GRANT SELECT ON scan_event TO resolver_directory;
