DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM control_sequencer', current_database());
END
$$;
REVOKE ALL ON audit_entry, audit_pending FROM control_sequencer;
DROP TABLE audit_checkpoint, audit_node, audit_leaf, audit_tenant_head, audit_head, audit_log;
