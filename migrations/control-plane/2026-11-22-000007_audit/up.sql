-- What people did and were refused: one row in the transaction of each act, and a pending row that says that the audit
-- tree does not hold it yet. Nothing here names a person but by id: names, addresses and free text stay out of detail.

CREATE TABLE audit_entry (
    id            uuid        PRIMARY KEY,
    -- The application reads this clock first, because the commitment covers the time.
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null for acts on the platform as a whole. No foreign key: an entry outlives what it speaks of.
    tenant_id     text        CHECK (tenant_id ~ '^[a-z0-9-]{3,63}$'),
    actor         text        NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    action        text        NOT NULL CHECK (action ~ '^[A-Z][A-Z0-9_]{2,62}$'),
    resource_kind text        NOT NULL CHECK (resource_kind ~ '^[a-z][a-z_]{1,31}$'),
    resource_id   text        NOT NULL CHECK (length(resource_id) BETWEEN 1 AND 200),
    outcome       text        NOT NULL CHECK (outcome IN ('allowed', 'refused')),
    trace_id      text        CHECK (trace_id ~ '^[0-9a-f]{32}$'),
    detail        jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object'),
    -- The leaf of the audit tree holds the commitment alone: without the salt it says nothing about the fields.
    salt          bytea       NOT NULL CHECK (octet_length(salt) = 16),
    commitment    bytea       NOT NULL CHECK (octet_length(commitment) = 32)
);
CREATE INDEX audit_entry_of_tenant ON audit_entry (tenant_id, at, id);

CREATE TABLE audit_pending (
    entry_id uuid PRIMARY KEY REFERENCES audit_entry (id)
);

-- Nothing else, for ever: the sequencer that will consume pending rows has its own login.
GRANT SELECT, INSERT ON audit_entry TO control_app;
GRANT SELECT, INSERT ON audit_pending TO control_app;
