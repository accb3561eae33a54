DROP TABLE evidence_wrapping;
