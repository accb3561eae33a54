-- The directory: what is published, and by whom. Written by resolver_directory alone, read by resolver_scan.

-- The exclusion constraint below compares a uuid and a range in one index; the extension is trusted, so that the
-- database's owner may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Logins that serve requests need no tables of their own, temporary ones included.
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

-- One number that every change of state moves, inside the change's own transaction. Its row lock makes changes commit
-- in the order of their numbers, so a reader who knows number n has seen every row whose revision is n or less.
CREATE TABLE change_counter (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    value    bigint  NOT NULL DEFAULT 0
);
INSERT INTO change_counter DEFAULT VALUES;

CREATE FUNCTION stamp_revision() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    UPDATE public.change_counter SET value = value + 1 RETURNING value INTO NEW.revision;
    RETURN NEW;
END
$$;

CREATE TABLE product (
    product_id           uuid   PRIMARY KEY,
    tenant_id            text   NOT NULL CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    gtin                 text   NOT NULL CHECK (gtin ~ '^[0-9]{14}$'),
    brand_name           text   NOT NULL CHECK (char_length(brand_name) <= 200),
    product_name         text   NOT NULL CHECK (char_length(product_name) <= 200),
    destination_template text   CHECK (char_length(destination_template) <= 2048),
    version              bigint NOT NULL CHECK (version >= 0),
    revision             bigint NOT NULL DEFAULT 0
);
CREATE INDEX product_by_revision ON product (revision);

CREATE TRIGGER product_stamp BEFORE INSERT OR UPDATE ON product
    FOR EACH ROW EXECUTE FUNCTION stamp_revision();

-- A partition is one table of codes (code_0000 …) under one pepper; its number is the first two characters of a code.
CREATE TABLE partition (
    id             smallint    PRIMARY KEY CHECK (id BETWEEN 0 AND 1023),
    pepper_id      integer     NOT NULL CHECK (pepper_id > 0),
    units_reserved bigint      NOT NULL DEFAULT 0,
    capacity       bigint      NOT NULL DEFAULT 16000000,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT partition_not_overfull CHECK (units_reserved BETWEEN 0 AND capacity)
);

CREATE TABLE publication (
    id              integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id        uuid        NOT NULL,
    tenant_id       text        NOT NULL,
    product_id      uuid        NOT NULL REFERENCES product,
    partition_id    smallint    NOT NULL REFERENCES partition,
    mode            text        NOT NULL CHECK (mode IN ('static', 'first_scan')),
    first_serial    bigint      NOT NULL CHECK (first_serial >= 1),
    units           bigint      NOT NULL CHECK (units BETWEEN 1 AND 16000000),
    serials         int8range   NOT NULL GENERATED ALWAYS AS (int8range(first_serial, first_serial + units)) STORED,
    chunk_units     integer     NOT NULL CHECK (chunk_units BETWEEN 1 AND 100000),
    fence           bigint      NOT NULL CHECK (fence >= 0),
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sealed', 'aborted')),
    opened_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    sealed_at       timestamptz,
    revoked_at      timestamptz,
    units_published bigint      NOT NULL DEFAULT 0,
    revision        bigint      NOT NULL DEFAULT 0,
    CONSTRAINT publication_batch UNIQUE (batch_id),
    CONSTRAINT publication_units CHECK (units_published BETWEEN 0 AND units),
    CONSTRAINT publication_sealed CHECK ((state = 'sealed') = (sealed_at IS NOT NULL)),
    CONSTRAINT publication_whole CHECK (state <> 'sealed' OR units_published = units),
    -- No serial of a product is published twice, whatever the control plane was restored from.
    CONSTRAINT publication_serials EXCLUDE USING gist (product_id WITH =, serials WITH &&)
);
CREATE INDEX publication_sealed_by_revision ON publication (revision) WHERE state = 'sealed';

-- Terminal means terminal, also for whoever holds the login of the directory.
CREATE FUNCTION guard_publication() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF OLD.state <> 'open' AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'a publication that is % stays so', OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.state <> 'open' AND (NEW.units_published, NEW.sealed_at) IS DISTINCT FROM (OLD.units_published, OLD.sealed_at) THEN
        RAISE EXCEPTION 'a publication that is % takes no more units', OLD.state USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'a revocation cannot be changed' USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.fence < OLD.fence THEN
        RAISE EXCEPTION 'a fence only rises' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER publication_guard BEFORE UPDATE ON publication
    FOR EACH ROW EXECUTE FUNCTION guard_publication();

-- Only what scanning depends on moves the counter: a chunk must not hold the counter's lock while it is copied.
CREATE TRIGGER publication_stamp BEFORE UPDATE ON publication
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state OR OLD.revoked_at IS DISTINCT FROM NEW.revoked_at)
    EXECUTE FUNCTION stamp_revision();

-- The ledger: which chunks are in, and what they held.
CREATE TABLE publication_chunk (
    publication_id integer NOT NULL REFERENCES publication,
    chunk          integer NOT NULL CHECK (chunk >= 0),
    digest         bytea   NOT NULL CHECK (octet_length(digest) = 32),
    units          integer NOT NULL CHECK (units > 0),
    PRIMARY KEY (publication_id, chunk)
);

-- Opens a partition under a pepper, unless one of that pepper still has room for `units`; answers the partition's number.
-- One transaction at a time: a number is used once.
CREATE FUNCTION open_partition(pepper integer, units bigint) RETURNS smallint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    opened smallint;
    codes  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mintmark.resolver.open_partition', 0));
    SELECT p.id INTO opened FROM public.partition p
        WHERE p.pepper_id = pepper AND p.capacity - p.units_reserved >= units ORDER BY p.id LIMIT 1;
    IF FOUND THEN
        RETURN opened;
    END IF;
    SELECT coalesce(max(p.id) + 1, 0) INTO opened FROM public.partition p;
    INSERT INTO public.partition (id, pepper_id) VALUES (opened, pepper);
    codes := 'code_' || lpad(opened::text, 4, '0');
    -- No foreign key: it would cost a look-up for each row of a COPY, and publications are never deleted.
    EXECUTE format('CREATE TABLE public.%I (hash uuid PRIMARY KEY, serial bigint NOT NULL, publication_id integer NOT NULL)', codes);
    EXECUTE format('GRANT SELECT ON public.%I TO resolver_scan', codes);
    EXECUTE format('GRANT SELECT, INSERT ON public.%I TO resolver_directory', codes);
    RETURN opened;
END
$$;
REVOKE ALL ON FUNCTION open_partition(integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_partition(integer, bigint) TO resolver_directory;
REVOKE ALL ON FUNCTION stamp_revision() FROM PUBLIC;
REVOKE ALL ON FUNCTION guard_publication() FROM PUBLIC;

GRANT SELECT ON change_counter, product, partition, publication TO resolver_scan, resolver_directory;
GRANT INSERT, UPDATE ON product TO resolver_directory;
GRANT UPDATE (units_reserved) ON partition TO resolver_directory;
GRANT INSERT (batch_id, tenant_id, product_id, partition_id, mode, first_serial, units, chunk_units, fence) ON publication TO resolver_directory;
GRANT UPDATE (fence, state, sealed_at, revoked_at, units_published) ON publication TO resolver_directory;
GRANT SELECT, INSERT ON publication_chunk TO resolver_directory;
