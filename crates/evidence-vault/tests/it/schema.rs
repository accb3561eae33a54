//! The database: migrations up and down, the hand-written schema, and what the logins may not do.

use mintmark_devstack::testdb::{self, schema};

#[tokio::test(flavor = "multi_thread")]
async fn schema_in_the_source_is_the_schema_of_the_migrated_database() {
    let mut found = schema::found(&testdb::database("evidence-vault").await).await;
    // The audit's tables are those of the crate that keeps it.
    found.retain(|table, _| !table.starts_with("audit"));
    assert_eq!(schema::declared(include_str!("../../src/store/schema.rs")), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_down_and_up_again() {
    schema::goes_down_and_up_again("evidence-vault").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_does_what_is_not_its_own() {
    let db = testdb::database("evidence-vault").await;
    let vault = [
        "DELETE FROM evidence",
        "DELETE FROM kek",
        "DELETE FROM erasure_proof",
        "UPDATE erasure_proof SET jwt = ''",
        "DELETE FROM evidence_wrapping",
        "UPDATE evidence_wrapping SET kek_id = record_id",
        "DELETE FROM audit_entry",
        "UPDATE audit_entry SET actor = 'nobody'",
        "DELETE FROM audit_leaf",
        "INSERT INTO audit_checkpoint DEFAULT VALUES",
        "DELETE FROM jobs",
        "TRUNCATE evidence",
        "CREATE TABLE mine ()",
    ];
    schema::refuses(&db, "evidence_vault", &vault).await;
    let sequencer = [
        "SELECT 1 FROM evidence",
        "SELECT 1 FROM evidence_key",
        "SELECT 1 FROM kek",
        "SELECT 1 FROM erasure_proof",
        "SELECT 1 FROM evidence_wrapping",
        "SELECT 1 FROM jobs",
        "UPDATE audit_entry SET actor = 'nobody'",
        "DELETE FROM audit_leaf",
    ];
    schema::refuses(&db, "evidence_sequencer", &sequencer).await;
}
