-- An act's entry and its pending row in one transaction, as `audit::record` writes them, with nothing that consumes them. The
-- id grows as those of the entries do; actor, salt and commitment are as long as theirs (a colon would begin a variable).
BEGIN;
INSERT INTO audit_entry (id, at, tenant_id, actor, action, resource_kind, resource_id, outcome, trace_id, detail, salt, commitment)
VALUES (lpad(to_hex(nextval('baseline_id')), 32, '0')::uuid, clock_timestamp(), 'bench', 'user.usr_01h45ytscbebyvny4gc8cr8ma2',
    'BENCH_ACT', 'batch', 'bat_01h45ytscbebyvny4gc8cr8ma2', 'allowed', NULL, '{"units": 3, "product": "prd_01h45ytscbebyvny4gc8cr8ma2"}',
    '\x00112233445566778899aabbccddeeff', '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff');
INSERT INTO audit_pending (entry_id) VALUES (lpad(to_hex(currval('baseline_id')), 32, '0')::uuid);
COMMIT;
