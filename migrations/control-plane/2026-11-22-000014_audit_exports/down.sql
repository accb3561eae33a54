DROP TABLE audit_export;
