DO $$
DECLARE
    opened smallint;
BEGIN
    FOR opened IN SELECT id FROM partition LOOP
        EXECUTE format('DROP TABLE %I', 'code_' || lpad(opened::text, 4, '0'));
    END LOOP;
END
$$;
DROP FUNCTION open_partition(integer, bigint);
DROP TABLE publication_chunk, publication, partition, product, change_counter;
DROP FUNCTION guard_publication();
DROP FUNCTION stamp_revision();
DROP EXTENSION btree_gist;
