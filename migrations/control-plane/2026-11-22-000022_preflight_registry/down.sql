DROP TABLE preflight_cursor;
DROP TABLE preflight_job;
