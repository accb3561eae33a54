DROP TABLE erasure_proof;
DROP TABLE evidence_key;
DROP TABLE evidence;
DROP TABLE kek;
