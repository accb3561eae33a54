-- Who exists: tenants, their people, their brands, and which person may do what for which brand.
-- Every key that another table points at includes tenant_id, so that a row can never point into another tenant.

CREATE TABLE tenant (
    id         text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{3,63}$'),
    -- Slugs have no order of creation; lists page by this time-ordered id instead.
    listing_id uuid NOT NULL UNIQUE,
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    tier       text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'pro', 'enterprise')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE app_user (
    id           uuid PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenant (id),
    email        text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    tenant_admin boolean NOT NULL DEFAULT false,
    disabled_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX app_user_email_key ON app_user (tenant_id, lower(email));

CREATE TABLE brand (
    id         uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenant (id),
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id)
);

CREATE TABLE membership (
    id         uuid PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenant (id),
    user_id    uuid NOT NULL,
    brand_id   uuid,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'USER', 'ARBITRATOR', 'GOVERNANCE')),
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id),
    FOREIGN KEY (tenant_id, brand_id) REFERENCES brand (tenant_id, id),
    UNIQUE (tenant_id, id),
    -- Roles in lower case are held for a brand; the evidence roles are held for the tenant.
    CONSTRAINT membership_role_fits_brand CHECK ((brand_id IS NOT NULL) = (role IN ('owner', 'admin', 'member')))
);
-- One role per person and brand; each evidence role at most once per person.
CREATE UNIQUE INDEX membership_brand_key ON membership (tenant_id, user_id, brand_id) WHERE brand_id IS NOT NULL;
CREATE UNIQUE INDEX membership_evidence_key ON membership (tenant_id, user_id, role) WHERE brand_id IS NULL;

GRANT SELECT, INSERT, UPDATE (name, tier) ON tenant TO control_app;
GRANT SELECT, INSERT, UPDATE (name, tenant_admin, disabled_at) ON app_user TO control_app;
GRANT SELECT, INSERT ON brand TO control_app;
GRANT SELECT, INSERT, DELETE ON membership TO control_app;
