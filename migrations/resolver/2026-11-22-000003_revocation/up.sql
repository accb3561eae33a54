-- Recalls of single codes, and the mode that activates by a button.

-- A code that is recalled alone. Written through revoke_codes() alone; nothing here is ever changed or removed.
CREATE TABLE revoked_code (
    hash           uuid        PRIMARY KEY,
    publication_id integer     NOT NULL REFERENCES publication,
    serial         bigint      NOT NULL,
    revoked_at     timestamptz NOT NULL,
    revision       bigint      NOT NULL
);
CREATE INDEX revoked_code_by_revision ON revoked_code (revision);

-- Recalls those of the codes that the publication has, under one move of the change counter: a trigger for each row would
-- move it ten thousand times. `p_hashes` names each code once. The publication's row is held, as by a chunk or a seal.
CREATE FUNCTION revoke_codes(
    p_publication integer, p_hashes uuid[], OUT revoked bigint, OUT already_revoked bigint, OUT unmatched bigint
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    codes   text;
    matched bigint;
    stamp   bigint;
BEGIN
    SELECT 'code_' || lpad(p.partition_id::text, 4, '0') INTO codes FROM public.publication p
        WHERE p.id = p_publication AND p.state <> 'aborted' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no publication % has codes to recall', p_publication USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE format('SELECT count(*), count(r.hash) FROM public.%I c LEFT JOIN public.revoked_code r ON r.hash = c.hash
                    WHERE c.hash = ANY ($1) AND c.publication_id = $2', codes)
        INTO matched, already_revoked USING p_hashes, p_publication;
    revoked := matched - already_revoked;
    unmatched := cardinality(p_hashes) - matched;
    IF revoked = 0 THEN
        RETURN;
    END IF;
    UPDATE public.change_counter SET value = value + 1 RETURNING value INTO stamp;
    EXECUTE format('INSERT INTO public.revoked_code (hash, publication_id, serial, revoked_at, revision)
                    SELECT c.hash, c.publication_id, c.serial, $3, $4 FROM public.%I c
                    WHERE c.hash = ANY ($1) AND c.publication_id = $2 ON CONFLICT DO NOTHING', codes)
        USING p_hashes, p_publication, clock_timestamp(), stamp;
END
$$;
REVOKE ALL ON FUNCTION revoke_codes(integer, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION revoke_codes(integer, uuid[]) TO resolver_directory;
GRANT SELECT ON revoked_code TO resolver_scan, resolver_directory;

ALTER TABLE publication DROP CONSTRAINT publication_mode_check;
ALTER TABLE publication ADD CONSTRAINT publication_mode_check CHECK (mode IN ('static', 'first_scan', 'confirmed_scan'));

-- Activates a code, once: `won` is true for the one call that did it. `p_confirmed`: a person pressed the button, without
-- which a code of mode confirmed_scan is looked at and left alone. `activated_at` is null when the code is not activated,
-- and was not by this call: not sealed, revoked (with its batch or alone), not confirmed, of mode static, or not in the
-- directory under this very serial. The default is for the program before this migration, which may still run.
DROP FUNCTION activate(uuid, integer, bigint);
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
