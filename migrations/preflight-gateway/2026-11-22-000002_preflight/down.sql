DROP TABLE preflight_telemetry;
DROP TABLE preflight_policy_head;
DROP TABLE preflight_policy;
DROP TABLE preflight_report;
DROP TABLE preflight_facts;
DROP TABLE preflight_job;
DROP TABLE preflight_mark;
DROP TABLE preflight_tenant;
