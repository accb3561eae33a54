-- What the directory said with the cursor. It tells the directory of today from one that was restored from a backup.
ALTER TABLE scan_cursor ADD COLUMN mark text CHECK (char_length(mark) BETWEEN 1 AND 64);
GRANT UPDATE (mark) ON scan_cursor TO control_app;
