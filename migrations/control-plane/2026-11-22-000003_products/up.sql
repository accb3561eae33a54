-- What is printed on: one product per GTIN and tenant, with the next serial number that no batch has been given.

CREATE TABLE product (
    id                   uuid PRIMARY KEY,
    tenant_id            text NOT NULL REFERENCES tenant (id),
    brand_id             uuid NOT NULL,
    gtin                 char(14) NOT NULL CHECK (gtin ~ '^[0-9]{14}$'),
    name                 text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    destination_template text CHECK (char_length(destination_template) <= 2000),
    -- 2^53 - 1 is the last serial (JSON numbers stay exact), so the next one is at most 2^53.
    next_serial          bigint NOT NULL DEFAULT 1 CHECK (next_serial BETWEEN 1 AND 9007199254740992),
    version              bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    created_at           timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, brand_id) REFERENCES brand (tenant_id, id),
    CONSTRAINT product_gtin_key UNIQUE (tenant_id, gtin),
    UNIQUE (tenant_id, brand_id, id)
);

GRANT SELECT, INSERT, UPDATE (name, destination_template, next_serial, version) ON product TO control_app;
