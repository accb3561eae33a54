-- How a brand and its products look on the verification page. The resolver is told with each product.

CREATE TABLE brand_presentation (
    brand_id       uuid PRIMARY KEY,
    tenant_id      text NOT NULL,
    primary_colour text NOT NULL CHECK (primary_colour ~ '^#[0-9a-f]{6}$'),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, brand_id) REFERENCES brand (tenant_id, id)
);

-- A brand's logo, or a product's picture. The id is that of what it shows, so each has one.
CREATE TABLE look_image (
    id           uuid PRIMARY KEY CHECK (id = coalesce(product_id, brand_id)),
    tenant_id    text NOT NULL,
    brand_id     uuid NOT NULL,
    product_id   uuid,
    content_type text NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp')),
    content      bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 262144),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant_id, brand_id) REFERENCES brand (tenant_id, id),
    FOREIGN KEY (tenant_id, brand_id, product_id) REFERENCES product (tenant_id, brand_id, id)
);

GRANT SELECT, INSERT, DELETE, UPDATE (primary_colour, updated_at) ON brand_presentation TO control_app;
GRANT SELECT, INSERT, DELETE, UPDATE (content_type, content, updated_at) ON look_image TO control_app;
