-- What a brand brings to the built-in page. An image is named by the SHA-256 of its bytes and kept while a product shows it.
CREATE TABLE image (
    sha256       bytea    PRIMARY KEY CHECK (sha256 = sha256(content)),
    content_type text     NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp')),
    content      bytea    NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 262144),
    width        smallint NOT NULL CHECK (width BETWEEN 1 AND 2048),
    height       smallint NOT NULL CHECK (height BETWEEN 1 AND 2048)
);

ALTER TABLE product
    ADD COLUMN primary_colour text CHECK (primary_colour ~ '^#[0-9a-f]{6}$'),
    ADD COLUMN logo           bytea REFERENCES image,
    ADD COLUMN picture        bytea REFERENCES image;
CREATE INDEX product_by_logo ON product (logo) WHERE logo IS NOT NULL;
CREATE INDEX product_by_picture ON product (picture) WHERE picture IS NOT NULL;

GRANT SELECT ON image TO resolver_scan, resolver_directory;
GRANT INSERT, DELETE ON image TO resolver_directory;

-- Where a code was activated, as coarse as telemetry knows it: a later visitor is told "in France", never more.
ALTER TABLE activation ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');

-- As before, and it takes and answers the country. The defaults are for the program before this migration.
DROP FUNCTION activate(uuid, integer, bigint, boolean);
CREATE FUNCTION activate(
    p_hash uuid, p_publication integer, p_serial bigint, p_confirmed boolean DEFAULT false,
    p_country text DEFAULT NULL, OUT won boolean, OUT activated_at timestamptz, OUT activated_in text
)
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
    INSERT INTO public.activation AS a (hash, publication_id, serial, activated_at, country)
        SELECT p_hash, p.id, p_serial, clock_timestamp(), p_country FROM public.publication p
        WHERE p.id = p_publication AND p.state = 'sealed' AND p.revoked_at IS NULL
          AND (p.mode = 'first_scan' OR (p.mode = 'confirmed_scan' AND p_confirmed))
          AND NOT EXISTS (SELECT FROM public.revoked_code r WHERE r.hash = p_hash)
        ON CONFLICT DO NOTHING
        RETURNING a.activated_at, a.country INTO activate.activated_at, activate.activated_in;
    won := FOUND;
    IF NOT won THEN
        SELECT a.activated_at, a.country INTO activate.activated_at, activate.activated_in FROM public.activation a WHERE a.hash = p_hash;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION activate(uuid, integer, bigint, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION activate(uuid, integer, bigint, boolean, text) TO resolver_scan;
