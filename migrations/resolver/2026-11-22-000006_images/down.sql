DROP FUNCTION activate(uuid, integer, bigint, boolean, text);
CREATE FUNCTION activate(
    p_hash uuid, p_publication integer, p_serial bigint, p_confirmed boolean DEFAULT false,
    OUT won boolean, OUT activated_at timestamptz
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
    INSERT INTO public.activation AS a (hash, publication_id, serial, activated_at)
        SELECT p_hash, p.id, p_serial, clock_timestamp() FROM public.publication p
        WHERE p.id = p_publication AND p.state = 'sealed' AND p.revoked_at IS NULL
          AND (p.mode = 'first_scan' OR (p.mode = 'confirmed_scan' AND p_confirmed))
          AND NOT EXISTS (SELECT FROM public.revoked_code r WHERE r.hash = p_hash)
        ON CONFLICT DO NOTHING
        RETURNING a.activated_at INTO activate.activated_at;
    won := FOUND;
    IF NOT won THEN
        SELECT a.activated_at INTO activate.activated_at FROM public.activation a WHERE a.hash = p_hash;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION activate(uuid, integer, bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION activate(uuid, integer, bigint, boolean) TO resolver_scan;
ALTER TABLE activation DROP COLUMN country;
ALTER TABLE product DROP COLUMN picture, DROP COLUMN logo, DROP COLUMN primary_colour;
DROP TABLE image;
