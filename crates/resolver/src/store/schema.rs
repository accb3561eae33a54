//! The tables that diesel writes, as `migrations/resolver` makes them; columns that it never touches are left out.

diesel::table! {
    product (product_id) {
        product_id -> Uuid,
        tenant_id -> Text,
        gtin -> Text,
        brand_name -> Text,
        product_name -> Text,
        destination_template -> Nullable<Text>,
        version -> Int8,
        primary_colour -> Nullable<Text>,
        logo -> Nullable<Bytea>,
        picture -> Nullable<Bytea>,
    }
}

diesel::table! {
    image (sha256) {
        sha256 -> Bytea,
        content_type -> Text,
        content -> Bytea,
        width -> Int2,
        height -> Int2,
    }
}

diesel::table! {
    partition (id) {
        id -> Int2,
        pepper_id -> Int4,
        units_reserved -> Int8,
        capacity -> Int8,
    }
}

diesel::table! {
    publication (id) {
        id -> Int4,
        batch_id -> Uuid,
        tenant_id -> Text,
        product_id -> Uuid,
        partition_id -> Int2,
        mode -> Text,
        first_serial -> Int8,
        units -> Int8,
        chunk_units -> Int4,
        fence -> Int8,
        state -> Text,
        sealed_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        units_published -> Int8,
    }
}

diesel::table! {
    publication_chunk (publication_id, chunk) {
        publication_id -> Int4,
        chunk -> Int4,
        units -> Int4,
    }
}

diesel::table! {
    scan_summary (tenant_id, day, product_id, batch_id, country, outcome) {
        tenant_id -> Text,
        day -> Date,
        product_id -> Uuid,
        batch_id -> Nullable<Uuid>,
        country -> Nullable<Text>,
        outcome -> Text,
        scans -> Int8,
        first_activations -> Int8,
        revision -> Int8,
    }
}

diesel::table! {
    scan_summary_mark (id) {
        id -> Uuid,
        revision -> Int8,
    }
}

diesel::allow_tables_to_appear_in_same_query!(publication, publication_chunk, product, partition);
