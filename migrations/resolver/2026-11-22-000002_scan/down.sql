DROP TABLE scan_event;
DROP FUNCTION activate(uuid, integer, bigint);
DROP TABLE activation;
