-- What was done with evidence and what was refused: one row in the transaction of each act, and a pending row that says that
-- the log does not hold it yet. Nothing here names a person but by id.
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

-- A log; another is opened when a restore took entries away that a checkpoint outside had named already.
CREATE TABLE audit_log (
    epoch        bigint      PRIMARY KEY CHECK (epoch > 0),
    origin       text        NOT NULL CHECK (length(origin) BETWEEN 1 AND 250),
    opened_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The newest checkpoint outside at that time, as it was signed; none where there was no log before.
    resumed_from text        CHECK (length(resumed_from) <= 16384)
);

-- How far it is, and who may go on: one row. Each batch takes it FOR UPDATE and checks the fence, so two sequencers can
-- only make one history.
CREATE TABLE audit_head (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    -- 0: no log was opened yet.
    epoch       bigint      NOT NULL CHECK (epoch >= 0),
    size        bigint      NOT NULL CHECK (size >= 0),
    -- The roots of the tree's whole subtrees, largest first: what appending needs to know of all that is there.
    frontier    bytea       NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    last_leaf   bytea       NOT NULL CHECK (octet_length(last_leaf) = 32),
    fence       bigint      NOT NULL DEFAULT 0 CHECK (fence >= 0),
    holder      text        CHECK (length(holder) BETWEEN 1 AND 100),
    lease_until timestamptz NOT NULL DEFAULT 'epoch'
);
INSERT INTO audit_head (epoch, size, frontier, last_leaf) VALUES (0, 0, '', decode(repeat('00', 32), 'hex'));

-- Of each tenant the newest leaf; '' is the platform's own.
CREATE TABLE audit_tenant_head (
    epoch     bigint NOT NULL,
    tenant_id text   NOT NULL,
    number    bigint NOT NULL CHECK (number > 0),
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (epoch, tenant_id)
);

CREATE TABLE audit_leaf (
    epoch         bigint NOT NULL CHECK (epoch > 0),
    idx           bigint NOT NULL CHECK (idx >= 0),
    entry_id      uuid   NOT NULL,
    tenant_id     text   NOT NULL,
    tenant_number bigint NOT NULL CHECK (tenant_number > 0),
    -- Hashes of the leaf before, and of the tenant's leaf before; zeros where there is none.
    prev          bytea  NOT NULL CHECK (octet_length(prev) = 32),
    tenant_prev   bytea  NOT NULL CHECK (octet_length(tenant_prev) = 32),
    hash          bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (epoch, idx)
);
CREATE INDEX audit_leaf_of_entry ON audit_leaf (entry_id);
CREATE UNIQUE INDEX audit_leaf_of_tenant ON audit_leaf (tenant_id, epoch, tenant_number);

-- Roots of whole subtrees at each eighth level: a proof reads at most 256 of them for each eight levels.
CREATE TABLE audit_node (
    epoch bigint   NOT NULL,
    level smallint NOT NULL CHECK (level > 0 AND level % 8 = 0),
    idx   bigint   NOT NULL CHECK (idx >= 0),
    hash  bytea    NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (epoch, level, idx)
);

-- Signed, and kept outside before it is written here.
CREATE TABLE audit_checkpoint (
    epoch bigint      NOT NULL,
    size  bigint      NOT NULL CHECK (size >= 0),
    root  bytea       NOT NULL CHECK (octet_length(root) = 32),
    note  text        NOT NULL CHECK (length(note) <= 16384),
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (epoch, size)
);

-- The vault adds and reads, for ever.
GRANT SELECT, INSERT ON audit_entry, audit_pending TO evidence_vault;
GRANT SELECT ON audit_log, audit_head, audit_leaf, audit_node, audit_checkpoint TO evidence_vault;
-- The sequencer reads entries, consumes what is pending, appends. The one entry that it writes says that a log was resumed after
-- a restore.
GRANT SELECT, INSERT ON audit_entry TO evidence_sequencer;
GRANT SELECT, DELETE ON audit_pending TO evidence_sequencer;
GRANT SELECT, INSERT ON audit_log, audit_leaf, audit_node TO evidence_sequencer;
-- Of old checkpoints one a day stays.
GRANT SELECT, INSERT, DELETE ON audit_checkpoint TO evidence_sequencer;
GRANT SELECT, INSERT, UPDATE ON audit_tenant_head TO evidence_sequencer;
GRANT SELECT, UPDATE ON audit_head TO evidence_sequencer;
