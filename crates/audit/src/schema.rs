//! The tables of the audit, which are the same in every database that has one.
#![expect(missing_docs, reason = "the columns are documented where they are created, in the migrations")]

diesel::table! {
    audit_entry (id) {
        id -> Uuid,
        at -> Timestamptz,
        tenant_id -> Nullable<Text>,
        actor -> Text,
        action -> Text,
        resource_kind -> Text,
        resource_id -> Text,
        outcome -> Text,
        trace_id -> Nullable<Text>,
        detail -> Jsonb,
        salt -> Bytea,
        commitment -> Bytea,
    }
}

diesel::table! {
    audit_pending (entry_id) {
        entry_id -> Uuid,
    }
}

diesel::table! {
    audit_log (epoch) {
        epoch -> BigInt,
        origin -> Text,
        opened_at -> Timestamptz,
        resumed_from -> Nullable<Text>,
    }
}

diesel::table! {
    audit_head (one) {
        one -> Bool,
        epoch -> BigInt,
        size -> BigInt,
        frontier -> Bytea,
        last_leaf -> Bytea,
        fence -> BigInt,
        holder -> Nullable<Text>,
        lease_until -> Timestamptz,
    }
}

diesel::table! {
    audit_tenant_head (epoch, tenant_id) {
        epoch -> BigInt,
        tenant_id -> Text,
        number -> BigInt,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_leaf (epoch, idx) {
        epoch -> BigInt,
        idx -> BigInt,
        entry_id -> Uuid,
        tenant_id -> Text,
        tenant_number -> BigInt,
        prev -> Bytea,
        tenant_prev -> Bytea,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_node (epoch, level, idx) {
        epoch -> BigInt,
        level -> SmallInt,
        idx -> BigInt,
        hash -> Bytea,
    }
}

diesel::table! {
    audit_checkpoint (epoch, size) {
        epoch -> BigInt,
        size -> BigInt,
        root -> Bytea,
        note -> Text,
        at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(audit_entry, audit_leaf);
