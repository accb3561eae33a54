-- One look-up by primary key of a random code that is there, prepared: what the scan role asks, by itself. {hashes} are of
-- the table, in random order; the look-up in this constant costs some nanoseconds.
\set at random(1, {count})
SELECT publication_id, serial FROM {table} WHERE hash = ('{hashes}'::uuid[])[:at];
