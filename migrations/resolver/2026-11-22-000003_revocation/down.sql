DROP FUNCTION activate(uuid, integer, bigint, boolean);
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

-- Refused while a publication of mode confirmed_scan exists: the older program cannot read it.
ALTER TABLE publication DROP CONSTRAINT publication_mode_check;
ALTER TABLE publication ADD CONSTRAINT publication_mode_check CHECK (mode IN ('static', 'first_scan'));

DROP FUNCTION revoke_codes(integer, uuid[]);
DROP TABLE revoked_code;
