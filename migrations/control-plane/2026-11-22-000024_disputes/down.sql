DROP TABLE evidence_ref;
DROP TABLE dispute;
DROP FUNCTION dispute_stays_closed();
