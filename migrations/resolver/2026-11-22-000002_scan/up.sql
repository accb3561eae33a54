-- What scanning leaves behind: activations, written through activate() alone, and telemetry.

CREATE TABLE activation (
    hash           uuid        PRIMARY KEY,
    publication_id integer     NOT NULL,
    serial         bigint      NOT NULL,
    activated_at   timestamptz NOT NULL
);

-- Activates a code, once: `won` is true for the one call that did it. `activated_at` is null when the code is not
-- activated and may not be: not sealed, revoked, of another mode, or not in the directory under this very serial.
CREATE FUNCTION activate(p_hash uuid, p_publication integer, p_serial bigint, OUT won boolean, OUT activated_at timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    codes  text;
    listed boolean;
BEGIN
    won := false;
    SELECT 'code_' || lpad(p.partition_id::text, 4, '0') INTO codes FROM public.publication p WHERE p.id = p_publication;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT true FROM public.%I WHERE hash = $1 AND publication_id = $2 AND serial = $3', codes)
        INTO listed USING p_hash, p_publication, p_serial;
    IF listed IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO public.activation AS a (hash, publication_id, serial, activated_at)
        SELECT p_hash, p.id, p_serial, clock_timestamp() FROM public.publication p
        WHERE p.id = p_publication AND p.state = 'sealed' AND p.revoked_at IS NULL AND p.mode = 'first_scan'
        ON CONFLICT DO NOTHING
        RETURNING a.activated_at INTO activate.activated_at;
    won := FOUND;
    IF NOT won THEN
        SELECT a.activated_at INTO activate.activated_at FROM public.activation a WHERE a.hash = p_hash;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION activate(uuid, integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION activate(uuid, integer, bigint) TO resolver_scan;

-- The schema is the privacy policy: there is no column for an address, a User-Agent or the characters of a code.
-- Bots leave no row.
CREATE TABLE scan_event (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    publication_id integer,
    serial         bigint,
    outcome        text        NOT NULL CHECK (outcome IN ('genuine', 'activated_now', 'activated', 'recalled', 'unknown', 'unconfirmed')),
    device_class   text        NOT NULL CHECK (device_class IN ('phone', 'tablet', 'desktop', 'other')),
    country        text        CHECK (country ~ '^[A-Z]{2}$'),
    network        cidr        CHECK (masklen(network) <= CASE family(network) WHEN 4 THEN 24 ELSE 48 END)
);
CREATE INDEX scan_event_by_publication ON scan_event (publication_id, id) WHERE publication_id IS NOT NULL;

GRANT INSERT (at, publication_id, serial, outcome, device_class, country, network) ON scan_event TO resolver_scan;
-- The directory role hands activations and telemetry to the control plane, which pulls them by cursor.
GRANT SELECT ON activation, scan_event TO resolver_directory;
