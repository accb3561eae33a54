DROP FUNCTION forget_scan_pulls(text);
DROP INDEX jobs_ended_scan_pulls;
DROP TABLE scan_cursor;
DROP TABLE scan_summary;
