//! The tables of `mintmark_evidence` that this crate touches, written by hand after `migrations/evidence-vault`; an
//! integration test compares them with the migrated database. Crate `audit` has those of the audit, crate `jobs` its own.
#![expect(missing_docs, reason = "the columns are documented where they are created, in the migrations")]

diesel::table! {
    kek (id) {
        id -> Uuid,
        tenant_id -> Text,
        purpose -> Text,
        period_start -> Nullable<Date>,
        period_end -> Nullable<Date>,
        record_id -> Nullable<Uuid>,
        state -> Text,
        invocations -> BigInt,
        created_at -> Timestamptz,
        closed_at -> Nullable<Timestamptz>,
        destroyed_at -> Nullable<Timestamptz>,
        certificate -> Nullable<Text>,
    }
}

diesel::table! {
    evidence (id) {
        id -> Uuid,
        tenant_id -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        media_type -> Text,
        state -> Text,
        bytes -> BigInt,
        encrypted_blob -> Nullable<Text>,
        ciphertext_sha256 -> Nullable<Bytea>,
        sealed_digest -> Nullable<Bytea>,
        uploaded_by -> Text,
        created_at -> Timestamptz,
        retention_days -> Integer,
        expires_at -> Timestamptz,
        legal_hold -> Bool,
        erased_at -> Nullable<Timestamptz>,
        erasure_nonce -> Nullable<Uuid>,
        erased_by -> Nullable<Text>,
        shredded_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    evidence_key (record_id) {
        record_id -> Uuid,
        kek_id -> Uuid,
        wrapped_dek -> Bytea,
        iv -> Bytea,
        tag -> Bytea,
    }
}

diesel::table! {
    erasure_proof (id) {
        id -> Uuid,
        record_id -> Uuid,
        kind -> Text,
        jwt -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    evidence_wrapping (record_id, kek_id) {
        record_id -> Uuid,
        kek_id -> Uuid,
    }
}

diesel::allow_tables_to_appear_in_same_query!(evidence, evidence_key, evidence_wrapping, kek, erasure_proof);
