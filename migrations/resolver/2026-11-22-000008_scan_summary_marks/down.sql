DROP TABLE scan_summary_mark;
