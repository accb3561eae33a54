//! The tables of `mintmark_preflight`, written by hand after `migrations/preflight-gateway`; an integration test compares
//! them with the migrated database.
#![expect(missing_docs, reason = "the columns are documented where they are created, in the migrations")]

diesel::table! {
    preflight_tenant (tenant_id) {
        tenant_id -> Text,
        revision -> BigInt,
    }
}

diesel::table! {
    preflight_mark (tenant_id, revision) {
        tenant_id -> Text,
        revision -> BigInt,
        id -> Uuid,
        made_at -> Timestamptz,
    }
}

diesel::table! {
    preflight_job (id) {
        id -> Uuid,
        tenant_id -> Text,
        job_id -> Text,
        request_sha256 -> Bytea,
        target_file -> Text,
        target_etag -> Text,
        target_version -> Nullable<Text>,
        target_bytes -> BigInt,
        policy -> Text,
        policy_version -> Text,
        intent -> Nullable<Jsonb>,
        batch_id -> Nullable<Text>,
        state -> Text,
        verdict -> Nullable<Text>,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        content_sha256 -> Nullable<Bytea>,
        engine_version -> Nullable<Text>,
        queue_id -> Nullable<Uuid>,
        created_by -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        revision -> BigInt,
    }
}

diesel::table! {
    preflight_facts (content_sha256, engine_version) {
        content_sha256 -> Bytea,
        engine_version -> Text,
        deflated -> Bytea,
        bytes -> BigInt,
        made_at -> Timestamptz,
    }
}

diesel::table! {
    preflight_report (id) {
        id -> Uuid,
        tenant_id -> Text,
        document -> Text,
    }
}

diesel::table! {
    preflight_policy (tenant_id, name, version) {
        tenant_id -> Text,
        name -> Text,
        version -> Integer,
        title -> Text,
        document -> Text,
        created_by -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    preflight_policy_head (tenant_id, name) {
        tenant_id -> Text,
        name -> Text,
        version -> Integer,
        withdrawn_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    preflight_telemetry (id, event_id) {
        id -> Uuid,
        event_id -> Text,
        tenant_id -> Text,
        event -> Jsonb,
        created_by -> Text,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(preflight_job, preflight_report, preflight_facts);
diesel::allow_tables_to_appear_in_same_query!(preflight_policy, preflight_policy_head);
