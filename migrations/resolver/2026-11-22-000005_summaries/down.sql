ALTER TABLE scan_segment DROP COLUMN summed_at;
DROP TABLE scan_summary_counter;
DROP TABLE scan_summary;
