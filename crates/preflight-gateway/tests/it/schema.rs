//! The database: migrations up and down, the hand-written schema, and what the two logins may not do.

use mintmark_devstack::testdb::{self, schema};

#[tokio::test(flavor = "multi_thread")]
async fn schema_in_the_source_is_the_schema_of_the_migrated_database() {
    let found = schema::found(&testdb::database("preflight-gateway").await).await;
    assert_eq!(schema::declared(include_str!("../../src/store/schema.rs")), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_down_and_up_again() {
    schema::goes_down_and_up_again("preflight-gateway").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_login_does_the_others_work() {
    let db = testdb::database("preflight-gateway").await;
    let gateway = [
        "INSERT INTO preflight_facts VALUES ('', '', '', 1)",
        "INSERT INTO preflight_report VALUES (gen_random_uuid(), 'acme', '{}')",
        "UPDATE preflight_job SET verdict = 'pass'",
        "UPDATE preflight_job SET target_etag = 'x'",
        "UPDATE preflight_job SET tenant_id = 'x'",
        "UPDATE preflight_report SET document = '{}'",
        "UPDATE preflight_policy SET document = '{}'",
        "DELETE FROM preflight_job",
        "DELETE FROM jobs",
    ];
    schema::refuses(&db, "preflight_gateway", &gateway).await;
    let worker = [
        "INSERT INTO preflight_job (id) VALUES (gen_random_uuid())",
        "INSERT INTO jobs (id) VALUES (gen_random_uuid())",
        "UPDATE preflight_job SET policy = 'x'",
        "UPDATE preflight_job SET target_file = 'x'",
        "UPDATE preflight_facts SET deflated = ''",
        "UPDATE preflight_report SET document = '{}'",
        "SELECT 1 FROM preflight_telemetry",
        "INSERT INTO preflight_policy (tenant_id) VALUES ('acme')",
        "DELETE FROM preflight_facts",
    ];
    schema::refuses(&db, "preflight_worker", &worker).await;
}
