DROP TABLE audit_checkpoint, audit_node, audit_leaf, audit_tenant_head, audit_head, audit_log, audit_pending, audit_entry;
