DROP TABLE audit_pending;
DROP TABLE audit_entry;
