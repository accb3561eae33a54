ALTER TABLE scan_cursor DROP COLUMN mark;
