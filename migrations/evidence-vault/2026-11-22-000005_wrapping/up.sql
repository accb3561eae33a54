-- Under which keys a record's key was ever wrapped: backups may hold each of those wrappings, so that all of these keys
-- must be destroyed before nobody can open what was erased. Nothing here opens anything.
CREATE TABLE evidence_wrapping (
    record_id uuid NOT NULL REFERENCES evidence (id),
    kek_id    uuid NOT NULL REFERENCES kek (id),
    PRIMARY KEY (record_id, kek_id)
);

GRANT SELECT, INSERT ON evidence_wrapping TO evidence_vault;
