//! The tables of `mintmark_control`, written by hand after `migrations/control-plane`; an integration test compares
//! them with the migrated database.
#![expect(missing_docs, reason = "the columns are documented where they are created, in the migrations")]

diesel::table! {
    tenant (id) {
        id -> Text,
        listing_id -> Uuid,
        name -> Text,
        tier -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    app_user (id) {
        id -> Uuid,
        tenant_id -> Text,
        email -> Text,
        name -> Text,
        tenant_admin -> Bool,
        disabled_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    brand (id) {
        id -> Uuid,
        tenant_id -> Text,
        name -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    membership (id) {
        id -> Uuid,
        tenant_id -> Text,
        user_id -> Uuid,
        brand_id -> Nullable<Uuid>,
        role -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    product (id) {
        id -> Uuid,
        tenant_id -> Text,
        brand_id -> Uuid,
        gtin -> Bpchar,
        name -> Text,
        destination_template -> Nullable<Text>,
        next_serial -> BigInt,
        version -> BigInt,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    batch (id) {
        id -> Uuid,
        tenant_id -> Text,
        brand_id -> Uuid,
        product_id -> Uuid,
        mode -> Text,
        units -> Integer,
        first_serial -> BigInt,
        state -> Text,
        wrapped_secret -> Nullable<Bytea>,
        secret_key_id -> Nullable<Text>,
        chunk_units -> Integer,
        partition_id -> Nullable<SmallInt>,
        job_id -> Uuid,
        created_by -> Text,
        created_at -> Timestamptz,
        sealed_at -> Nullable<Timestamptz>,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        revoked_at -> Nullable<Timestamptz>,
        secret_destroyed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    batch_event (id) {
        id -> Uuid,
        tenant_id -> Text,
        batch_id -> Uuid,
        at -> Timestamptz,
        actor -> Text,
        kind -> Text,
        detail -> Jsonb,
    }
}

diesel::table! {
    idempotency (tenant_id, actor, method, path, key) {
        tenant_id -> Text,
        actor -> Text,
        method -> Text,
        path -> Text,
        key -> Text,
        fingerprint -> Bytea,
        status -> Nullable<SmallInt>,
        body -> Nullable<Jsonb>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    export (id) {
        id -> Uuid,
        tenant_id -> Text,
        brand_id -> Uuid,
        batch_id -> Uuid,
        formats -> Array<Text>,
        state -> Text,
        part_units -> Integer,
        format_version -> Integer,
        bytes -> BigInt,
        index_path -> Nullable<Text>,
        index_bytes -> Nullable<BigInt>,
        index_sha256 -> Nullable<Bytea>,
        job_id -> Uuid,
        created_by -> Text,
        created_at -> Timestamptz,
        ready_at -> Nullable<Timestamptz>,
        expires_at -> Nullable<Timestamptz>,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        product_name -> Text,
    }
}

diesel::table! {
    export_part (export_id, part) {
        tenant_id -> Text,
        export_id -> Uuid,
        part -> Integer,
        object_path -> Text,
        bytes -> BigInt,
        sha256 -> Bytea,
        first_serial -> BigInt,
        units -> Integer,
    }
}

diesel::table! {
    api_key (id) {
        id -> Uuid,
        tenant_id -> Text,
        creator_id -> Uuid,
        name -> Text,
        environment -> Text,
        digest -> Bytea,
        scopes -> Array<Text>,
        tier -> Text,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        replaced_by -> Nullable<Uuid>,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    audit_export (id) {
        id -> Uuid,
        tenant_id -> Text,
        actor -> Text,
        from_at -> Nullable<Timestamptz>,
        to_at -> Timestamptz,
        state -> Text,
        job_id -> Uuid,
        entries -> Nullable<BigInt>,
        bytes -> Nullable<BigInt>,
        sha256 -> Nullable<Bytea>,
        failure -> Nullable<Text>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    brand_presentation (brand_id) {
        brand_id -> Uuid,
        tenant_id -> Text,
        primary_colour -> Text,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    look_image (id) {
        id -> Uuid,
        tenant_id -> Text,
        brand_id -> Uuid,
        product_id -> Nullable<Uuid>,
        content_type -> Text,
        content -> Bytea,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    scan_summary (tenant_id, product_id, day, batch_id, country, outcome) {
        tenant_id -> Text,
        day -> Date,
        product_id -> Uuid,
        batch_id -> Nullable<Uuid>,
        country -> Nullable<Text>,
        outcome -> Text,
        scans -> BigInt,
        first_activations -> BigInt,
        revision -> BigInt,
    }
}

diesel::table! {
    scan_cursor (tenant_id) {
        tenant_id -> Text,
        revision -> BigInt,
        job_id -> Nullable<Uuid>,
        pulled_at -> Nullable<Timestamptz>,
        mark -> Nullable<Text>,
    }
}

diesel::table! {
    preflight_job (tenant_id, job_id) {
        tenant_id -> Text,
        job_id -> Text,
        listing_id -> Uuid,
        target_file -> Text,
        target_bytes -> BigInt,
        policy -> Text,
        policy_version -> Text,
        batch_id -> Nullable<Text>,
        state -> Text,
        verdict -> Nullable<Text>,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        content_sha256 -> Nullable<Bytea>,
        engine_version -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        revision -> BigInt,
        synced_at -> Timestamptz,
    }
}

diesel::table! {
    preflight_cursor (tenant_id) {
        tenant_id -> Text,
        revision -> BigInt,
        mark -> Nullable<Text>,
        synced_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    dispute (id) {
        id -> Uuid,
        tenant_id -> Text,
        reference -> Text,
        opened_by -> Text,
        opened_at -> Timestamptz,
        outcome -> Nullable<Text>,
        closed_by -> Nullable<Text>,
        closed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    evidence_ref (evidence_id) {
        evidence_id -> Uuid,
        tenant_id -> Text,
        dispute_id -> Uuid,
        uploaded_by -> Text,
        key_sha256 -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::joinable!(evidence_ref -> dispute (dispute_id));
diesel::joinable!(batch -> product (product_id));
diesel::joinable!(product -> brand (brand_id));
diesel::joinable!(membership -> app_user (user_id));
diesel::joinable!(export_part -> export (export_id));
diesel::joinable!(export -> batch (batch_id));
diesel::allow_tables_to_appear_in_same_query!(
    tenant,
    app_user,
    brand,
    membership,
    product,
    batch,
    batch_event,
    idempotency,
    export,
    export_part,
    brand_presentation,
    look_image,
    api_key,
    dispute,
    evidence_ref,
);
